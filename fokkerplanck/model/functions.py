"""The functions that formulas may call: in SymPy, with their derivatives, and in doubles."""

import math
from collections.abc import Callable
from typing import Any, Final

import sympy


class sigmoid(sympy.Function):  # noqa: N801 - named as it is written
    """Logistic function ``1 / (1 + exp(-x))``."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative ``s (1 - s)``."""
        return self * (1 - self)


class softplus(sympy.Function):  # noqa: N801 - named as it is written
    """Smooth positive part ``log(1 + exp(x))``."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative, the logistic function."""
        return sigmoid(self.args[0])


class gaussian_cdf(sympy.Function):  # noqa: N801 - named as it is written
    """Standard normal distribution function."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the standard normal density."""
        return sympy.exp(-(self.args[0] ** 2) / 2) / sympy.sqrt(2 * sympy.pi)


class gelu(sympy.Function):  # noqa: N801 - named as it is written
    """Gaussian error linear unit ``x Φ(x)``, in its exact form."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative ``Φ(x) + x φ(x)``."""
        x = self.args[0]
        return gaussian_cdf(x) + x * gaussian_cdf(x).fdiff()


class step(sympy.Function):  # noqa: N801 - named as it is written
    """Derivative of :class:`relu`: one for positive arguments, zero otherwise."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return zero, the derivative almost everywhere."""
        return sympy.Integer(0)


class relu(sympy.Function):  # noqa: N801 - named as it is written
    """Positive part ``max(x, 0)``."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative almost everywhere."""
        return step(self.args[0])


FUNCTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "tanh": sympy.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "gelu": gelu,
    "relu": relu,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "arctan": sympy.atan,
}
#: The same for constants, in double arithmetic.
DOUBLES: Final[dict[str, Callable[[float], float]]] = {
    "tanh": math.tanh,
    "sigmoid": lambda x: math.exp(min(x, 0.0) - math.log1p(math.exp(-abs(x)))),
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "gelu": lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2.0)),
    "relu": lambda x: max(x, 0.0),
    "sin": math.sin,
    "cos": math.cos,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "arctan": math.atan,
}

NON_SMOOTH: Final = (relu, step, sympy.Abs, sympy.sign)

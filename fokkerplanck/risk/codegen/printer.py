"""Printing of expressions as Python source in the functions that LLVM can vectorise."""

import math
from collections.abc import Iterable
from typing import Any, Final

import sympy

from fokkerplanck.model.functions import gaussian_cdf, gelu, relu, sigmoid, softplus, step

NAMES: Final[dict[Any, str]] = {
    sympy.tanh: "tanh",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.atan: "arctan",
    sympy.Abs: "abs",
    sympy.sign: "sign",
    sigmoid: "sigmoid",
    softplus: "softplus",
    gaussian_cdf: "gaussian_cdf",
    gelu: "gelu",
    relu: "relu",
    step: "step",
}
_HELPERS: Final = {"sqrt", "power", "bounded_sin", "bounded_cos", "WIDEST"}
IMPORTED: Final = sorted({*NAMES.values(), *_HELPERS} - {"abs"})


class Printer:
    """Prints expressions; factors that are the same for all samples come first.

    Bases of powers that are no symbols become temporaries, collected in ``lines``; ``angles``
    collects the arguments of sines and cosines.
    """

    def __init__(self, varying: set[sympy.Symbol]) -> None:
        self.varying = varying
        self.lines: list[str] = []
        self.angles: list[str] = []

    def assign(self, name: str, expression: sympy.Expr) -> str:
        """Append the statement that gives ``expression`` a name, and return the name."""
        self.lines.append(f"{name} = {self(expression)}")
        return name

    def __call__(self, expression: sympy.Expr) -> str:
        """Return Python source, in parentheses where it is a sum or a product."""
        if expression.is_Symbol:
            return str(expression)
        if expression.is_Add:
            return f"({' + '.join(map(self, self.ordered(expression.args)))})"
        if expression.is_Mul:
            return self.product(expression)
        if expression.is_Pow:
            return self.power(expression.base, expression.exp)
        if expression.func in (sympy.sin, sympy.cos):
            self.angles.append(self(expression.args[0]))
        if expression.func in NAMES:
            return f"{NAMES[expression.func]}({self(expression.args[0])})"
        value = float(expression)
        # Python reads this as infinity, for which there is no literal
        return repr(value) if math.isfinite(value) else ("1e999" if value > 0.0 else "-1e999")

    def ordered(self, factors: Iterable[sympy.Expr]) -> list[sympy.Expr]:
        """Return numbers first, then what does not vary, then the rest."""
        return sorted(factors, key=self.rank)

    def rank(self, expression: sympy.Expr) -> tuple[int, str]:
        """Return the sorting key of a factor or summand."""
        if expression.is_number:
            return 0, ""
        return (2 if expression.free_symbols & self.varying else 1), str(expression)

    def product(self, expression: sympy.Expr) -> str:
        """Return a quotient of two products."""
        above: list[sympy.Expr] = []
        below: list[sympy.Expr] = []
        for factor in self.ordered(expression.args):
            inverse = factor.is_Pow and factor.exp.is_number and factor.exp < 0
            (below if inverse else above).append(1 / factor if inverse else factor)
        top = " * ".join(map(self, above)) or "1.0"
        return f"({top} / ({' * '.join(map(self, below))}))" if below else f"({top})"

    def power(self, base: sympy.Expr, exponent: sympy.Expr) -> str:
        """Return a power by repeated squaring, a square root, or a general power."""
        if exponent.is_number and exponent < 0:
            return f"(1.0 / {self.power(base, -exponent)})"
        if exponent.is_number and (2 * exponent) == int(2 * exponent):
            whole, half = divmod(int(2 * exponent), 2)
            root = f"sqrt({self(base)})"
            if not whole:
                return root if half else "1.0"
            atom = base.is_Symbol or whole == 1
            name = self(base) if atom else self.assign(f"b{len(self.lines)}", base)
            source = _repeated(name, whole)
            return f"({source} * {root})" if half else f"({source})"
        return f"power({self(base)}, {self(exponent)})"


def _repeated(base: str, exponent: int) -> str:
    """Return ``base ** exponent`` as a balanced product."""
    if exponent == 1:
        return base
    half = _repeated(base, exponent // 2)
    square = f"({half} * {half})"
    return f"({square} * {base})" if exponent % 2 else square

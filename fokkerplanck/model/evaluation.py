"""Plain NumPy evaluation of expressions, the readable twin of the compiled kernels."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
import sympy
from scipy.special import ndtr

from fokkerplanck.model.functions import gaussian_cdf, gelu, relu, sigmoid, softplus, step

_FUNCTIONS: Final[dict[Any, Callable[[Any], Any]]] = {
    sympy.tanh: np.tanh,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.exp: np.exp,
    sympy.log: np.log,
    sympy.atan: np.arctan,
    sympy.Abs: np.abs,
    sympy.sign: np.sign,
    sigmoid: lambda x: np.exp(-np.logaddexp(0.0, -x)),
    softplus: lambda x: np.logaddexp(0.0, x),
    gaussian_cdf: ndtr,
    gelu: lambda x: x * ndtr(x),
    relu: lambda x: np.maximum(x, 0.0),
    step: lambda x: np.where(x > 0, 1.0, 0.0),
}


def evaluate(expression: sympy.Expr, values: Mapping[sympy.Symbol, Any]) -> Any:
    """Evaluate an expression with NumPy.

    Args:
        expression: Expression in the functions of :mod:`fokkerplanck.model.expressions`.
        values: One array or number per symbol; they broadcast together.

    Returns:
        The value, of the broadcast shape of what appears in the expression.
    """
    if expression.is_Symbol:
        return values[expression]
    if expression.is_number and not expression.args:
        return float(expression)
    arguments = [evaluate(argument, values) for argument in expression.args]
    if expression.is_Add:
        return reduce(np.add, arguments)
    if expression.is_Mul:
        return reduce(np.multiply, arguments)
    if expression.is_Pow:
        return _power(arguments[0], expression.exp, arguments[1])
    return _FUNCTIONS[expression.func](arguments[0])


def _power(base: Any, exponent: sympy.Expr, value: Any) -> Any:
    """Return ``base ** value``, by products where the exponent is whole."""
    return np.power(base, int(exponent) if exponent.is_Integer and exponent > 0 else value)


class Program:
    """Expressions prepared for many evaluations: a list of NumPy operations, each done once."""

    def __init__(self, expressions: Sequence[sympy.Expr], symbols: Sequence[sympy.Symbol]) -> None:
        """List the operations.

        Args:
            expressions: Expressions in the functions of :mod:`fokkerplanck.model.expressions`.
            symbols: Whose values will be given, in this order.
        """
        self._places: dict[sympy.Expr, int] = {s: i for i, s in enumerate(symbols)}
        self._operations: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        self._results = [self._place(expression) for expression in expressions]

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """Return the values of the expressions; the arrays of `values` broadcast together."""
        held = list(values)
        for operation, places in self._operations:
            held.append(operation(*[held[place] for place in places]))
        return [held[place] for place in self._results]

    def _place(self, expression: sympy.Expr) -> int:
        """Where the value of an expression will stand."""
        if expression not in self._places:
            operation, arguments = _operation(expression)
            places = tuple(self._place(argument) for argument in arguments)
            self._operations.append((operation, places))
            self._places[expression] = len(self._places)
        return self._places[expression]


def _operation(expression: sympy.Expr) -> tuple[Callable[..., Any], tuple[sympy.Expr, ...]]:
    """What the outermost operation does, and with which parts of the expression."""
    if expression.is_number and not expression.args:
        number = float(expression)
        return lambda: number, ()
    if expression.is_Add:
        return lambda *parts: reduce(np.add, parts), expression.args
    if expression.is_Mul:
        return lambda *parts: reduce(np.multiply, parts), expression.args
    if expression.is_Pow:
        exponent = expression.exp
        return lambda base, value: _power(base, exponent, value), expression.args
    return _FUNCTIONS[expression.func], expression.args

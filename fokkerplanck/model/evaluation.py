"""Plain NumPy evaluation of expressions, the readable twin of the compiled kernels."""

from collections.abc import Callable, Mapping
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

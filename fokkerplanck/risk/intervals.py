"""Bounds of formulas over boxes: interval arithmetic on arrays, by the formula's tree.

An interval is a pair of arrays, its ends. Rounding is not directed: what is looked for with these
bounds is larger than it by many orders.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Final

import numpy as np
import sympy
from scipy.special import ndtr

from fokkerplanck.model.functions import gaussian_cdf, gelu, relu, sigmoid, softplus, step
from fokkerplanck.runtime.arrays import Array

Interval = tuple[Array, Array]

#: Where gelu is smallest.
_GELU_LOWEST: Final = -0.7517915246935645

_INCREASING: Final = {
    sympy.tanh: np.tanh,
    sympy.exp: np.exp,
    sympy.log: lambda x: np.log(np.maximum(x, 0.0)),
    sympy.atan: np.arctan,
    sympy.sign: np.sign,
    sigmoid: lambda x: np.exp(-np.logaddexp(0.0, -x)),
    softplus: lambda x: np.logaddexp(0.0, x),
    gaussian_cdf: ndtr,
    relu: lambda x: np.maximum(x, 0.0),
    step: lambda x: np.where(x > 0, 1.0, 0.0),
}


def bounds(
    expression: sympy.Expr,
    values: Mapping[sympy.Symbol, Interval],
    known: dict[sympy.Expr, Interval] | None = None,
) -> Interval:
    """Return an interval that holds all values of an expression.

    Args:
        expression: in the functions of :mod:`fokkerplanck.model.expressions`.
        values: an interval per symbol; all arrays broadcast together.
        known: intervals of parts, which are looked up and added.
    """
    known = {} if known is None else known
    if expression in values:
        return values[expression]
    if expression not in known:
        known[expression] = _outermost(
            expression, [bounds(part, values, known) for part in expression.args]
        )
    return known[expression]


def _outermost(expression: sympy.Expr, parts: list[Interval]) -> Interval:
    """The interval of an expression from those of its arguments."""
    if not parts:
        number = np.asarray(float(expression))
        return number, number
    if expression.is_Add:
        return reduce(lambda a, b: (a[0] + b[0], a[1] + b[1]), parts)
    if expression.is_Mul:
        return reduce(product, parts)
    if expression.is_Pow:
        return _power(expression.exp, *parts)
    return function(expression.func, parts[0])


def product(a: Interval, b: Interval) -> Interval:
    """The products of two intervals; 0 times infinity is 0, the limit of what is inside."""
    corners = np.stack(np.broadcast_arrays(a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]))
    corners[np.isnan(corners)] = 0.0
    return corners.min(axis=0), corners.max(axis=0)


def function(name: Callable[..., sympy.Expr], a: Interval) -> Interval:
    """The values of a function of one argument."""
    low, high = a
    if name in _INCREASING:
        return _INCREASING[name](low), _INCREASING[name](high)
    if name is sympy.Abs:
        return _even(np.abs, low, high)
    if name is gelu:
        values = [x * ndtr(x) for x in (low, high, np.clip(_GELU_LOWEST, low, high))]
        return np.minimum(values[2], values[1]), np.maximum(values[0], values[1])
    shift = 0.0 if name is sympy.cos else 0.5 * np.pi
    return _cosine(low - shift, high - shift)


def _cosine(low: Array, high: Array) -> Interval:
    """Of the cosine: ±1 if a multiple of π of that parity lies inside."""
    at_low, at_high = np.cos(low), np.cos(high)
    turn = 2.0 * np.pi
    peak = np.floor(high / turn) >= np.ceil(low / turn)
    trough = np.floor((high - np.pi) / turn) >= np.ceil((low - np.pi) / turn)
    # Beyond this size of the argument its place in a turn is not known, and infinity has none.
    lost = ~(np.maximum(np.abs(low), np.abs(high)) < 1e12)
    return (
        np.where(trough | lost, -1.0, np.minimum(at_low, at_high)),
        np.where(peak | lost, 1.0, np.maximum(at_low, at_high)),
    )


def _even(function: Callable[[Array], Array], low: Array, high: Array) -> Interval:
    """Of an even function that increases on the right."""
    nearest = np.clip(0.0, low, high)
    return function(nearest), np.maximum(function(low), function(high))


def _power(exponent: sympy.Expr, base: Interval, power: Interval) -> Interval:
    """Of a power with any exponent."""
    if not exponent.is_number:
        logarithm = function(sympy.log, base)
        return function(sympy.exp, product(logarithm, power))
    if exponent.is_negative:
        return _inverse(_power(-exponent, base, (-power[1], -power[0])))
    value = float(exponent)
    if not exponent.is_Integer:
        low, high = np.maximum(base[0], 0.0), np.maximum(base[1], 0.0)
        return low**value, high**value
    if int(exponent) % 2:
        return base[0] ** value, base[1] ** value
    return _even(lambda x: np.abs(x) ** value, *base)


def _inverse(a: Interval) -> Interval:
    """Of ``1/a``: everything, or half of it, if zero is inside."""
    low, high = a
    inside, at_low, at_high = (low < 0) & (high > 0), low == 0, high == 0
    with np.errstate(divide="ignore"):
        return (
            np.where(inside | at_high, -np.inf, 1.0 / high),
            np.where(inside | at_low, np.inf, 1.0 / low),
        )

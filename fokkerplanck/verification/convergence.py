"""How N·value approaches its limit: the order that is seen and the second coefficient."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.study.results import Estimate, Row

#: Numbers below this need not meet the accuracy.
NEGLIGIBLE = 1e-30

#: Uncertainty up to which N·(C) counts as zero where it is not larger; p has the mass 1.
VANISHING = 1e-10

_FEWEST_DEPTHS = 3

#: Most depths through which a polynomial in 1/N is laid.
_MOST_NODES = 6


def fitted_rate(rows: Mapping[float, Row]) -> Estimate | None:
    """Order of ``|N·value − c*| ~ N^{−order}``, c* being the row at infinite depth.

    It is fitted over the `fitted_distances`; None where there are none.
    """
    gaps = fitted_distances(rows)
    if not gaps:
        return None
    line = fitted_line(np.log(list(gaps)), np.log(list(gaps.values())))
    return Estimate(-line.slope, line.slope_error)


def fitted_distances(rows: Mapping[float, Row]) -> dict[float, float]:
    """``|N·value − c*|`` by depth, increasing, for those depths that tell the order.

    Depths whose distance to the limit is not three times its uncertainty are left out, and so is
    the shallower half, where higher powers of 1/N matter. None are left where fewer than three
    would be, or where there is no limit.
    """
    limit, finite = _split(rows)
    if limit is None or limit.value <= NEGLIGIBLE:
        return {}
    distances = {N: abs(row.scaled - limit.scaled) for N, row in finite.items()}
    gaps = [
        N
        for N, row in finite.items()
        if distances[N] > 3.0 * (row.scaled_uncertainty + limit.scaled_uncertainty)
    ]
    deepest = sorted(gaps)[-max(_FEWEST_DEPTHS, len(gaps) // 2) :]
    return {N: distances[N] for N in deepest} if len(deepest) >= _FEWEST_DEPTHS else {}


def vanishes(value: float, uncertainty: float) -> bool:
    """Whether N·(C) is zero, up to rounding: whether p and p^N are the same."""
    return value <= uncertainty <= VANISHING


def second_coefficient(rows: Mapping[float, Row]) -> Estimate | None:
    """``lim N (N·value − c*)`` with a bound of its error.

    ``N (N·value − c*)`` is a smooth function of h = 1/N, see `_at_zero`. None with less than two
    depths.
    """
    limit, finite = _split(rows)
    if limit is None or limit.value <= NEGLIGIBLE:
        return None
    return _at_zero(
        {
            N: Estimate(
                N * (row.scaled - limit.scaled),
                N * (row.scaled_uncertainty + limit.scaled_uncertainty),
            )
            for N, row in finite.items()
        }
    )


def extrapolated(rows: Mapping[float, Row]) -> Estimate | None:
    """What the finite depths alone say of ``lim N·value``, with an error that is not too small.

    Polynomials in h = 1/N end at the largest depth; the error is the distance to the farthest of
    them, N·value at the largest depth among them. None with less than two depths.
    """
    _, finite = _split(rows)
    deepest = sorted(finite)[-_MOST_NODES:]
    values = {N: Estimate(finite[N].scaled, finite[N].scaled_uncertainty) for N in deepest}
    found = [
        _extrapolation({N: values[N] for N in deepest[first:]}) for first in range(len(deepest) - 1)
    ]
    if not found:
        return None
    best = min(found, key=lambda estimate: estimate.error)
    spread = max(abs(other.value - best.value) for other in (*found, values[deepest[-1]]))
    return Estimate(best.value, best.error + spread)


def _at_zero(values: Mapping[float, Estimate]) -> Estimate | None:
    """Extrapolate a function of the depth, smooth in h = 1/N, to h = 0.

    Polynomials through a few consecutive depths are evaluated there; the error of each is its
    change without the shallowest of them plus what the uncertainties make, and the best is taken.
    """
    depths = sorted(values)
    found = [
        _extrapolation({N: values[N] for N in depths[first:last]})
        for first in range(len(depths))
        for last in range(first + 2, min(first + _MOST_NODES, len(depths)) + 1)
    ]
    return min(found, key=lambda estimate: estimate.error, default=None)


def _extrapolation(values: Mapping[float, Estimate]) -> Estimate:
    """By the polynomial through all of these depths."""
    h = 1.0 / np.array(list(values))
    at_depths, errors = np.array([[each.value, each.error] for each in values.values()]).T
    weights = _weights_at_zero(h)
    value = float(weights @ at_depths)
    fewer = float(_weights_at_zero(h[1:]) @ at_depths[1:])
    return Estimate(value, abs(value - fewer) + float(np.abs(weights) @ errors))


@dataclass(frozen=True)
class Line:
    """A straight line through points by least squares."""

    slope: float
    slope_error: float  #: standard error
    residual: float  #: root of the mean square of what is left


def fitted_line(x: Array, y: Array) -> Line:
    """Least squares through at least three points with different abscissae."""
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - slope * x - intercept
    spread = float(np.sum((x - x.mean()) ** 2))
    variance = float(np.sum(residual**2)) / (len(x) - 2)
    return Line(float(slope), math.sqrt(variance / spread), float(np.sqrt(np.mean(residual**2))))


def _split(rows: Mapping[float, Row]) -> tuple[Row | None, dict[float, Row]]:
    """The limit and the finite depths."""
    return rows.get(math.inf), {N: row for N, row in rows.items() if math.isfinite(N)}


def _weights_at_zero(h: Array) -> Array:
    """Lagrange's weights of the nodes h at zero."""
    others = [np.delete(h, k) for k in range(len(h))]
    return np.array([np.prod(o / (o - own)) for own, o in zip(h, others, strict=True)])

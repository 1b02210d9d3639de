"""How N·value approaches its limit: the order that is seen and the second coefficient."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.study.results import Estimate, Row

#: Numbers below this need not meet the accuracy.
NEGLIGIBLE = 1e-30

_FEWEST_DEPTHS = 3

#: Most depths through which a polynomial in 1/N is laid.
_MOST_NODES = 6


def fitted_rate(rows: Mapping[float, Row]) -> Estimate | None:
    """Order of ``|N·value − c*| ~ N^{−order}``, c* being the row at infinite depth.

    Depths whose distance to the limit is not three times its uncertainty are left out, and so is
    the shallower half, where higher powers of 1/N matter. None where fewer than three remain, or
    where there is no limit.
    """
    limit, finite = _split(rows)
    if limit is None or limit.value <= NEGLIGIBLE:
        return None
    distances = {N: abs(row.scaled - limit.scaled) for N, row in finite.items()}
    gaps = {
        N: distances[N]
        for N, row in finite.items()
        if distances[N] > 3.0 * (row.scaled_uncertainty + limit.scaled_uncertainty)
    }
    deepest = sorted(gaps)[-max(_FEWEST_DEPTHS, len(gaps) // 2) :]
    if len(deepest) < _FEWEST_DEPTHS:
        return None
    line = fitted_line(np.log(deepest), np.log([gaps[N] for N in deepest]))
    return Estimate(-line.slope, line.slope_error)


def second_coefficient(rows: Mapping[float, Row]) -> Estimate | None:
    """``lim N (N·value − c*)`` with a bound of its error.

    ``N (N·value − c*)`` is a smooth function of h = 1/N. Polynomials through a few consecutive
    depths are evaluated at h = 0; the error of each is its change without the shallowest of them
    plus what the uncertainties make, and the best is taken. None with less than two depths.
    """
    limit, finite = _split(rows)
    if limit is None or limit.value <= NEGLIGIBLE:
        return None
    depths = sorted(finite)
    nodes = np.array(depths)
    values = np.array([N * (finite[N].scaled - limit.scaled) for N in depths])
    errors = np.array(
        [N * (finite[N].scaled_uncertainty + limit.scaled_uncertainty) for N in depths]
    )
    found = []
    for first in range(len(depths)):
        for last in range(first + 2, min(first + _MOST_NODES, len(depths)) + 1):
            weights = _weights_at_zero(1.0 / nodes[first:last])
            value = float(weights @ values[first:last])
            fewer = _weights_at_zero(1.0 / nodes[first + 1 : last]) @ values[first + 1 : last]
            shared_krylov_error = float(np.abs(weights) @ errors[first:last])
            found.append(Estimate(value, abs(value - float(fewer)) + shared_krylov_error))
    return min(found, key=lambda estimate: estimate.error, default=None)


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

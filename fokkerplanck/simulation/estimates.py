"""From sums to numbers with intervals."""

import math
from dataclasses import dataclass

import numpy as np

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.simulation.intervals import NORMAL, mean_and_error
from fokkerplanck.simulation.statistics import Sums

#: Part of the time-step correction that stays in the uncertainty: it is of the next order.
_LEFT = 0.25


@dataclass(frozen=True, eq=False)
class Curves:
    """Quantities over time, with the error of the time step taken out.

    Paths with single and with double steps tell it: means of order q are off by the change divided
    by ``2^q − 1``.
    """

    times: Array  #: shape (K,)
    values: Array  #: shape (K, n, j)
    errors: Array  #: standard errors, shape (K, n, j)
    corrections: Array  #: what has been added to the paths' own means, shape (K, n, j)

    @classmethod
    def of(
        cls, times: Array, sums: Array, changes: Array, counts: tuple[int, int], q: int
    ) -> "Curves":
        """From sums of first and second powers over the paths, and over those with both steps.

        Args:
            times: shape (K,).
            sums: of the paths, shape (K, n, j, 2).
            changes: of what halving the steps changes, of the same shape.
            counts: number of paths of either.
            q: weak order of the scheme.
        """
        mean, error = mean_and_error(sums, counts[0])
        change, spread = mean_and_error(changes, counts[1])
        factor = 1.0 / (2**q - 1)
        correction = factor * change
        return cls(times, mean + correction, np.hypot(error, factor * spread), correction)

    @property
    def uncertainties(self) -> Array:
        """Half widths of 99 % intervals."""
        return NORMAL * self.errors + _LEFT * np.abs(self.corrections)


def difference_curves(times: Array, sums: Sums, changes: Sums, q: int) -> Curves:
    """N E[θ − θ^N] by parameter and N E[V − V_N], for each depth."""
    counts = int(sums["paths"]), int(changes["paths"])
    return Curves.of(times, sums["difference"], changes["difference"], counts, q)


def risk_curves(times: Array, sums: Sums, changes: Sums, q: int) -> Curves:
    """E[V] and E[V²] of the Neural ODE and each depth."""
    counts = int(sums["paths"]), int(changes["paths"])
    powers = sums["risk"]
    first, second = powers[..., :2], powers[..., 1:]
    paired = np.stack([first, second], axis=-2)
    change = np.stack([changes["risk"], changes["risk_square"]], axis=-2)
    return Curves.of(times, paired, change, counts, q)


def largest_norm(curves: Curves, n: int, parts: slice) -> tuple[int, float, float]:
    """Place in time, value and uncertainty of the largest Euclidean norm of some of a curve."""
    sizes = np.linalg.norm(curves.values[:, n, parts], axis=-1)
    k = int(np.argmax(sizes))
    return k, float(sizes[k]), float(np.linalg.norm(curves.uncertainties[k, n, parts]))


def order(depths: tuple[float, ...], values: Array) -> float:
    """Order in 1/N from the two deepest depths."""
    if len(depths) < 2 or not np.all(values[-2:] > 0):
        return math.nan
    return float(np.log(values[-2] / values[-1]) / np.log(depths[-1] / depths[-2]))

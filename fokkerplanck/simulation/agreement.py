"""Do the paths agree with the densities? Every comparison, and Holm's verdict over all of them."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy import stats

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.simulation.estimates import Curves
from fokkerplanck.simulation.intervals import chi_square, holm
from fokkerplanck.simulation.reference import Law, Reference, annulus_probabilities
from fokkerplanck.simulation.statistics import Counters, Sums

#: Paths and densities disagree where an adjusted p-value is below.
LEVEL: Final = 1e-4

#: Laws are compared in about so many bins of equal probability.
NUM_BINS: Final = 64

#: Two-sided 95 % point of the normal law.
_USUAL: Final = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Comparison:
    """One number, or one law, of the paths beside the solver's."""

    quantity: str  #: ``mean_0``, ..., ``risk``, or the law of ``radius``, ``0``, ... or ``annulus``
    depth: float
    time: float
    p_value: float
    z: float = math.nan  #: difference in standard errors; none for laws


@dataclass(frozen=True)
class Agreement:
    """All comparisons of a run."""

    comparisons: tuple[Comparison, ...]

    @cached_property
    def adjusted(self) -> Array:
        """Holm's adjusted p-values."""
        return holm(np.array([c.p_value for c in self.comparisons]))

    @property
    def smallest(self) -> float:
        """The smallest of them."""
        return float(self.adjusted.min())

    @property
    def worst(self) -> Comparison:
        """The comparison that it belongs to."""
        return self.comparisons[int(np.argmin([c.p_value for c in self.comparisons]))]

    @property
    def holds(self) -> bool:
        """Whether none is below `LEVEL`."""
        return self.smallest >= LEVEL

    @property
    def usual(self) -> tuple[int, int]:
        """How many |z| are below 1.96, and of how many."""
        scores = [abs(c.z) for c in self.comparisons if math.isfinite(c.z)]
        return sum(z < _USUAL for z in scores), len(scores)


def compare(
    curves: Curves, sums: Sums, counters: Counters, horizon: float, reference: Reference
) -> tuple[Comparison, ...]:
    """Compare curves over time and the laws at the horizon."""
    laws = _laws(sums, counters, horizon, reference)
    return (*_scores(curves, counters, reference), *laws)


def _scores(curves: Curves, counters: Counters, reference: Reference) -> list[Comparison]:
    """Differences of the curves in standard errors, at all times and depths."""
    found = []
    places = np.searchsorted(curves.times, reference.times * (1 - 1e-12))
    for n, depth in enumerate(counters.depths):
        known = reference.depths[depth]
        gap = curves.values[places, n] - known.difference
        error = np.hypot(curves.errors[places, n], known.error)
        z = gap / error
        for k, time in enumerate(reference.times):
            for j in range(z.shape[1]):
                name = "risk" if j == z.shape[1] - 1 else f"mean_{j}"
                p = 2.0 * float(stats.norm.sf(abs(z[k, j])))
                found.append(Comparison(name, depth, float(time), p, float(z[k, j])))
    return found


def _laws(sums: Sums, counters: Counters, horizon: float, reference: Reference) -> list[Comparison]:
    """p-values of the counts at the horizon."""
    found = []
    total = int(sums["paths"])
    for n, depth in enumerate((math.inf, *counters.depths)):
        laws = reference.depths[depth].laws
        for name, law in laws.items():
            if name == "radius":
                radii = np.linspace(0.0, counters.reach, len(sums["radius"][n]) - 1)
                observed, edges = sums["radius"][n], radii
            else:
                observed, edges = sums["axis"][int(name), n], counters.axis_edges
            p = chi_square(observed, total * _bins(law, edges), max(total / NUM_BINS, 10.0))
            found.append(Comparison(name, depth, horizon, p))
        if "radius" in laws:
            masses = annulus_probabilities(laws["radius"], counters.annuli)
            p = chi_square(sums["annulus"][n], total * masses)
            found.append(Comparison("annulus", depth, horizon, p))
    return found


def _bins(law: Law, edges: Array) -> Array:
    """Probabilities of bins and of what lies beyond either end."""
    return np.diff(np.concatenate([[0.0], law(edges), [1.0]]))

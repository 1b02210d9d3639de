"""What is added up over paths: sums, counts and the largest, of a size that paths do not change."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.simulation.paths import CoupledPaths

#: Bins of N sup|θ − θ^N| in a decade, and the decades that they span; two more hold the rest.
_BINS_PER_DECADE: Final = 256
_DECADES: Final = (-9, 7)

#: Bins of each parameter and of |θ|.
LAW_BINS: Final = 512

#: How many of the largest are kept, and of how many parameters the laws.
NUM_LARGEST: Final = 512
MOST_AXES: Final = 3

Sums = dict[str, Array]


@dataclass(frozen=True)
class Counters:
    """What is counted, and in which bins."""

    depths: tuple[float, ...]  #: finite depths N
    annuli: Annuli
    exceed: tuple[float, ...]  #: ε of P(sup|θ − θ^N| > ε)

    @cached_property
    def sup_edges(self) -> Array:
        """Edges of the bins of N sup|θ − θ^N|."""
        first, last = _DECADES
        return np.logspace(first, last, (last - first) * _BINS_PER_DECADE + 1)

    @property
    def reach(self) -> float:
        """Laws are counted up to this |θ|; beyond there is one more bin."""
        return self.annuli.radius

    def count(self, paths: CoupledPaths) -> Sums:
        """The sums of some paths."""
        scale = np.array(self.depths)
        gap = (paths.states[:, :1] - paths.states[:, 1:]) * scale[:, None, None]
        lost = (paths.values[:, :1] - paths.values[:, 1:]) * scale[:, None]
        difference = np.concatenate([gap, lost[:, :, None]], axis=2)
        scaled = paths.sups * scale[:, None]
        radius = np.sqrt(np.einsum("nip,nip->np", paths.states[-1], paths.states[-1]))
        axes = paths.states[-1].swapaxes(0, 1)[:MOST_AXES]
        return {
            "paths": np.array(paths.sups.shape[1]),
            "steps": np.array(paths.steps.sum()),
            "most_steps": np.array(paths.steps.max()),
            "difference": powers(difference, (1, 2)),
            "risk": powers(paths.values, (1, 2, 4)),
            "sup": counts(scaled, self.sup_edges),
            "exceed": np.stack([(paths.sups > e).sum(axis=1) for e in self.exceed], axis=1),
            "largest": -np.sort(-scaled, axis=1)[:, :NUM_LARGEST],
            "radius": counts(radius, np.linspace(0.0, self.reach, LAW_BINS + 1)),
            "axis": np.stack([counts(x, self.axis_edges) for x in axes]),
            "annulus": counts(radius, self.annuli.edges),
        }

    @property
    def axis_edges(self) -> Array:
        """Edges of the bins of each parameter."""
        return np.linspace(-self.reach, self.reach, LAW_BINS + 1)


def changes(fine: CoupledPaths, coarse: CoupledPaths, depths: Iterable[float]) -> Sums:
    """Sums of what halving the steps changes, for `Counters` quantities and V."""
    scale = np.array(tuple(depths))

    def gap(paths: CoupledPaths) -> tuple[Array, Array]:
        lost = (paths.values[:, :1] - paths.values[:, 1:]) * scale[:, None]
        states = (paths.states[:, :1] - paths.states[:, 1:]) * scale[:, None, None]
        return np.concatenate([states, lost[:, :, None]], axis=2), paths.values

    (difference, value), (other, seen) = gap(fine), gap(coarse)
    return {
        "paths": np.array(fine.values.shape[-1]),
        "difference": powers(difference - other, (1, 2)),
        "risk": powers(value - seen, (1, 2)),
        "risk_square": powers(value**2 - seen**2, (1, 2)),
    }


def powers(values: Array, exponents: tuple[int, ...]) -> Array:
    """Sums of powers over the last axis, which is replaced by that of the exponents."""
    return np.stack([(values**k).sum(axis=-1) for k in exponents], axis=-1)


def counts(values: Array, edges: Array) -> Array:
    """How many lie in each bin, with one more at either end, shape (n, bins + 2)."""
    bins = np.searchsorted(edges, values, side="right")
    return np.stack([np.bincount(row, minlength=len(edges) + 1) for row in bins])


def added(total: Sums | None, part: Sums) -> Sums:
    """The sums of both."""
    if total is None:
        return part
    return {name: _JOINS.get(name, np.add)(total[name], part[name]) for name in total}


def _largest(one: Array, other: Array) -> Array:
    """The largest of both, descending."""
    return -np.sort(-_beside(one, other), axis=1)[:, :NUM_LARGEST]


def _beside(one: Array, other: Array) -> Array:
    return np.concatenate([one, other], axis=1)


#: How what is no sum is joined.
_JOINS: Final[dict[str, Callable[[Array, Array], Array]]] = {
    "largest": _largest,
    "most_steps": np.maximum,
    "ratio": _beside,
    "eta": _beside,
}

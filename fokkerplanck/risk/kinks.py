"""Where on the line V, V_N or the penalty are not smooth.

The mesh must meet these places: on a cell that has one inside, polynomials converge slowly, and
what a kink does between a cell end and the first Gauss point is seen by nobody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.risk.kink_tracks import NetworkTracks, PenaltyTracks, Tracks
from fokkerplanck.risk.sign_changes import Intervals, Zeros, starts_of_places, zeros
from fokkerplanck.risk.tangencies import tangencies
from fokkerplanck.risk.trajectories import Trajectories
from fokkerplanck.runtime.arrays import Array

Mask = npt.NDArray[np.bool_]

#: Depths with more arguments times samples times layers are not searched.
MOST_TRACKS: Final = 20_000

#: Points of the first grids; their cell sizes have no simple ratio.
_GRIDS: Final = (173, 211)

#: Distance over which a derivative's jump is measured, in units of the radius.
_STEP: Final = 1e-6

#: Kinks of the Neural ODE are felt by each depth, times N; beyond this one the network's own count.
_DEEP: Final = 64

#: Orders of the caps' breaks: the first derivative that jumps.
_CAP_ORDERS: Final = {"smooth": 5.0, "hard": 1.0}


@dataclass(frozen=True)
class Kinks:
    """Places where a potential is not smooth, and what is known of places that are missing."""

    points: Array  #: places, increasing, shape (K,)
    #: jump of the derivative of N·V_N there, summed over the samples, shape (K,); infinite at
    #: breaks of the cap
    strengths: Array
    orders: Array  #: first derivative that jumps, or power that is singular, shape (K,)
    #: whether cells must shrink towards the place, as for |θ|^1.5, shape (K,)
    is_fractional: Mask
    unsearched: tuple[float, ...] = ()  #: depths with too many kinks to look for
    unresolved: int = 0  #: intervals in which it stayed unclear whether there is a kink
    omitted: float = 0.0  #: sum of the strengths of kinks that were left out

    @property
    def is_complete(self) -> bool:
        """Whether each kink that a dense sample shows is among the points."""
        return not (self.unsearched or self.unresolved or self.omitted)

    def strongest(self, most: int) -> "Kinks":
        """At most so many of them, those whose derivatives jump most."""
        if len(self.points) <= most:
            return self
        kept = np.sort(np.argsort(-self.strengths, kind="stable")[:most])
        return replace(
            self,
            points=self.points[kept],
            strengths=self.strengths[kept],
            orders=self.orders[kept],
            is_fractional=self.is_fractional[kept],
            omitted=self.omitted + float(np.delete(self.strengths, kept).sum()),
        )

    def __or__(self, other: "Kinks") -> "Kinks":
        """Both together; places that agree to rounding become one."""
        places = np.concatenate([self.points, other.points])
        order = np.argsort(places, kind="stable")
        strengths = np.concatenate([self.strengths, other.strengths])[order]
        orders = np.concatenate([self.orders, other.orders])[order]
        fractional = np.concatenate([self.is_fractional, other.is_fractional])[order]
        places = places[order]
        starts = np.flatnonzero(starts_of_places(places))
        if starts.size:
            strengths = np.add.reduceat(strengths, starts)
            orders = np.minimum.reduceat(orders, starts)
            fractional = np.logical_or.reduceat(fractional, starts)
        return Kinks(
            places[starts],
            strengths,
            orders,
            fractional,
            (*self.unsearched, *other.unsearched),
            self.unresolved + other.unresolved,
            self.omitted + other.omitted,
        )


def _nowhere(unsearched: tuple[float, ...] = ()) -> Kinks:
    none = np.zeros(0)
    return Kinks(none, none, none, none.astype(bool), unsearched)


NONE: Final = _nowhere()


def kinks_on_line(
    network: Network,
    data: DataMeasure,
    cap: Cap,
    penalty: Penalty,
    depths: Sequence[float],
    radius: float,
) -> Kinks:
    """Find the kinks of V, of V_N at all depths, and of the penalty.

    Args:
        network: with one parameter.
        data: the samples.
        cap: of the parameter.
        penalty: γH.
        depths: Numbers N of layers; that of the Neural ODE is searched in any case.
        radius: of the interval ``[-radius, radius]``.
    """
    finite = sorted(int(depth) for depth in depths if not math.isinf(depth))
    common = float(min(finite[-1], _DEEP)) if finite else 1.0
    found = [_cap_kinks(cap, radius)]
    # A trajectory that leaves the double range has no kinks that anybody could use.
    with np.errstate(all="ignore"):
        found.append(_penalty_kinks(penalty, radius))
        for depth in (*finite, math.inf):
            tracks = NetworkTracks(Trajectories(network, depth), data, cap)
            found.append(_network_kinks(tracks, radius, common if math.isinf(depth) else depth))
    return reduce(Kinks.__or__, found, NONE)


def _cap_kinks(cap: Cap, radius: float) -> Kinks:
    """The breaks of the cap."""
    breaks = np.array([sign * b for b in cap.breaks for sign in (-1.0, 1.0) if b < radius])
    order = _CAP_ORDERS.get(cap.kind, math.inf)
    count = len(breaks)
    orders = np.full(count, order)
    return Kinks(np.sort(breaks), np.full(count, np.inf), orders, np.zeros(count, dtype=bool))


def _penalty_kinks(penalty: Penalty, radius: float) -> Kinks:
    tracks = PenaltyTracks(penalty)
    if not tracks.count:
        return NONE
    found = _zeros(tracks, [np.linspace(-radius, radius, count) for count in _GRIDS])

    def values(points: Array) -> Array:
        return penalty.gamma * penalty(points.reshape(-1, 1)).reshape(points.shape)

    jumps = _jumps(values(_around(found.place, radius)), radius)
    return _assembled(found, tracks, jumps)


def _network_kinks(tracks: NetworkTracks, radius: float, factor: float) -> Kinks:
    if not tracks.arguments:
        return NONE
    if tracks.count > MOST_TRACKS:
        return _nowhere((tracks.trajectories.depth,))
    found = _zeros(tracks, _grids(tracks.cap, radius))
    found = _of_samples(found, tracks)
    around = _around(found.place, radius)
    jumps = factor * _jumps(tracks.losses(found.track, around), radius)
    kinks = _assembled(found, tracks, jumps)
    if math.isinf(tracks.trajectories.depth):
        touching = tangencies(tracks, radius)
        count = len(touching)
        orders, all_of_them = np.full(count, 1.5), np.ones(count, dtype=bool)
        kinks |= Kinks(touching, np.zeros(count), orders, all_of_them)
    return kinks


def _grids(cap: Cap, radius: float) -> list[Array]:
    """The whole interval, and that part where the capped parameter moves."""
    inner = radius if cap.kind == "none" else min(radius, 3.0 * cap.radius)
    return [np.linspace(-r, r, count) for r, count in zip((radius, inner), _GRIDS, strict=True)]


def _zeros(tracks: Tracks, grids: list[Array]) -> Zeros:
    touching = np.array([argument.touching for argument in tracks.arguments])
    wanted = touching[tracks.argument_of(np.arange(tracks.count))]
    sweeps = [tracks.sweep(grid) for grid in grids]
    first = tuple(Intervals.joined([sweep[k] for sweep in sweeps]) for k in (0, 1))
    return zeros((first[0], first[1]), tracks, wanted)


def _of_samples(found: Zeros, tracks: NetworkTracks) -> Zeros:
    """One zero for each place and sample; layers of a dead neuron have theirs together."""
    sample = tracks.sample_of(found.track)
    order = np.lexsort((found.place, sample))
    kept = order[(np.diff(sample[order], prepend=-1) != 0) | starts_of_places(found.place[order])]
    return Zeros(found.track[kept], found.place[kept], found.is_double[kept], found.unresolved)


def _around(places: Array, radius: float) -> Array:
    """Each place and two points on each side, shape (K, 5)."""
    return places[:, None] + _STEP * radius * np.arange(-2.0, 3.0)


def _jumps(values: Array, radius: float) -> Array:
    """How much the derivative jumps, from values at five points, shape (K, 5): of second order."""
    stencil = np.array([-1.0, 4.0, -6.0, 4.0, -1.0]) / (2.0 * _STEP * radius)
    return np.abs(values @ stencil)


def _assembled(found: Zeros, tracks: Tracks, jumps: Array) -> Kinks:
    """Zeros of arguments as kinks, those at one place together."""
    argument_orders = np.array([argument.order for argument in tracks.arguments])
    which = tracks.argument_of(found.track)
    orders = argument_orders[which]
    orders = np.where(found.is_double, 2.0 * orders, orders)
    known = np.array([argument.is_fractional for argument in tracks.arguments])[which]
    # A double zero of u^q behaves like |u|^2q, an odd whole power of |u| for half a q.
    fractional = np.where(found.is_double & (orders > 0), orders % 1.0 != 0, known)
    return NONE | Kinks(found.place, jumps, orders, fractional, unresolved=found.unresolved)

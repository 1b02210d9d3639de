"""Where a trajectory of the Neural ODE touches a kink of its field at an inner time.

There the number of times at which an argument vanishes along the trajectory changes by two.
"""

from typing import Final

import numpy as np
import sympy

from fokkerplanck.model.expressions import component
from fokkerplanck.risk.kink_tracks import NetworkTracks
from fokkerplanck.runtime.arrays import Array, Indices

#: Bisections of an interval in which the number changes.
_HALVINGS: Final = 36

_GRID: Final = 301

#: Most values of one sweep; more samples are left to what samples the potential.
_MOST_VALUES: Final = 4_000_000


def tangencies(tracks: NetworkTracks, radius: float) -> Array:
    """Return parameters in ``[-radius, radius]`` at which a trajectory touches, shape (K,)."""
    steps = tracks.trajectories.num_steps
    if tracks.data.num_samples * _GRID * steps > _MOST_VALUES * 16:
        return np.zeros(0)
    inner = radius if tracks.cap.kind == "none" else min(radius, 3.0 * tracks.cap.radius)
    grid = np.linspace(-inner, inner, _GRID)
    found = [
        _touching(tracks, number, grid)
        for number, argument in enumerate(tracks.arguments)
        if can_touch(tracks, argument.expression)
    ]
    return np.unique(np.concatenate([*found, np.zeros(0)]))


def can_touch(tracks: NetworkTracks, argument: sympy.Expr) -> bool:
    """Whether an argument can vanish at an inner time without change of sign.

    In one dimension trajectories are monotone, and an affine function of them vanishes once.
    """
    if tracks.data.dimension > 1:
        return True
    x = component("x", 0)
    return bool(argument.diff(x, 2) != 0) if argument.has(x) else False


def _touching(tracks: NetworkTracks, argument: int, grid: Array) -> Array:
    """Where the number of zeros changes by two for some sample."""
    samples = np.repeat(np.arange(tracks.data.num_samples), len(grid))
    theta = np.tile(grid, tracks.data.num_samples)
    counts = _crossings(tracks, argument, samples, theta).reshape(-1, len(grid))
    row, column = np.nonzero(np.abs(np.diff(counts, axis=1)) >= 2)
    a, b, left = grid[column], grid[column + 1], counts[row, column]
    for _ in range(_HALVINGS if row.size else 0):
        middle = 0.5 * (a + b)
        same = _crossings(tracks, argument, row, middle) == left
        a, b = np.where(same, middle, a), np.where(same, b, middle)
    return 0.5 * (a + b)


def _crossings(tracks: NetworkTracks, argument: int, samples: Indices, points: Array) -> Indices:
    """How often an argument vanishes along the trajectories of samples at parameters, (K,)."""
    trajectories = tracks.trajectories
    theta = [tracks.capped(points)]
    before = at = None
    counts = np.zeros(len(points), dtype=np.intp)
    for states in trajectories.states(theta, tracks.data.inputs[samples].T):
        value = tracks.argument_values(argument, theta[0], states)
        if at is not None:
            counts += (np.sign(at) != np.sign(value)).astype(np.intp)
        if before is not None and at is not None:
            counts += 2 * _peaks_across(before, at, value).astype(np.intp)
        before, at = at, value
    return counts


def _peaks_across(before: Array, at: Array, after: Array) -> Array:
    """Whether the parabola through three values of one sign has the other one at its vertex."""
    bend = before - 2 * at + after
    slope = 0.5 * (after - before)
    # A vertex on the boundary of two triples must be counted once.
    inside = (slope > -0.5 * np.abs(bend)) & (slope <= 0.5 * np.abs(bend)) & (bend != 0)
    vertex = at - slope**2 / np.where(bend == 0, 1.0, 2 * bend)
    one_sign = (np.sign(before) == np.sign(at)) & (np.sign(at) == np.sign(after))
    return inside & one_sign & (np.sign(vertex) == -np.sign(at))

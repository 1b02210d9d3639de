"""Where cells end along a radius, and how many there will be."""

import itertools

import numpy as np

from fokkerplanck.runtime.arrays import Array

#: Points of an interval between spheres at which the asked size is looked at.
_NUM_SAMPLES = 129


def partition(ends: Array, radii: Array, sizes: Array) -> Array:
    """Subdivide intervals as finely as is asked.

    Args:
        ends: of the intervals, increasing.
        radii: where sizes are given, increasing.
        sizes: largest cell there, linear in between.
    """
    pieces = [ends[:1]]
    for a, b in itertools.pairwise(ends):
        fine = np.linspace(a, b, _NUM_SAMPLES)
        cells = np.concatenate([[0.0], np.cumsum(_fitting(fine, radii, sizes))])
        count = max(1, int(np.ceil(cells[-1] - 1e-9)))
        targets = np.linspace(0.0, cells[-1], count + 1)[1:-1]
        pieces += [np.interp(targets, cells, fine), ends[1:][ends[1:] == b]]
    return np.concatenate(pieces)


def num_pieces(ends: Array, radii: Array, sizes: Array) -> float:
    """Number of intervals that `partition` will make; it may be beyond all integers."""
    samples = (np.linspace(a, b, _NUM_SAMPLES) for a, b in itertools.pairwise(ends))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        counts = [max(1.0, float(np.sum(_fitting(fine, radii, sizes))) + 1.0) for fine in samples]
    return sum(counts)


def distinct(values: Array) -> Array:
    """Sorted values without those that repeat up to rounding."""
    ordered = np.sort(values)
    gap = 1e-9 * np.max(np.abs(ordered))
    return ordered[np.concatenate([[True], np.diff(ordered) > gap])]


def _fitting(fine: Array, radii: Array, sizes: Array) -> Array:
    """Number of cells, a real number, that fit between consecutive radii."""
    density = 1.0 / np.interp(fine, radii, sizes)
    return 0.5 * (density[1:] + density[:-1]) * np.diff(fine)

"""Intervals of radii, cut as finely as a size that varies with the radius asks."""

import itertools
from collections.abc import Callable

import numpy as np

from fokkerplanck.runtime.arrays import Array

#: Points of an interval between which the number of cells is integrated.
_FINE = 129

#: Values that differ by this part of the largest one are the same.
_SAME = 1e-9


def graded(ends: Array, size: Callable[[Array], Array]) -> Array:
    """Subdivide the intervals between `ends` into cells of about the size wanted there.

    Args:
        ends: increasing, all of them ends of cells, shape (n + 1,).
        size: largest cell at each of some radii.
    """
    pieces = [ends[:1]]
    for a, b in itertools.pairwise(ends):
        fine = np.linspace(a, b, _FINE)
        cells = np.concatenate([[0.0], np.cumsum(_trapezoid(fine, size))])
        count = max(1, int(np.ceil(cells[-1] - 1e-9)))
        targets = np.linspace(0.0, cells[-1], count + 1)[1:-1]
        pieces += [np.interp(targets, cells, fine), np.array([b])]
    return np.concatenate(pieces)


def num_pieces(ends: Array, size: Callable[[Array], Array]) -> float:
    """Number of intervals that `graded` will make; it may be beyond all integers."""
    samples = (np.linspace(a, b, _FINE) for a, b in itertools.pairwise(ends))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return sum(max(1.0, float(np.sum(_trapezoid(fine, size))) + 1.0) for fine in samples)


def uniform(ends: Array, size: Callable[[Array], Array]) -> Array:
    """Subdivide each interval between `ends` equally, as its smallest size asks."""
    pieces = [ends[:1]]
    for a, b in itertools.pairwise(ends):
        smallest = size(np.array([a, 0.5 * (a + b), b])).min()
        count = max(1, int(np.ceil((b - a) / smallest)))
        pieces.append(np.linspace(a, b, count + 1)[1:])
    return np.concatenate(pieces)


def distinct(values: Array) -> Array:
    """Sorted values without those that repeat up to rounding."""
    ordered = np.sort(values)
    gap = _SAME * np.max(np.abs(ordered))
    return ordered[np.concatenate([[True], np.diff(ordered) > gap])]


def _trapezoid(fine: Array, size: Callable[[Array], Array]) -> Array:
    """Number of cells, a real number, that fit between consecutive radii."""
    density = 1.0 / size(fine)
    return 0.5 * (density[1:] + density[:-1]) * np.diff(fine)

"""How many cells the faces of a cubed sphere need, so that a function is resolved in angle."""

import math
from collections.abc import Callable

import numpy as np
from scipy.fft import dct

from fokkerplanck.runtime.arrays import Array

#: Cells along an edge of the cube that are tried, in turn. Unknowns grow with their square.
COUNTS = (2, 3, 4)

#: Largest Chebyshev coefficient of V/D that is left to higher degrees of the elements, which
#: resolve it with fewer unknowns than smaller cells do.
LARGEST_TAIL = 0.1

#: Where, from -1 to 1 across a face, lines along it are looked at.
_ACROSS = np.array([-0.9, -0.3, 0.3, 0.9])


def directions_on_sphere(count: int) -> Array:
    """Nearly uniform unit vectors, shape (count, 3): a Fibonacci lattice."""
    z = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    turn = np.pi * (3.0 - math.sqrt(5.0)) * np.arange(count)
    r = np.sqrt(1.0 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)


def cells_per_edge(
    function: Callable[[Array], Array],
    radii: Array,
    degree: int,
    largest_change: float,
    refinement: float,
) -> int:
    """Cells along an edge of the cube that resolve a function as the elements will.

    On a line across a face, the Chebyshev coefficients of the function beyond twice the degree must
    be moderate in every cell.

    Args:
        function: V/D at points of shape (P, 3), or several of them, shape (j, P).
        radii: of the spheres on which the function is looked at.
        degree: of the elements.
        largest_change: of the function over a cell.
        refinement: factor by which the cells are smaller than the rules ask.
    """
    for count in COUNTS:
        if not _is_rough(function, radii, count, degree, largest_change):
            break
    return max(COUNTS[0], math.ceil(refinement * count - 1e-9))


def _is_rough(
    function: Callable[[Array], Array],
    radii: Array,
    count: int,
    degree: int,
    largest_change: float,
) -> bool:
    """Whether some cell has too large coefficients, or too large a change."""
    order = 2 * degree + 8
    nodes = np.cos(np.pi * (np.arange(order) + 0.5) / order)
    along = (2.0 * np.arange(count)[:, None] + 1.0 + nodes) / count - 1.0
    lines = _lines(along.ravel())
    points = radii[:, None, None, None] * lines
    values = function(points.reshape(-1, 3)).reshape(-1, order)
    tails = np.abs(dct(values, axis=1)[:, 2 * degree :]) / order
    return bool(np.max(tails) > LARGEST_TAIL or np.max(np.ptp(values, axis=1)) > largest_change)


def _lines(along: Array) -> Array:
    """Unit vectors on lines across the six faces in both directions, shape (48, P, 3)."""
    t, across = (np.tan(np.pi / 4 * x) for x in np.broadcast_arrays(along, _ACROSS[:, None]))
    one = np.ones_like(t)
    lines = [
        np.roll(np.stack([sign * one, *pair], axis=-1), axis, axis=-1)
        for axis in range(3)
        for sign in (-1.0, 1.0)
        for pair in ((t, across), (across, t))
    ]
    stacked = np.concatenate(lines)
    return stacked / np.linalg.norm(stacked, axis=-1, keepdims=True)

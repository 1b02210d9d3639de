"""Cells around the disk and on the faces of a cubed sphere that resolve a function in angle."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

from fokkerplanck.runtime.arrays import Array

#: Cells along an edge of the cube that are tried, in turn. Unknowns grow with their square.
COUNTS = (2, 3, 4)

#: Largest Chebyshev coefficient of V/D that is left to higher degrees of the elements, which
#: resolve it with fewer unknowns than smaller cells do.
LARGEST_TAIL = 0.1

#: Largest change of V/D over a cell in each direction.
EXPONENT_PER_CELL = 8.0

#: A cell around the disk is halved at most this often.
MAX_HALVINGS = 4

#: Directions in which a potential is looked at, and those for a function that costs nothing.
_NUM_DIRECTIONS, MANY_DIRECTIONS = 24, 720

#: Where, from -1 to 1 across a face, lines along it are looked at.
_ACROSS = np.array([-0.9, -0.3, 0.3, 0.9])


def directions(dimension: int, around: int = _NUM_DIRECTIONS) -> Array:
    """Unit vectors that sample the sphere, shape (K, m), about so many on a great circle."""
    if dimension == 1:
        return np.array([[-1.0], [1.0]])
    if dimension == 3:
        return directions_on_sphere(around**2 // 4)
    angles = 2.0 * np.pi * (np.arange(around) + 0.31) / around
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def directions_on_sphere(count: int) -> Array:
    """Nearly uniform unit vectors, shape (count, 3): a Fibonacci lattice."""
    z = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    turn = np.pi * (3.0 - math.sqrt(5.0)) * np.arange(count)
    r = np.sqrt(1.0 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)


def angular_partition(
    function: Callable[[Array], Array], radii: Array, degree: int, accuracy: float, largest: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Cells around the disk that resolve a function as the elements will.

    On a cell whose Bernstein ellipse is free of singularities the functionals of a Galerkin
    solution of degree p converge like ``ρ^{−2p}``, as the Chebyshev coefficients of the potential
    do up to order 2p. Cells are halved until these fall below the accuracy, and until V/D changes
    moderately.

    Args:
        function: V/D at points of shape (P, 2), or several of them, shape (j, P).
        radii: of the circles on which the function is looked at.
        degree: p.
        accuracy: of the function, absolute.
        largest: largest cell, as a fraction of an eighth of a turn times one half.

    Returns:
        Cell ends along the east and the north side, as `Recipe.sides` wants them.
    """
    count = math.ceil(4.0 / largest)
    sides = []
    for quarter in range(4):
        ends = np.linspace(-1.0, 1.0, count + 1)
        cells = np.stack([ends[:-1], ends[1:]], axis=1)
        for _ in range(MAX_HALVINGS):
            cells = cells[_rough_on_circles(function, radii, cells, quarter, degree, accuracy)]
            if not len(cells):
                break
            middles = cells.mean(axis=1)
            ends = np.union1d(ends, middles)
            cells = np.concatenate(
                [np.stack([cells[:, 0], middles], 1), np.stack([middles, cells[:, 1]], 1)]
            )
        sides.append(ends)
    # Ends that differ by rounding alone would make cells without an inside.
    east, north = (np.unique(np.round([*sides[q], *-sides[q + 2]], 12)) for q in (0, 1))
    return tuple(east.tolist()), tuple(north.tolist())


def _rough_on_circles(
    function: Callable[[Array], Array],
    radii: Array,
    cells: Array,
    quarter: int,
    degree: int,
    accuracy: float,
) -> npt.NDArray[np.bool_]:
    """Which of the cells (C, 2), by their ends, have rough arcs of any radius; shape (C,)."""
    middle, half = cells.mean(axis=1), 0.5 * (cells[:, 1] - cells[:, 0])
    along = middle[:, None] + half[:, None] * _chebyshev_points(degree)
    angles = np.pi / 4 * along + np.pi / 2 * quarter
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    points = radii[:, None, None, None] * circle
    values = function(points.reshape(-1, 2)).reshape(-1, *angles.shape)
    return np.any(_is_rough(values, degree, accuracy), axis=0)


def cells_per_edge(
    function: Callable[[Array], Array],
    radii: Array,
    degree: int,
    refinement: float,
) -> int:
    """Cells along an edge of the cube that resolve a function as the elements will.

    On a line across a face, the Chebyshev coefficients of the function beyond twice the degree must
    be moderate in every cell.

    Args:
        function: V/D at points of shape (P, 3), or several of them, shape (j, P).
        radii: of the spheres on which the function is looked at.
        degree: of the elements.
        refinement: factor by which the cells are smaller than the rules ask.
    """
    for count in COUNTS:
        if not _rough_on_spheres(function, radii, count, degree):
            break
    return max(COUNTS[0], math.ceil(refinement * count - 1e-9))


def _rough_on_spheres(
    function: Callable[[Array], Array], radii: Array, count: int, degree: int
) -> bool:
    """Whether some line across a face is rough in one of so many cells along it."""
    points = _chebyshev_points(degree)
    along = (2.0 * np.arange(count)[:, None] + 1.0 + points) / count - 1.0
    places = radii[:, None, None, None] * _lines(along.ravel())
    values = function(places.reshape(-1, 3)).reshape(-1, points.size)
    return bool(np.any(_is_rough(values, degree, LARGEST_TAIL)))


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


def _chebyshev_points(degree: int) -> Array:
    """Points on (-1, 1) whose values tell the Chebyshev coefficients beyond twice the degree."""
    count = 2 * degree + 8
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


def _is_rough(values: Array, degree: int, accuracy: float) -> npt.NDArray[np.bool_]:
    """Whether a function has large Chebyshev coefficients beyond twice the degree, or changes much.

    Args:
        values: at the Chebyshev points of cells, shape (..., n).
        degree: of the elements.
        accuracy: largest coefficient that may be left.
    """
    tails = np.abs(dct(values, axis=-1)[..., 2 * degree :]) / values.shape[-1]
    return (np.max(tails, axis=-1) > accuracy) | (np.ptp(values, axis=-1) > EXPONENT_PER_CELL)

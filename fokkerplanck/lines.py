"""Quadrature along straight lines through the disk, split where they cross its spheres."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fokkerplanck.mesh import Recipe

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: Gauss points on a piece of a line, which is no longer than a cell.
_POINTS = 12


def line_rule(recipe: Recipe, axis: int, positions: Array) -> tuple[Array, Array, Indices]:
    """Gauss rules on the lines ``θ_axis = position`` inside the disk.

    Args:
        recipe: the recipe of the disk.
        axis: the coordinate that is constant along a line.
        positions: its values, shape (G,).

    Returns:
        Points (Q, 2), weights (Q,) and the index of the line of each point (Q,).
    """
    legendre, weights = np.polynomial.legendre.leggauss(_POINTS)
    pieces = [_pieces(recipe, abs(float(position))) for position in positions]
    line = np.repeat(np.arange(len(positions)), [len(ends) - 1 for ends in pieces])
    left = np.concatenate([ends[:-1] for ends in pieces] or [np.empty(0)])
    right = np.concatenate([ends[1:] for ends in pieces] or [np.empty(0)])
    half = 0.5 * (right - left)
    along = 0.5 * (left + right)[:, None] + half[:, None] * legendre
    points = np.empty((along.size, 2))
    points[:, axis] = np.repeat(positions[line], _POINTS)
    points[:, 1 - axis] = along.ravel()
    return points, (half[:, None] * weights).ravel(), np.repeat(line, _POINTS)


def _pieces(recipe: Recipe, offset: float) -> Array:
    """Ends of the pieces of a line at a distance from the origin: symmetric, increasing."""
    crossed = recipe.spheres[recipe.spheres > offset]
    if not len(crossed):
        return np.zeros(1)
    ends = np.concatenate([[0.0], np.sqrt(crossed**2 - offset**2)])
    radii, sizes = np.array(recipe.sizes).T
    fine = [0.0]
    for left, right in pairwise(ends):
        size = np.interp(np.hypot(offset, [left, 0.5 * (left + right), right]), radii, sizes).min()
        count = max(1, int(np.ceil((right - left) / size)))
        fine.extend(np.linspace(left, right, count + 1)[1:])
    half = np.array(fine)
    return np.concatenate([-half[:0:-1], half])

"""Quadrature over sections of the ball: lines and planes, split where they cross its spheres."""

from itertools import pairwise

import numpy as np

from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.runtime.arrays import Array, Indices

#: Gauss points on a piece of a line, which is no longer than a cell.
_POINTS = 12

#: Points around, in planes, for each of the recipe's sectors.
_POINTS_AROUND = 12


def section_rule(
    recipe: Recipe, fixed: tuple[int, ...], positions: Array
) -> tuple[Array, Array, Indices]:
    """Rules on the sections ``θ_fixed = position`` of the ball: lines, or planes in polar form.

    Args:
        recipe: the recipe of the disk or ball.
        fixed: the coordinates that are constant on a section.
        positions: their values, shape (G, len(fixed)).

    Returns:
        Points (Q, m), weights (Q,) and the index of the section of each point (Q,).
    """
    m = 2 if recipe.family == "disk" else 3
    free = [axis for axis in range(m) if axis not in fixed]
    legendre, weights = np.polynomial.legendre.leggauss(_POINTS)
    pieces = [_pieces(recipe, float(offset)) for offset in np.linalg.norm(positions, axis=1)]
    section = np.repeat(np.arange(len(positions)), [len(ends) - 1 for ends in pieces])
    left = np.concatenate([ends[:-1] for ends in pieces] or [np.empty(0)])
    right = np.concatenate([ends[1:] for ends in pieces] or [np.empty(0)])
    half = 0.5 * (right - left)
    radii = (0.5 * (left + right)[:, None] + half[:, None] * legendre).ravel()
    section, weight = np.repeat(section, _POINTS), (half[:, None] * weights).ravel()
    if len(free) == 1:
        around = np.array([[1.0], [-1.0]])
    else:
        # The rule of equal angles converges as fast as the density is smooth.
        angles = 2.0 * np.pi * np.arange(_POINTS_AROUND * recipe.sectors)
        angles /= _POINTS_AROUND * recipe.sectors
        around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        weight = weight * radii * 2.0 * np.pi / len(angles)
    points = np.empty((len(radii), len(around), m))
    points[..., free] = radii[:, None, None] * around
    points[..., fixed] = positions[section][:, None, :]
    count = len(around)
    return points.reshape(-1, m), np.repeat(weight, count), np.repeat(section, count)


def _pieces(recipe: Recipe, offset: float) -> Array:
    """Ends of the pieces of a ray in a section at a distance from the origin, increasing."""
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
    return np.array(fine)

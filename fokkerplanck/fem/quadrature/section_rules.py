"""Quadrature over sections of the ball: lines and planes, split where they cross its spheres."""

import numpy as np

from fokkerplanck.fem.gauss import gauss_line
from fokkerplanck.mesh.radial import uniform
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
    radii, weights, section = _rays(recipe, np.linalg.norm(positions, axis=1))
    around = np.array([[1.0], [-1.0]])
    if len(free) == 2:
        around = _circle(_POINTS_AROUND * recipe.sectors)
        weights = weights * radii * 2.0 * np.pi / len(around)
    points = np.empty((len(radii), len(around), m))
    points[..., free] = radii[:, None, None] * around
    points[..., fixed] = positions[section][:, None, :]
    count = len(around)
    return points.reshape(-1, m), np.repeat(weights, count), np.repeat(section, count)


def _circle(count: int) -> Array:
    """Unit vectors at equal angles; the rule converges as fast as the density is smooth."""
    angles = 2.0 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _rays(recipe: Recipe, offsets: Array) -> tuple[Array, Array, Indices]:
    """Distances from the middle of each section, their weights, and whose they are, (R,) each."""
    nodes, weights = gauss_line(_POINTS)
    pieces = [_pieces(recipe, float(offset)) for offset in offsets]
    section = np.repeat(np.arange(len(offsets)), [len(ends) - 1 for ends in pieces])
    left = np.concatenate([ends[:-1] for ends in pieces] or [np.empty(0)])[:, None]
    right = np.concatenate([ends[1:] for ends in pieces] or [np.empty(0)])[:, None]
    radii = left + (right - left) * nodes
    return radii.ravel(), ((right - left) * weights).ravel(), np.repeat(section, _POINTS)


def _pieces(recipe: Recipe, offset: float) -> Array:
    """Ends of the pieces of a ray in a section at a distance from the origin, increasing."""
    crossed = recipe.spheres[recipe.spheres > offset]
    if not len(crossed):
        return np.zeros(1)
    ends = np.concatenate([[0.0], np.sqrt(crossed**2 - offset**2)])
    return uniform(ends, lambda along: recipe.size_at(np.hypot(offset, along)))

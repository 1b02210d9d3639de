"""The densities at the horizon as fields: on grids for figures, on cells for ParaView."""

from itertools import combinations
from pathlib import Path

import numpy as np

from fokkerplanck.difference.discretisation import log_bound_weight
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.difference.reported_density import ReportedDensity
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.solution.field import Field
from fokkerplanck.solution.vtkhdf import EquispacedCells, check_suffix, log10, write_fields
from fokkerplanck.study.results import GridFunction, GridFunctions

#: Points along an axis, by dimension: of the density, or its marginals, and of the weighted error.
_DENSITY_PIXELS = {1: 801, 2: 161, 3: 33}
_ERROR_PIXELS = {1: 1601, 2: 241, 3: 81}

#: Standard deviations that the pictures of the density show to each side.
_DEVIATIONS = 6.0


def grid_functions(solution: PairSolution) -> GridFunctions:
    """The density and the weighted density error at the horizon. Collective.

    Of three parameters the density is integrated over each one in turn, and the error is that on
    the three planes through the origin.
    """
    time = solution.horizon
    radius = solution.discretisation.space.domain.annuli.radius
    density, difference = solution.nodal_density(time), solution.difference(time)

    def error(points: Array) -> Array:
        weight = np.exp(log_bound_weight(solution.discretisation.penalty, points))
        return weight * np.abs(difference.values(points))

    grid = np.linspace(-radius, radius, _ERROR_PIXELS[density.dimension])
    errors = []
    for axes in _planes(density.dimension):
        values = np.full((len(grid),) * len(axes), np.nan)
        points = np.zeros((*values.shape, density.dimension))
        points[..., list(axes)] = _lattice(grid, len(axes))
        inside = np.linalg.norm(points, axis=-1) <= radius
        values[inside] = error(points[inside])
        errors.append(GridFunction(axes, grid, values))
    return GridFunctions(solution.depth, shown_density(density, radius), tuple(errors))


def shown_density(density: Field, radius: float) -> tuple[GridFunction, ...]:
    """The density, or its marginals onto two axes, where most of the mass is. Collective.

    Beyond the radius, and of three parameters beyond the deviations shown, it counts as 0.

    The sums over equispaced points converge faster than any power of their distance, which is at
    most 0.4 standard deviations where all the mass is about the origin.
    """
    m = density.dimension
    mean, deviations = _moments(density)
    reach = np.abs(mean) + _DEVIATIONS * deviations
    half = min(radius, float(np.max(reach)))
    grid = np.linspace(-half, half, _DENSITY_PIXELS[m])
    points = _lattice(grid, m)
    inside = np.linalg.norm(points, axis=-1) <= (half if m == 3 else radius)
    values = np.zeros(inside.shape)
    values[inside] = density.values(points[inside])
    if m < 3:
        return (GridFunction(tuple(range(m)), grid, values),)
    step = grid[1] - grid[0]
    return tuple(
        GridFunction(axes, grid, step * values.sum(axis=({0, 1, 2} - set(axes)).pop()))
        for axes in _planes(m)
    )


def write_solution(solution: PairSolution, coarse: PairSolution, out: Path) -> None:
    """Write the densities of a study at the horizon, with the region of each cell. Collective.

    Args:
        solution: ``density`` is p^N with its ``density_uncertainty``, ``difference`` is
            ``N(p − p^N)`` and ``weighted_error`` is ``N e^{γH/4} |p − p^N|``; ``log_density`` and
            ``log_weighted_error`` are ``log10`` of absolute values. For the limit N → ∞ they are p
            and its sharp limits.
        coarse: the companion, by which the density is judged.
        out: file that ends in ``.vtkhdf``; its folder is made, and all ranks write.

    Raises:
        ValueError: the path ends otherwise.
        OSError: the file cannot be written.
    """
    check_suffix(out)
    reported = ReportedDensity.of(solution, coarse)
    density = reported.density
    cells = EquispacedCells.of(density)
    values = density.in_all_cells(cells.reference)
    difference = solution.difference(solution.horizon).in_all_cells(cells.reference)
    weight = np.exp(log_bound_weight(solution.discretisation.penalty, cells.points))
    error = weight * np.abs(difference)
    fields = {
        "density": values,
        "density_uncertainty": reported.uncertainty_in_all_cells(cells.reference),
        "log_density": log10(values),
        "difference": difference,
        "weighted_error": error,
        "log_weighted_error": log10(error),
    }
    write_fields(cells, fields, out)


def _moments(density: Field) -> tuple[Array, Array]:
    """Mean and standard deviations, shape (m,) each. Collective."""
    mean = density.weighted(lambda points: points)
    return mean, np.sqrt(density.weighted(lambda points: (points - mean) ** 2))


def _planes(dimension: int) -> tuple[tuple[int, ...], ...]:
    """The axes of each grid function."""
    return tuple(combinations(range(dimension), min(dimension, 2)))


def _lattice(grid: Array, dimension: int) -> Array:
    """Points of a product grid, shape (n, ..., n, dimension)."""
    return np.stack(np.meshgrid(*(grid,) * dimension, indexing="ij"), axis=-1)

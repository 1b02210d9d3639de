"""In which cell a point lies, and where: curved cells of any degree."""

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from fokkerplanck.fem.cells import CellMap
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.runtime.arrays import Array, Indices

#: Reference coordinates may leave the unit interval by this much.
TOLERANCE = 1e-10

#: Cells bulge out of the bounding box of their geometry nodes by less than this part of its size.
_PADDING = 0.1

#: Points whose bounding boxes are compared at once.
_CHUNK = 4096

_MAX_ITERATIONS = 30

#: Newton's method converges quadratically, so that after such a step it is at rounding.
_STEP = 1e-11


@dataclass(frozen=True)
class Location:
    """The points that lie in cells of this rank."""

    index: Indices  #: which of the points, increasing, shape (k,)
    cells: Indices  #: owned local cells, shape (k,)
    reference: Array  #: reference coordinates in the unit interval or square, shape (k, m)


def locate(domain: Domain, points: Array) -> Location:
    """Find the cells that hold points. Collective.

    A point on a facet belongs to the lowest cell of the lowest rank that has it, so that every
    point of the domain lies in one cell of one rank.

    Args:
        domain: the meshed ball.
        points: shape (P, m), the same on every rank.

    Raises:
        ValueError: the points have a wrong shape or are not finite.
    """
    _check(domain, points)
    cell_map = CellMap.of(domain)
    starts = range(0, max(len(points), 1), _CHUNK)
    parts = [_locate_local(cell_map, points[i : i + _CHUNK], i) for i in starts]
    index, cells, reference = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    owner = np.full(len(points), domain.comm.size, dtype=np.int32)
    owner[index] = domain.comm.rank
    domain.comm.Allreduce(MPI.IN_PLACE, owner, op=MPI.MIN)
    mine = owner[index] == domain.comm.rank
    return Location(index[mine], cells[mine], reference[mine])


def _check(domain: Domain, points: Array) -> None:
    """The same points come on every rank, so that all ranks raise or none."""
    if points.ndim != 2 or points.shape[1] != domain.dimension:
        raise ValueError(
            f"points must have the shape (num_points, {domain.dimension}), got {points.shape}"
        )
    if not np.all(np.isfinite(points)):
        raise ValueError("points must be finite, got inf or nan")


def _locate_local(cell_map: CellMap, points: Array, first: int) -> tuple[Indices, Indices, Array]:
    """Those of the points that lie in owned cells: index plus `first`, cell, reference."""
    index, cells = _candidates(cell_map, points)
    reference = invert(cell_map, cells, points[index])
    hit = np.all(np.abs(reference - 0.5) <= 0.5 + TOLERANCE, axis=1)
    index, cells, reference = index[hit], cells[hit], np.clip(reference[hit], 0.0, 1.0)
    # Candidates are sorted by point, then by cell: the lowest cell comes first.
    _, unique = np.unique(index, return_index=True)
    return index[unique] + first, cells[unique], reference[unique]


def _candidates(cell_map: CellMap, points: Array) -> tuple[Indices, Indices]:
    """Pairs of a point and a cell whose padded bounding box holds it."""
    low, high = cell_map.nodes.min(axis=1), cell_map.nodes.max(axis=1)
    pad = _PADDING * np.max(high - low, axis=1, keepdims=True)
    low, high = low - pad, high + pad
    inside = np.ones((len(points), len(low)), dtype=bool)
    for axis in range(points.shape[1]):
        column = points[:, axis, None]
        inside &= (column >= low[:, axis]) & (column <= high[:, axis])
    index, cells = np.nonzero(inside)
    return index, cells


def invert(cell_map: CellMap, cells: Indices, points: Array) -> Array:
    """Reference coordinates (P, m) of points (P, m) in given cells, by Newton's method.

    Rows are nan for points outside the cell as soon as that is clear, for most cells that are
    asked lie next to the right one: Newton's errors fall, so that the point is farther away than
    the last step only where the cell does not have it.
    """
    degree, place = cell_map.element.degree, cell_map.element.place
    ticks = np.unravel_index(place, (degree + 1,) * points.shape[1])
    coarse = np.flatnonzero(np.all(np.isin(ticks, [0, degree // 2, degree]), axis=0))
    distance = np.linalg.norm(cell_map.nodes[:, coarse][cells] - points[:, None, :], axis=2)
    reference = cell_map.reference_nodes[coarse[np.argmin(distance, axis=1)]]
    active = np.arange(len(points))
    for _ in range(_MAX_ITERATIONS):
        images, jacobians = cell_map(cells[active], reference[active])
        jacobians[np.linalg.det(jacobians) == 0.0] = np.eye(points.shape[1])
        step = np.linalg.solve(jacobians, (points[active] - images)[..., None])[..., 0]
        # Far from the cell its polynomial map means nothing: stay near it.
        moved = np.clip(reference[active] + step, -1.0, 2.0)
        length = np.max(np.abs(step), axis=1)
        outside = np.max(np.abs(moved - 0.5), axis=1) - 0.5 > np.maximum(length, TOLERANCE)
        reference[active] = np.where(outside[:, None], np.nan, moved)
        active = active[~outside & (length > _STEP)]
        if not len(active):
            break
    reference[active] = np.nan
    return reference

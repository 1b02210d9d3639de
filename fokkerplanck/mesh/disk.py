"""The O-grid of the disk: a square core, a layer that blends it into a circle, then rings."""

import numpy as np
import numpy.typing as npt

from fokkerplanck.runtime.arrays import Array


def ogrid_nodes(
    reference: Array,
    half: float,
    first: float,
    sides: tuple[Array, Array],
    layers: Array,
    rings: Array,
) -> Array:
    """Geometry nodes of the cells, shape (C, num_nodes, 2).

    Args:
        reference: nodes of the reference cell, shape (num_nodes, 2).
        half: half side of the square core.
        first: radius of the innermost circle.
        sides: cell ends along the east and the north side, from -1 to 1 in units of an eighth of a
            turn; the other sides mirror them.
        layers: ends, from `half` to `first`, of the layers around the core.
        rings: radii of the rings, from `first` on.
    """
    east, north = sides
    # The east side runs along y, the north side against x.
    x, y = half * -north[::-1], half * east
    blends = (layers - half) / (first - half)
    return np.concatenate(
        [_boxes(x, y, reference)]
        + [
            cells
            for quarter, side in enumerate([east, north, -east[::-1], -north[::-1]])
            for cells in (
                _sector(reference, blends, side, half, first, quarter),
                _sector(reference, rings / first, side, 0.0, first, quarter),
            )
        ]
    )


def _boxes(x: Array, y: Array, reference: Array) -> Array:
    """Cells of a tensor grid, shape (C, num_nodes, 2)."""
    corner = np.stack(np.meshgrid(x[:-1], y[:-1], indexing="ij"), axis=-1).reshape(-1, 1, 2)
    extent = np.stack(np.meshgrid(np.diff(x), np.diff(y), indexing="ij"), axis=-1)
    return corner + extent.reshape(-1, 1, 2) * reference


def _sector(
    reference: Array, steps: Array, side: Array, half: float, first: float, quarter: int
) -> Array:
    """Cells between ``(1 − s) square + s circle`` for consecutive `steps` s, on one side.

    The square has half side `half`, the circle radius `first`. With ``half = 0`` the curves are
    circles of radius ``s·first``. The side is the east one, turned by quarters of a turn.
    """
    along = side[:-1, None] + np.diff(side)[:, None] * reference[:, 1]
    circle = first * np.stack([np.cos(np.pi / 4 * along), np.sin(np.pi / 4 * along)], axis=-1)
    square = half * np.stack([np.ones_like(along), along], axis=-1)
    s = (steps[:-1, None] + np.diff(steps)[:, None] * reference[:, 0])[:, None, :, None]
    east = ((1.0 - s) * square + s * circle).reshape(-1, *reference.shape)
    c, d = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
    return east @ np.array([[c, d], [-d, c]])


def glue(nodes: Array, tolerance: float) -> tuple[Array, npt.NDArray[np.int64]]:
    """Number the nodes of shape (C, n, m), the same number where they coincide."""
    flat = nodes.reshape(-1, nodes.shape[-1])
    # An irrational grid: no node of a regular mesh lies half way between two grid points.
    keys = np.round(flat / (tolerance * np.sqrt(2.0))).astype(np.int64)
    _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return flat[first], number.reshape(nodes.shape[:2]).astype(np.int64)

"""The cubed sphere: hexahedra that fill a ball, numbered by arithmetic alone.

A cube core, layers that blend the cube into the innermost sphere, then shells. All nodes belong to
one lattice: (i, j, k) in the core, and a level with a place on the cube's surface outside it. So
any rank computes any part of the cells and nodes without the others.
"""

from dataclasses import dataclass
from functools import cached_property

import basix
import numpy as np

from fokkerplanck.runtime.arrays import Array, Indices


@dataclass(frozen=True)
class CubedSphere:
    """Nodes and cells of a ball.

    The cells of a face of the cube end where its two axes say, in the angles ``π t/4`` on spheres.
    """

    half: float  #: half side of the cube core
    radii: Array  #: of the shells' spheres, increasing, the innermost sphere first
    blends: Array  #: of the layers around the core: from 0, the cube, to 1, the innermost sphere
    sides: tuple[Array, Array, Array]  #: cell ends along each axis, from -1 to 1
    degree: int  #: of the cells

    @cached_property
    def _ticks(self) -> Array:
        """Gauss–Lobatto–Legendre points on (0, 1), increasing, shape (degree + 1,)."""
        variant = basix.LagrangeVariant.gll_warped
        interval = basix.CellType.interval
        element = basix.create_element(basix.ElementFamily.P, interval, self.degree, variant)
        return np.sort(element.points[:, 0])

    @cached_property
    def _counts(self) -> Indices:
        """Cells along each axis of the cube, shape (3,)."""
        return np.array([len(ends) - 1 for ends in self.sides])

    @cached_property
    def _steps(self) -> Indices:
        """Lattice steps M along each axis of the cube, shape (3,)."""
        return self.degree * self._counts

    @property
    def _num_layers(self) -> int:
        """Layers of cells around the core, shells included."""
        return len(self.blends) + len(self.radii) - 2

    @property
    def _num_core(self) -> int:
        return int(np.prod(self._steps + 1))

    @property
    def _num_surface(self) -> int:
        """Lattice points on the cube's surface."""
        a, b, c = self._steps.tolist()
        return int(2 * (a * b + b * c + c * a) + 2)

    @cached_property
    def _face_starts(self) -> Indices:
        """Number of the first cell of each face in a layer, and their sum, shape (7,)."""
        sizes = [self._counts[(axis + 1) % 3] * self._counts[(axis + 2) % 3] for axis in range(3)]
        return np.concatenate([[0], np.cumsum(np.repeat(sizes, 2))])

    @property
    def num_nodes(self) -> int:
        """Nodes of the whole mesh."""
        return self._num_core + self._num_layers * self.degree * self._num_surface

    @property
    def num_cells(self) -> int:
        """Cells of the whole mesh."""
        return int(np.prod(self._counts) + self._num_layers * self._face_starts[-1])

    def nodes(self, numbers: Indices) -> Array:
        """Coordinates, shape (P, 3), of the nodes with these numbers."""
        points = np.empty((len(numbers), 3))
        core = numbers < self._num_core
        place = np.stack(np.unravel_index(numbers[core], tuple(self._steps + 1)), axis=1)
        points[core] = self.half * self._along(place)
        level, surface = np.divmod(numbers[~core] - self._num_core, self._num_surface)
        along = self._along(self._surface_place(surface))
        slopes = np.tan(np.pi / 4 * along)
        unit = slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
        blend, radius = self._layer_ends(level + 1)
        cube = self.half * along
        points[~core] = (1.0 - blend) * cube + blend * radius * unit
        return points

    def cells(self, numbers: Indices, reference: Array) -> Indices:
        """Node numbers of the cells with these numbers, shape (C, n).

        Args:
            numbers: shape (C,).
            reference: the cell's nodes in the unit cube, shape (n, 3).
        """
        local = np.abs(reference[..., None] - self._ticks).argmin(axis=2)
        num_inner = int(np.prod(self._counts))
        inner, outer = numbers[numbers < num_inner], numbers[numbers >= num_inner] - num_inner
        corner = self.degree * np.stack(np.unravel_index(inner, tuple(self._counts)), axis=1)
        core = self._core_number(corner[:, None] + local)
        layer, in_layer = np.divmod(outer, self._face_starts[-1])
        face = np.searchsorted(self._face_starts, in_layer, side="right") - 1
        across = self._counts[(face // 2 + 2) % 3]
        a, b = np.divmod(in_layer - self._face_starts[face], across)
        level = (self.degree * layer)[:, None] + local[:, 0]
        first = (self.degree * a)[:, None] + local[:, 1]
        second = (self.degree * b)[:, None] + local[:, 2]
        place = self._face_place(face[:, None], first, second)
        shell = self._num_core + (level - 1) * self._num_surface + self._surface_number(place)
        return np.concatenate([core, np.where(level > 0, shell, self._core_number(place))])

    def _along(self, place: Indices) -> Array:
        """Coordinates -1 <= t <= 1 of lattice places (P, 3), same shape."""
        return np.stack(
            [
                self._axis_points(ends)[column]
                for ends, column in zip(self.sides, place.T, strict=True)
            ],
            axis=1,
        )

    def _axis_points(self, ends: Array) -> Array:
        """Coordinates of all lattice points along an axis, by the ends of its cells."""
        inside = ends[:-1, None] + np.diff(ends)[:, None] * self._ticks[:-1]
        return np.concatenate([inside.ravel(), ends[-1:]])

    def _layer_ends(self, level: Indices) -> tuple[Array, Array]:
        """Blend between cube and sphere, and radius, of levels; shapes (P, 1)."""
        layer, tick = np.divmod(level - 1, self.degree)
        fraction = self._ticks[tick + 1]
        blends = np.concatenate([self.blends, np.ones(len(self.radii) - 1)])
        radii = np.concatenate([np.full(len(self.blends) - 1, self.radii[0]), self.radii])
        return tuple(
            (ends[layer] + fraction * (ends[layer + 1] - ends[layer]))[:, None]
            for ends in (blends, radii)
        )

    def _core_number(self, place: Indices) -> Indices:
        """Numbers of lattice points (..., 3) of the core."""
        return np.ravel_multi_index(tuple(np.moveaxis(place, -1, 0)), tuple(self._steps + 1))

    @staticmethod
    def _turned(face: Indices, normal: Indices, first: Indices, second: Indices) -> Indices:
        """Lattice points (..., 3) from coordinates along the normal and in the face."""
        axis = face // 2
        shape = np.broadcast_shapes(face.shape, first.shape)
        place = np.empty((*shape, 3), dtype=np.int64)
        for shift, values in enumerate((normal, first, second)):
            np.put_along_axis(
                place,
                np.broadcast_to((axis + shift) % 3, shape)[..., None],
                np.broadcast_to(values, shape)[..., None],
                axis=-1,
            )
        return place

    def _face_place(self, face: Indices, first: Indices, second: Indices) -> Indices:
        """Lattice points on faces 0..5: low and high end of each axis in turn.

        On low ends the first coordinate runs backwards, so that all cells have one orientation.
        """
        high, axis = face % 2 == 1, face // 2
        backwards = self._steps[(axis + 1) % 3] - first
        return self._turned(
            face, np.where(high, self._steps[axis], 0), np.where(high, first, backwards), second
        )

    @property
    def _rim(self) -> "_Rim":
        """What the surface has of the planes between the first and the last one."""
        _, M, N = self._steps.tolist()
        return _Rim(M, N)

    @property
    def _surface_starts(self) -> tuple[int, int]:
        """Numbers of the first point of the second plane, and of the first one of the last plane.

        The surface by planes of constant i, from 0 to L; all points of the first and of the last
        one belong to it, of those between the rim alone::

             i = 0        0 < i < L       i = L
            o o o o o     o o o o o     o o o o o     k = N
            o o o o o     o       o     o o o o o
            o o o o o     o       o     o o o o o
            o o o o o     o o o o o     o o o o o     k = 0
            j = 0   M
        """
        L, M, N = self._steps.tolist()
        second = (M + 1) * (N + 1)
        return second, second + (L - 1) * self._rim.size

    def _surface_number(self, place: Indices) -> Indices:
        """Numbers of lattice points (..., 3) among those on the surface, by i, then j, then k."""
        L, _, N = self._steps
        i, j, k = np.moveaxis(place, -1, 0)
        second, last = self._surface_starts
        in_full_plane = j * (N + 1) + k
        between = second + (i - 1) * self._rim.size + self._rim.number(j, k)
        return np.select([i == 0, i < L], [in_full_plane, between], last + in_full_plane)

    def _surface_place(self, number: Indices) -> Indices:
        """Lattice points (P, 3) of numbers on the surface: the inverse of `_surface_number`."""
        L, _, N = self._steps
        second, last = self._surface_starts
        planes = [number < second, number < last]
        before, on_rim = np.divmod(number - second, self._rim.size)
        j, k = self._rim.place(on_rim)
        low, high = np.divmod(number, N + 1), np.divmod(number - last, N + 1)
        return np.stack(
            [
                np.select(planes, [0, before + 1], L),
                np.select(planes, [low[0], j], high[0]),
                np.select(planes, [low[1], k], high[1]),
            ],
            axis=1,
        )


@dataclass(frozen=True)
class _Rim:
    """The points (j, k) on the rim of ``0..M × 0..N``, numbered by j, then k.

    With M = 4 and N = 3 they are::

        k = 3    3   5   7   9  13
                 2              12
                 1              11
        k = 0    0   4   6   8  10
               j = 0           j = 4
    """

    M: int
    N: int

    @property
    def size(self) -> int:
        """Number of points."""
        return 2 * (self.M + self.N)

    @property
    def _last_column(self) -> int:
        """Number of the point (M, 0)."""
        return self.size - (self.N + 1)

    def number(self, j: Indices, k: Indices) -> Indices:
        """Numbers of points; whatever for points inside."""
        pairs = (self.N + 1) + 2 * (j - 1) + (k == self.N)
        return np.select([j == 0, j < self.M], [k, pairs], self._last_column + k)

    def place(self, number: Indices) -> tuple[Indices, Indices]:
        """The points j and k of numbers."""
        column, is_high = np.divmod(number - (self.N + 1), 2)
        columns = [number <= self.N, number < self._last_column]
        j = np.select(columns, [0, column + 1], self.M)
        k = np.select(columns, [number, is_high * self.N], number - self._last_column)
        return j, k

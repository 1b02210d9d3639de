"""Meshes of the ball ``B(radius)`` with facets on every sphere that matters.

A `Recipe` is plain numbers; `Recipe.build` turns it into a `Domain`. The interval (m = 1) has its
cell ends on the spheres. The disk (m = 2) is an O-grid: a square core, a layer that blends the
square into the innermost circle, then rings; its cells are curved, with the geometry interpolated
at Gauss–Lobatto–Legendre points, so that the circles are met to rounding.
"""

import itertools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

import basix
import basix.ufl
import dolfinx.mesh
import numpy as np
import numpy.typing as npt
import ufl
from mpi4py import MPI

from fokkerplanck.annuli import Annuli

Array = npt.NDArray[np.float64]
Family = Literal["interval", "disk"]

#: The layer of cells around the square core starts at this fraction of the innermost circle.
_CORE_FRACTION = 0.5


@dataclass(frozen=True)
class Domain:
    """A meshed ball and the regions that its cells belong to.

    No cell crosses a sphere between regions, or one of the recipe's breaks.
    """

    mesh: dolfinx.mesh.Mesh
    recipe: "Recipe"
    regions: npt.NDArray[np.int32]  #: region of each local cell (owned, then ghosts)

    @property
    def annuli(self) -> Annuli:
        """The dyadic annuli that the cells resolve."""
        return self.recipe.annuli

    @property
    def dimension(self) -> int:
        """Number of parameters m."""
        return int(self.mesh.geometry.dim)

    @property
    def comm(self) -> MPI.Comm:
        """Communicator of the mesh."""
        return self.mesh.comm

    @property
    def num_owned_cells(self) -> int:
        """Cells that this rank owns; they come first in every array over cells."""
        return int(self.mesh.topology.index_map(self.mesh.topology.dim).size_local)


@dataclass(frozen=True)
class Recipe:
    """The numbers that define a mesh of ``B(radius)``.

    Raises:
        ValueError: a number is out of range, or the ball does not hold the annuli.
    """

    family: Family
    annuli: Annuli
    radius: float  #: outer radius
    breaks: tuple[float, ...] = ()  #: further radii of spheres that no cell crosses
    points: tuple[float, ...] = ()  #: further cell ends (interval only)
    sizes: tuple[tuple[float, float], ...] = ((0.0, 0.5),)  #: (radius, largest radial cell size)
    sectors: int = 16  #: equal cells around (disk only); a multiple of 4
    #: Cell ends along the east and the north side instead of equal cells, from -1 to 1 in units of
    #: an eighth of a turn (disk only). The west and the south side mirror them.
    sides: tuple[tuple[float, ...], ...] = ()
    geometry_degree: int = 6  #: degree of the curved cells (disk only)

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.family not in get_args(Family):
            raise ValueError(f"mesh family must be one of {get_args(Family)}, got {self.family!r}")
        if not self.annuli.radius <= self.radius * (1 + 1e-12):
            raise ValueError(
                f"mesh radius must be at least the annuli's outer radius {self.annuli.radius:g}, "
                f"got {self.radius:g}"
            )
        if not self.sizes or min(size for _, size in self.sizes) <= 0:
            raise ValueError(f"mesh sizes must be positive, got {self.sizes!r}")
        if self.sectors < 4 or self.sectors % 4:
            raise ValueError(f"mesh sectors must be a positive multiple of 4, got {self.sectors}")
        if self.sides and not (len(self.sides) == 2 and all(map(_is_partition, self.sides))):
            raise ValueError(
                f"mesh sides must be two increasing lists from -1 to 1, got {self.sides!r}"
            )
        if not 1 <= self.geometry_degree <= 10:
            raise ValueError(f"mesh geometry_degree must lie in 1..10, got {self.geometry_degree}")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a recipe from a TOML file.

        Raises:
            ValueError: the file is no recipe; the message names the key.
        """
        try:
            text = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"mesh recipe {path} cannot be read: {error}") from error
        known = set(cls.__dataclass_fields__)
        if unknown := set(text) - known:
            raise ValueError(
                f"mesh recipe has unknown key {min(unknown)!r}; known keys: {sorted(known)}"
            )
        if missing := {"family", "annuli", "radius"} - set(text):
            raise ValueError(f"mesh recipe lacks the key {min(missing)!r}")
        try:
            annuli = Annuli(float(text["annuli"]["radius"]), int(text["annuli"]["count"]))
            sizes = tuple((float(r), float(h)) for r, h in text.get("sizes", [[0.0, 0.5]]))
            breaks, points = (tuple(map(float, text.get(key, ()))) for key in ("breaks", "points"))
            sides = tuple(tuple(map(float, side)) for side in text.get("sides", ()))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                "mesh recipe: annuli must be {radius, count}, breaks and points lists of numbers, "
                f"sizes a list of [radius, size], sides two lists of numbers; got {error}"
            ) from error
        whole = {key: text[key] for key in ("sectors", "geometry_degree") if key in text}
        return cls(
            text["family"], annuli, text["radius"], breaks, points, sizes, sides=sides, **whole
        )

    @property
    def spheres(self) -> Array:
        """Radii of all spheres that no cell crosses, increasing, the boundary last."""
        inner = [r for r in (*self.annuli.edges, *self.breaks) if r < self.radius * (1 - 1e-9)]
        return _distinct(np.array([*inner, self.radius]))

    def build(self, comm: MPI.Comm) -> Domain:
        """Create the mesh. Collective."""
        degree = 1 if self.family == "interval" else self.geometry_degree
        cell_type = {
            "interval": basix.CellType.interval,
            "disk": basix.CellType.quadrilateral,
        }[self.family]
        variant = basix.LagrangeVariant.gll_warped
        reference = basix.create_element(basix.ElementFamily.P, cell_type, degree, variant).points
        if comm.rank == 0:
            nodes = self._interval() if self.family == "interval" else self._disk(reference)
            points, cells = _glue(nodes, 1e-9 * self.spheres[0])
        else:
            points = np.empty((0, reference.shape[1]))
            cells = np.empty((0, len(reference)), dtype=np.int64)
        element = basix.ufl.element(
            "Lagrange", cell_type.name, degree, variant, shape=(reference.shape[1],)
        )
        mesh = dolfinx.mesh.create_mesh(comm, cells, ufl.Mesh(element), points)
        corners = mesh.geometry.x[mesh.geometry.dofmaps[0]][..., : mesh.geometry.dim]
        middle = np.linalg.norm(corners, axis=2).mean(axis=1)
        return Domain(mesh, self, self.annuli.region(middle))

    def _interval(self) -> Array:
        """End points of the cells, shape (C, 2, 1)."""
        radii = self._partition(np.concatenate([[0.0], self.spheres]))
        extra = [point for point in self.points if abs(point) < self.radius]
        ends = _distinct(np.concatenate([-radii, radii, extra]))
        return np.stack([ends[:-1], ends[1:]], axis=1)[..., None]

    def _disk(self, reference: Array) -> Array:
        """Geometry nodes of the cells, shape (C, num_nodes, 2)."""
        first = self.spheres[0]
        half = _CORE_FRACTION * first
        equal = tuple(np.linspace(-1.0, 1.0, self.sectors // 4 + 1))
        east, north = (np.array(side) for side in self.sides or (equal, equal))
        # The east side runs along y, the north side against x.
        x, y = half * -north[::-1], half * east
        layers = self._partition(np.array([half, first]))
        rings = self._partition(self.spheres)
        sides = [east, north, -east[::-1], -north[::-1]]
        return np.concatenate(
            [_boxes(x, y, reference)]
            + [
                cells
                for quarter, side in enumerate(sides)
                for cells in (
                    _sector(
                        reference, (layers - half) / (first - half), side, half, first, quarter
                    ),
                    _sector(reference, rings / first, side, 0.0, first, quarter),
                )
            ]
        )

    def _partition(self, ends: Array) -> Array:
        """Subdivide the radial intervals between `ends` as finely as `sizes` asks."""
        radii, sizes = np.array(self.sizes).T
        pieces = [ends[:1]]
        for a, b in itertools.pairwise(ends):
            fine = np.linspace(a, b, 129)
            cells = np.concatenate([[0.0], np.cumsum(_trapezoid(fine, radii, sizes))])
            count = max(1, int(np.ceil(cells[-1] - 1e-9)))
            targets = np.linspace(0.0, cells[-1], count + 1)[1:-1]
            pieces += [np.interp(targets, cells, fine), ends[1:][ends[1:] == b]]
        return np.concatenate(pieces)


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


def _is_partition(side: tuple[float, ...]) -> bool:
    """Whether the numbers increase from -1 to 1."""
    return side[0] == -1.0 and side[-1] == 1.0 and bool(np.all(np.diff(side) > 0.0))


def _trapezoid(fine: Array, radii: Array, sizes: Array) -> Array:
    """Number of cells, a real number, that fit between consecutive radii."""
    density = 1.0 / np.interp(fine, radii, sizes)
    return 0.5 * (density[1:] + density[:-1]) * np.diff(fine)


def _distinct(values: Array) -> Array:
    """Sorted values without those that repeat up to rounding."""
    ordered = np.sort(values)
    gap = 1e-9 * np.max(np.abs(ordered))
    return ordered[np.concatenate([[True], np.diff(ordered) > gap])]


def _glue(nodes: Array, tolerance: float) -> tuple[Array, npt.NDArray[np.int64]]:
    """Number the nodes of shape (C, n, m), the same number where they coincide."""
    flat = nodes.reshape(-1, nodes.shape[-1])
    # An irrational grid: no node of a regular mesh lies half way between two grid points.
    keys = np.round(flat / (tolerance * np.sqrt(2.0))).astype(np.int64)
    _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return flat[first], number.reshape(nodes.shape[:2]).astype(np.int64)

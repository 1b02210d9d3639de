"""Meshes of the ball ``B(radius)`` with facets on every sphere that matters.

A `Recipe` is plain numbers; `Recipe.build` turns it into a `Domain`. The interval (m = 1) has its
cell ends on the spheres. The disk (m = 2) is an O-grid: a square core, a layer that blends the
square into the innermost circle, then rings. The ball (m = 3) is a cubed sphere, the same with a
cube; each rank makes its own part of it. Curved cells have their geometry interpolated at
Gauss–Lobatto–Legendre points, so that the spheres are met to rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import basix
import basix.ufl
import dolfinx.graph
import dolfinx.mesh
import numpy as np
import numpy.typing as npt
import ufl
from mpi4py import MPI

from fokkerplanck.mesh.ball import CubedSphere
from fokkerplanck.mesh.disk import glue, ogrid_nodes
from fokkerplanck.mesh.radial import distinct, graded, num_pieces
from fokkerplanck.mesh.recipe_table import Family, RecipeTable, read_recipe
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.wording import brief, named, quoted

_CELL_TYPES = {
    "interval": basix.CellType.interval,
    "disk": basix.CellType.quadrilateral,
    "ball": basix.CellType.hexahedron,
}

#: Half side of the square or cube core, as a fraction of the innermost sphere's radius.
_CORE_FRACTIONS = {"disk": 0.5, "ball": 0.4}


#: Cells that a rank may have beyond its share, as a part of it: all wait for the slowest.
_IMBALANCE = 0.01

#: Smallest cell around, in units of an eighth of a turn.
_LEAST_SIDE = 1e-6

#: Smallest distance of spheres, relative to the radius of the ball.
_LEAST_GAP = 1e-6

#: The same of a cell of the line, which is not curved.
_LEAST_LENGTH = 1e-8

#: Nodes of the largest mesh, about a gigabyte.
MAX_NODES = 5_000_000


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
    def geometry_degree(self) -> int:
        """Degree of the cells' maps."""
        return int(self.mesh.ufl_domain().ufl_coordinate_element().degree)

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
    sectors: int = 16  #: equal cells around (not the interval); a multiple of 4
    #: Cell ends instead of equal cells, from -1 to 1 in units of an eighth of a turn: along the
    #: east and the north side of the disk, which the west and the south side mirror; or along the
    #: three axes of the ball's cube.
    sides: tuple[tuple[float, ...], ...] = ()
    geometry_degree: int = 6  #: degree of the curved cells

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.family not in get_args(Family):
            raise ValueError(
                f"mesh family must be one of {get_args(Family)}, got {quoted(self.family)}"
            )
        if not self.annuli.radius <= self.radius * (1 + 1e-12) < np.inf:
            raise ValueError(
                f"mesh radius must be at least the annuli's outer radius {self.annuli.radius:g}, "
                f"got {self.radius:g}"
            )
        radii, sizes = np.array(self.sizes).reshape(-1, 2).T
        if not (len(sizes) and np.all(sizes > 0.0) and np.all(np.isfinite(self.sizes))):
            raise ValueError(f"mesh sizes must be positive, got {quoted(self.sizes)}")
        if np.any(np.diff(radii) <= 0.0):
            raise ValueError(f"mesh sizes must have increasing radii, got {quoted(self.sizes)}")
        if not all(0.0 < radius < np.inf for radius in self.breaks):
            raise ValueError(f"mesh breaks must be positive, got {quoted(self.breaks)}")
        if self.sectors < 4 or self.sectors % 4:
            raise ValueError(f"mesh sectors must be a positive multiple of 4, got {self.sectors}")
        needed = {"interval": 0, "disk": 2, "ball": 3}[self.family]
        if self.sides and not (len(self.sides) == needed and all(map(_is_partition, self.sides))):
            raise ValueError(
                f"mesh sides of the {self.family} must be {needed} increasing lists from -1 to 1, "
                f"got {quoted(self.sides)}"
            )
        if not 1 <= self.geometry_degree <= 10:
            raise ValueError(f"mesh geometry_degree must lie in 1..10, got {self.geometry_degree}")
        self._check_spheres()
        self._check_size()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a recipe from a TOML file.

        Raises:
            ValueError: the file is no recipe; the message names the key.
        """
        table = read_recipe(path)
        given = {name: getattr(table, name) for name in RecipeTable.model_fields}
        try:
            return cls(**given | {"annuli": Annuli(table.annuli.radius, table.annuli.count)})
        except ValueError as error:
            raise ValueError(brief(f"mesh recipe {named(path)}: {error}")) from error

    @property
    def spheres(self) -> Array:
        """Radii of all spheres that no cell crosses, increasing, the boundary last."""
        inner = [r for r in (*self.annuli.edges, *self.breaks) if r < self.radius * (1 - 1e-9)]
        return distinct(np.array([*inner, self.radius]))

    def build(self, comm: MPI.Comm) -> Domain:
        """Create the mesh. Collective."""
        degree = 1 if self.family == "interval" else self.geometry_degree
        cell_type = _CELL_TYPES[self.family]
        variant = basix.LagrangeVariant.gll_warped
        reference = basix.create_element(basix.ElementFamily.P, cell_type, degree, variant).points
        points, cells = self._share(reference, comm)
        element = basix.ufl.element(
            "Lagrange", cell_type.name, degree, variant, shape=(reference.shape[1],)
        )
        mesh = dolfinx.mesh.create_mesh(
            comm, cells, ufl.Mesh(element), points, _partitioner() if comm.size > 1 else None
        )
        corners = mesh.geometry.x[mesh.geometry.dofmaps[0]][..., : mesh.geometry.dim]
        middle = np.linalg.norm(corners, axis=2).mean(axis=1)
        return Domain(mesh, self, self.annuli.region(middle))

    def _share(self, reference: Array, comm: MPI.Comm) -> tuple[Array, npt.NDArray[np.int64]]:
        """The nodes (P, m) and cells (C, num_nodes) that this rank passes on.

        The ball's are shared out evenly; those of smaller dimension are few, and rank 0 has all.
        """
        if self.family == "ball":
            sphere = self.cubed_sphere
            own_nodes, own_cells = (
                np.arange(n * comm.rank // comm.size, n * (comm.rank + 1) // comm.size)
                for n in (sphere.num_nodes, sphere.num_cells)
            )
            return sphere.nodes(own_nodes), sphere.cells(own_cells, reference)
        if comm.rank == 0:
            nodes = self._interval() if self.family == "interval" else self._disk(reference)
            return glue(nodes, 1e-9 * self.spheres[0])
        return np.empty((0, reference.shape[1])), np.empty((0, len(reference)), dtype=np.int64)

    @property
    def cubed_sphere(self) -> CubedSphere:
        """The lattice of the ball's nodes."""
        first, half = self.spheres[0], self._half
        layers = graded(np.array([half, first]), self.size_at)
        equal = np.linspace(-1.0, 1.0, self.sectors // 4 + 1)
        x, y, z = (np.array(side) for side in self.sides or (equal,) * 3)
        return CubedSphere(
            half,
            graded(self.spheres, self.size_at),
            (layers - half) / (first - half),
            (x, y, z),
            self.geometry_degree,
        )

    @property
    def _half(self) -> float:
        """Half side of the core."""
        return float(_CORE_FRACTIONS[self.family] * self.spheres[0])

    def _interval(self) -> Array:
        """End points of the cells, shape (C, 2, 1)."""
        radii = graded(np.concatenate([[0.0], self.spheres]), self.size_at)
        ends = distinct(np.concatenate([-radii, radii, self._inner_points]))
        return np.stack([ends[:-1], ends[1:]], axis=1)[..., None]

    @property
    def _inner_points(self) -> list[float]:
        return [point for point in self.points if abs(point) < self.radius]

    def _disk(self, reference: Array) -> Array:
        """Geometry nodes of the cells, shape (C, num_nodes, 2)."""
        first, half = self.spheres[0], self._half
        equal = tuple(np.linspace(-1.0, 1.0, self.sectors // 4 + 1))
        east, north = (np.array(side) for side in self.sides or (equal, equal))
        layers = graded(np.array([half, first]), self.size_at)
        rings = graded(self.spheres, self.size_at)
        return ogrid_nodes(reference, half, first, (east, north), layers, rings)

    def size_at(self, radii: Array) -> Array:
        """Largest radial cell at radii, same shape."""
        places, sizes = np.array(self.sizes).T
        return np.interp(radii, places, sizes)

    def _check_spheres(self) -> None:
        """Refuse spheres, or ends of cells, between which there is no room for a cell."""
        fixed = np.concatenate([[0.0], self.spheres])
        gaps, least = np.diff(fixed), _LEAST_GAP
        if self._inner_points and not np.any(gaps < least * self.radius):
            fixed = distinct(np.concatenate([-fixed, fixed, self._inner_points]))
            gaps, least = np.diff(fixed), _LEAST_LENGTH
        if np.any(gaps < least * self.radius):
            inner, outer = (float(fixed[np.argmin(gaps) + side]) for side in (0, 1))
            raise ValueError(
                "mesh radius, breaks, points and the annuli's radii must be 0, equal, or at least "
                f"{least:g} of the radius apart, got {inner:.10g} and {outer:.10g}"
            )

    def _check_size(self) -> None:
        """Refuse what no machine holds before anything of it is made."""
        if not self.num_nodes <= MAX_NODES:
            raise ValueError(
                f"mesh sizes, sectors and sides must lead to at most {MAX_NODES} nodes, "
                f"got {self.num_nodes:.3g}; choose larger cells"
            )

    @property
    def num_nodes(self) -> float:
        """Nodes of all cells, each cell for itself; at least as many as there will be."""
        rings = num_pieces(np.concatenate([[0.0], self.spheres]), self.size_at)
        if self.family == "interval":
            return 4.0 * (rings + len(self.points))
        sides = [float(len(side) - 1) for side in self.sides] or [self.sectors / 4.0] * 3
        if self.family == "disk":
            core, around = sides[0] * sides[1], 2.0 * (sides[0] + sides[1])
            return (core + rings * around) * (self.geometry_degree + 1.0) ** 2
        a, b, c = sides
        core, around = a * b * c, 2.0 * (a * b + b * c + c * a)
        return (core + rings * around) * (self.geometry_degree + 1.0) ** 3


def _partitioner() -> Callable[..., Any]:
    """Shares the cells out, equally where SCOTCH does it."""
    graph = dolfinx.graph.partitioner()
    if dolfinx.has_ptscotch:
        graph = dolfinx.graph.partitioner_scotch(imbalance=_IMBALANCE)
    return dolfinx.mesh.create_cell_partitioner(graph, dolfinx.mesh.GhostMode.none, 2)


def _is_partition(side: tuple[float, ...]) -> bool:
    """Whether the numbers increase from -1 to 1, by more than what makes cells degenerate."""
    ends = side[:1] + side[-1:]
    return ends == (-1.0, 1.0) and bool(np.all(np.diff(side) > _LEAST_SIDE))

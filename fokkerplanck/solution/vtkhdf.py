"""Meshes and densities as VTKHDF files that ParaView reads, every rank writing its own part.

VTK's curved cells have equispaced nodes, ours are warped. So a file holds our cells with equispaced
nodes, at which the map and the fields are evaluated. For every number of ranks it is the same, up
to the order of cells and nodes.
"""

import errno
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import basix
import basix.ufl
import dolfinx.mesh
import numpy as np
from dolfinx import cpp, fem
from dolfinx.io import vtkhdf
from mpi4py import MPI
from petsc4py import PETSc

from fokkerplanck.fem.cells import CellMap
from fokkerplanck.mesh.recipe import Domain, Recipe
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.files import replaced_by_all
from fokkerplanck.solution.density import Density
from fokkerplanck.solution.field import Field

#: ParaView draws no cells of a higher degree.
_LARGEST_DEGREE = 10

_SUFFIX = ".vtkhdf"


def write_mesh(recipe: Recipe, out: Path, comm: MPI.Comm) -> None:
    """Build the mesh of a recipe and write it, with the region of each cell. Collective.

    Regions are 0 for the core, k + 1 for the annulus ``A_k``, and one more beyond the last one.

    Args:
        recipe: what to build.
        out: file that ends in ``.vtkhdf``; its folder is made.
        comm: communicator; all ranks write.

    Raises:
        ValueError: the path ends otherwise.
        OSError: the file cannot be written.
    """
    check_suffix(out)
    domain = recipe.build(comm)
    write_fields(EquispacedCells(domain, domain.geometry_degree), {}, out)


def write_density(density: Density, out: Path) -> None:
    """Write a density at the nodes of its cells, with the region of each cell. Collective.

    Args:
        density: it appears as ``density``, and ``log10 |density|`` as ``log_density``.
        out: file that ends in ``.vtkhdf``; its folder is made, and all ranks write.

    Raises:
        ValueError: the path ends otherwise.
        OSError: the file cannot be written.
    """
    check_suffix(out)
    cells = EquispacedCells.of(density)
    values = density.in_all_cells(cells.reference)
    write_fields(cells, {"density": values, "log_density": log10(values)}, out)


@dataclass(frozen=True)
class EquispacedCells:
    """The cells of a domain with equispaced nodes, which neighbours share."""

    domain: Domain
    degree: int  #: of the cells in the file

    @classmethod
    def of(cls, density: Field) -> "EquispacedCells":
        """Cells that are as fine as a density, and at least as the curved cells themselves."""
        domain = density.space.domain
        degree = max(domain.geometry_degree, min(density.space.degree, _LARGEST_DEGREE))
        return cls(domain, degree)

    @cached_property
    def reference(self) -> Array:
        """Nodes of the reference cell in the order of Basix, shape (n, m)."""
        cell = self.domain.mesh.basix_cell()
        variant = basix.LagrangeVariant.equispaced
        element = basix.create_element(basix.ElementFamily.P, cell, self.degree, variant)
        return np.asarray(element.points)

    @cached_property
    def points(self) -> Array:
        """Nodes of the owned cells, shape (C, n, m)."""
        cell_map = CellMap.of(self.domain)
        return np.asarray(cell_map.element.table(self.reference) @ cell_map.nodes)

    @cached_property
    def dofmap(self) -> fem.DofMap:
        """The numbering of the nodes."""
        cell, variant = self.domain.mesh.basix_cell(), basix.LagrangeVariant.equispaced
        element = basix.ufl.element("Lagrange", cell, self.degree, variant)
        return fem.functionspace(self.domain.mesh, element).dofmap

    def by_node(self, values: Array) -> Array:
        """Values of the local nodes from those of the owned cells, (C, n) or (C, n, m).

        Where cells disagree at a common node the last one counts.
        """
        numbering = self.dofmap.index_map
        nodes = np.zeros((numbering.size_local + numbering.num_ghosts, *values.shape[2:]))
        nodes[self.dofmap.list[: len(values)]] = values
        return nodes

    @property
    def num_owned(self) -> int:
        """Nodes that this rank owns; they come first."""
        return int(self.dofmap.index_map.size_local)

    def mesh(self) -> dolfinx.mesh.Mesh:
        """The same cells as a mesh with these nodes."""
        mesh = self.domain.mesh
        element = fem.coordinate_element(
            mesh.topology.cell_type, self.degree, basix.LagrangeVariant.equispaced
        )
        nodes = self.by_node(self.points)
        geometry = dolfinx.mesh.create_geometry(
            self.dofmap.index_map, self.dofmap.list, element, nodes, np.arange(len(nodes))
        )
        made = cpp.mesh.Mesh_float64(mesh.comm, mesh.topology._cpp_object, geometry._cpp_object)
        return dolfinx.mesh.Mesh(made, None)


def log10(values: Array) -> Array:
    """``log10 |values|``, as if the smallest normal number stood for 0."""
    return np.log10(np.maximum(np.abs(values), np.finfo(np.float64).tiny))


def check_suffix(out: Path) -> None:
    """Refuse a path that ParaView would not read."""
    if out.suffix != _SUFFIX:
        raise ValueError(f"file for ParaView must end in {_SUFFIX}, got {str(out)!r}")


def check_writable(out: Path) -> None:
    """Make sure that a file can be written, before it is computed.

    Raises:
        ValueError: the path ends otherwise than ParaView asks for.
        OSError: it cannot be written.
    """
    check_suffix(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(out))
    with tempfile.TemporaryFile(dir=out.parent):
        pass


def write_fields(cells: EquispacedCells, fields: Mapping[str, Array], out: Path) -> None:
    """Write the mesh, fields with values (C, n) at its nodes, and the regions. Collective.

    DOLFINx writes the mesh but knows one field only, so PETSc adds the fields to the file.
    """
    domain = cells.domain
    comm: Any = domain.comm  # PETSc's stubs know its own communicators only
    regions: Any = domain.regions[: domain.num_owned_cells]
    with replaced_by_all(out, domain.comm) as temporary:
        vtkhdf.write_mesh(temporary, cells.mesh())
        viewer = PETSc.ViewerHDF5().create(str(temporary), "a", comm)
        viewer.pushGroup("/VTKHDF/CellData")
        _view(PETSc.IS().createGeneral(regions, comm), "region", viewer)
        viewer.popGroup()
        viewer.pushGroup("/VTKHDF/PointData")
        for name, values in fields.items():
            owned: Any = cells.by_node(values)[: cells.num_owned]
            _view(PETSc.Vec().createWithArray(owned, comm=comm), name, viewer)
        viewer.popGroup()
        viewer.destroy()


def _view(field: PETSc.IS | PETSc.Vec, name: str, viewer: PETSc.ViewerHDF5) -> None:
    """Add a field to a file under its name. Collective."""
    field.setName(name)
    field.view(viewer)
    field.destroy()

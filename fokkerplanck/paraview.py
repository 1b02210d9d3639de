"""Meshes as files that ParaView reads."""

import tempfile
from pathlib import Path

import dolfinx.fem
import dolfinx.io
from mpi4py import MPI

from fokkerplanck.mesh import Domain, Recipe


def write_mesh(recipe: Recipe, path: Path) -> None:
    """Build a mesh on this rank alone and write it, with the region of each cell.

    Regions are 0 for the core, k + 1 for the annulus ``A_k``, and one more beyond the last one.

    Args:
        recipe: The numbers that define the mesh.
        path: A file that ends in ``.vtu``.

    Raises:
        ValueError: The path ends otherwise.
    """
    if path.suffix != ".vtu":
        raise ValueError(f"the mesh file must end in .vtu, got {str(path)!r}")
    domain = recipe.build(MPI.COMM_SELF)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        _write_collection(domain, Path(folder) / "mesh.pvd")
        # One rank writes one piece, and that one is complete without the collection.
        next(Path(folder).glob("*_p0_*.vtu")).replace(path)


def _write_collection(domain: Domain, path: Path) -> None:
    """Write the pieces of a mesh; the writer needs its folder until it is out of scope."""
    region = dolfinx.fem.Function(dolfinx.fem.functionspace(domain.mesh, ("DG", 0)), name="region")
    region.x.array[:] = domain.regions
    with dolfinx.io.VTKFile(domain.comm, path, "w") as file:
        file.write_function(region)

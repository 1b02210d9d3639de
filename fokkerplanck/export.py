"""Meshes and densities as files that ParaView reads.

VTK's curved cells have equispaced nodes, ours are warped; so each cell is written with equispaced
nodes of its own, at which its map and the density are evaluated. One file holds the whole mesh, in
the order in which its cells were made: it is the same for every number of ranks.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fokkerplanck.cellmap import CellMap
from fokkerplanck.density import Density
from fokkerplanck.mesh import Domain, Recipe

Array = npt.NDArray[np.float64]

#: Degree of the cells in files of meshes; ParaView draws no higher degree than 10.
_MESH_DEGREE = 6
_LARGEST_DEGREE = 10

#: VTK's numbers of the Lagrange curve, quadrilateral and hexahedron.
_CELL_TYPES = {1: 68, 2: 70, 3: 72}

_TYPE_NAMES = {"f": "Float64", "i": "Int32", "u": "UInt8"}


def write_mesh(recipe_path: Path, out: Path, comm: MPI.Comm) -> None:
    """Build the mesh of a recipe and write it, with the region of each cell. Collective.

    Regions are 0 for the core, k + 1 for the annulus ``A_k``, and one more beyond the last one.

    Args:
        recipe_path: TOML file.
        out: file that ends in ``.vtu``.
        comm: communicator; rank 0 writes.

    Raises:
        ValueError: the recipe is not one, or the path ends otherwise.
        OSError: the file cannot be written.
    """
    _check_suffix(out)
    domain = Recipe.load(recipe_path).build(comm)
    _write(domain, _MESH_DEGREE, {}, out)


def write_density(density: Density, out: Path) -> None:
    """Write a density at the nodes of its cells, with the region of each cell. Collective.

    Args:
        density: it appears as ``density``, and ``log10 |density|`` as ``log_density``.
        out: file that ends in ``.vtu``; rank 0 writes.

    Raises:
        ValueError: the path ends otherwise.
        OSError: the file cannot be written.
    """
    _check_suffix(out)
    domain = density.space.domain
    degree = min(density.space.degree, _LARGEST_DEGREE)
    nodes = vtk_nodes(domain.dimension, degree)
    cells = np.repeat(np.arange(domain.num_owned_cells), len(nodes))
    values = density.in_cells(cells, np.tile(nodes, (domain.num_owned_cells, 1)))
    log_density = np.log10(np.maximum(np.abs(values), np.finfo(np.float64).tiny))
    fields = {"density": values, "log_density": log_density}
    _write(domain, degree, {k: v.reshape(-1, len(nodes)) for k, v in fields.items()}, out)


def vtk_nodes(dimension: int, degree: int) -> Array:
    """Equispaced nodes of the reference cell in VTK's order, corners first; shape (n, m)."""
    inner = np.arange(1, degree)
    low, high = np.zeros_like(inner), np.full_like(inner, degree)
    if dimension == 1:
        return np.concatenate([[0, degree], inner])[:, None] / degree
    corners = np.array([[0, 0], [degree, 0], [degree, degree], [0, degree]])
    edges = [
        np.stack(edge, axis=1)
        for edge in ((inner, low), (high, inner), (inner, high), (low, inner))
    ]
    inside = np.stack(np.meshgrid(inner, inner, indexing="xy"), axis=-1).reshape(-1, 2)
    if dimension == 2:
        return np.concatenate([corners, *edges, inside]) / degree
    ends, along = (0, degree), np.repeat(inner, len(inside))
    flat = [
        *(np.insert(corners, 2, end, axis=1) for end in ends),
        *(np.insert(edge, 2, end, axis=1) for end in ends for edge in edges),
        *(np.insert(inner[:, None], [0, 0], corner, axis=1) for corner in corners),
        *(np.insert(inside, axis, end, axis=1) for axis in range(3) for end in ends),
        np.column_stack([np.tile(inside, (len(inner), 1)), along]),
    ]
    return np.concatenate(flat) / degree


def _check_suffix(out: Path) -> None:
    if out.suffix != ".vtu":
        raise ValueError(f"file for ParaView must end in .vtu, got {str(out)!r}")


def _write(domain: Domain, degree: int, fields: Mapping[str, Array], out: Path) -> None:
    """Gather the cells and let rank 0 write them; all ranks raise together. Collective.

    Args:
        domain: the mesh.
        degree: of the cells in the file.
        fields: values at their nodes in the owned cells, shape (C, n).
        out: the file.
    """
    nodes = vtk_nodes(domain.dimension, degree)
    cells = np.repeat(np.arange(domain.num_owned_cells), len(nodes))
    points = np.zeros((domain.num_owned_cells, len(nodes), 3))
    images = CellMap(domain).points(cells, np.tile(nodes, (domain.num_owned_cells, 1)))
    points[..., : domain.dimension] = images.reshape(*points.shape[:2], -1)
    regions = domain.regions[: domain.num_owned_cells]
    original = domain.mesh.topology.original_cell_index[: domain.num_owned_cells]
    gathered = domain.comm.gather((original, points, regions, dict(fields)))
    problem: OSError | None = None
    if gathered is not None:
        order = np.argsort(np.concatenate([part[0] for part in gathered]))
        points, regions = (np.concatenate([part[i] for part in gathered])[order] for i in (1, 2))
        whole = {
            name: np.concatenate([part[3][name] for part in gathered])[order] for name in fields
        }
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(_document(domain.dimension, points, regions, whole), encoding="ascii")
        except OSError as error:
            problem = error
    if problem := domain.comm.bcast(problem):
        raise problem


def _document(
    dimension: int, points: Array, regions: npt.NDArray[np.int32], fields: Mapping[str, Array]
) -> str:
    """The file's text: points (C, n, 3), regions (C,), fields (C, n)."""
    num_cells, num_nodes = points.shape[:2]
    counts = np.arange(1, num_cells + 1, dtype=np.int32) * num_nodes
    connectivity = np.arange(num_cells * num_nodes, dtype=np.int32)
    types = np.full(num_cells, _CELL_TYPES[dimension], dtype=np.uint8)
    sections = {
        "Points": {"Points": points.reshape(-1, 3)},
        "Cells": {"connectivity": connectivity, "offsets": counts, "types": types},
        "CellData": {"region": regions},
        "PointData": {name: values.ravel() for name, values in fields.items()},
    }
    body = "".join(
        f"<{section}>\n{''.join(_array(n, a) for n, a in arrays.items())}</{section}>\n"
        for section, arrays in sections.items()
    )
    return (
        '<?xml version="1.0"?>\n'
        '<VTKFile type="UnstructuredGrid" version="2.2" byte_order="LittleEndian" '
        'header_type="UInt64">\n<UnstructuredGrid>\n'
        f'<Piece NumberOfPoints="{connectivity.size}" NumberOfCells="{num_cells}">\n'
        f"{body}</Piece>\n</UnstructuredGrid>\n</VTKFile>\n"
    )


def _array(name: str, values: npt.NDArray[np.generic]) -> str:
    """A data array: its size in bytes and its bytes, in base 64."""
    little = values.astype(values.dtype.newbyteorder("<"))
    data = np.array([little.nbytes], dtype="<u8").tobytes() + little.tobytes()
    components = values.shape[1] if values.ndim > 1 else 1
    attributes = {
        "type": _TYPE_NAMES[values.dtype.kind],
        "Name": name,
        "NumberOfComponents": str(components),
        "format": "binary",
    }
    text = " ".join(f"{key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<DataArray {text}>{base64.b64encode(data).decode()}</DataArray>\n"

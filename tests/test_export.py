import base64
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mpi4py import MPI

from fokkerplanck.annuli import Annuli
from fokkerplanck.export import vtk_nodes, write_density, write_mesh
from fokkerplanck.initial import Polynomial
from fokkerplanck.mesh import Recipe
from fokkerplanck.solver import solve

MESHES = Path(__file__).parents[1] / "meshes"
TYPES = {"Float64": "<f8", "Int32": "<i4", "UInt8": "u1"}


def read(path):
    """The arrays of a file by name, once it is written."""
    MPI.COMM_WORLD.barrier()
    arrays = {}
    for element in ET.parse(path).iter("DataArray"):
        data = base64.b64decode(element.text)
        (size,) = np.frombuffer(data[:8], "<u8")
        assert size == len(data) - 8
        values = np.frombuffer(data[8:], TYPES[element.get("type")])
        components = int(element.get("NumberOfComponents"))
        arrays[element.get("Name")] = values.reshape(-1, components).squeeze()
    return arrays


def lagrange(dimension, degree, points):
    """Equispaced Lagrange basis in VTK's order at points (q, m), and its derivatives."""

    def legendre(at, derivative=None):
        factors = []
        for i in range(dimension):
            series = np.eye(degree + 1)
            if i == derivative:
                series = 2 * np.polynomial.legendre.legder(series)
            factors.append(np.polynomial.legendre.legval(2 * at[:, i] - 1, series))
        product = factors[0] if dimension == 1 else factors[0][:, None] * factors[1]
        return product.reshape(-1, len(at)).T

    inverse = np.linalg.inv(legendre(vtk_nodes(dimension, degree)))
    values = legendre(points) @ inverse
    return values, [legendre(points, i) @ inverse for i in range(dimension)]


def cells_of(arrays, degree, dimension):
    """Nodes (C, n, m) of the cells, checked against connectivity and types."""
    num_nodes = (degree + 1) ** dimension
    offsets = np.atleast_1d(arrays["offsets"])
    assert np.all(np.diff(offsets) == num_nodes)
    assert np.all(arrays["types"] == {1: 68, 2: 70}[dimension])
    return arrays["Points"][arrays["connectivity"]].reshape(len(offsets), num_nodes, 3)


def gauss(dimension):
    nodes, weights = np.polynomial.legendre.leggauss(10)
    points = np.stack(np.meshgrid(*[0.5 * nodes + 0.5] * dimension, indexing="ij"), axis=-1)
    product = np.prod(np.meshgrid(*[0.5 * weights] * dimension, indexing="ij"), axis=0)
    return points.reshape(-1, dimension), product.ravel()


def volumes(arrays, degree, dimension, function=None):
    """Integrals over the cells as VTK draws them."""
    nodes = cells_of(arrays, degree, dimension)
    assert np.all(nodes[..., dimension:] == 0)
    points, weights = gauss(dimension)
    values, slopes = lagrange(dimension, degree, points)
    jacobians = np.stack([slope @ nodes[..., :dimension] for slope in slopes], axis=-1)
    measure = np.abs(np.linalg.det(jacobians)) * weights
    if function is not None:
        measure = measure * (function.reshape(nodes.shape[:2]) @ values.T)
    return measure.sum(axis=1)


@pytest.mark.parametrize("name", ["interval", "disk"])
def test_mesh_is_drawn_as_it_is(tmp_path, name):
    path = tmp_path / "deeper" / f"{name}.vtu"
    write_mesh(MESHES / f"{name}.toml", path, MPI.COMM_WORLD)
    arrays = read(path)
    dimension = {"interval": 1, "disk": 2}[name]
    cells = volumes(arrays, 6, dimension)
    found = np.bincount(arrays["region"], cells)
    radii = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    expected = 2 * np.diff(radii) if dimension == 1 else np.pi * np.diff(radii**2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_mesh_file_is_the_same_on_all_numbers_of_ranks(tmp_path):
    write_mesh(MESHES / "disk.toml", tmp_path / "all.vtu", MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        write_mesh(MESHES / "disk.toml", tmp_path / "one.vtu", MPI.COMM_SELF)
    ours, theirs = read(tmp_path / "all.vtu"), read(tmp_path / "one.vtu")
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name])


@pytest.mark.parametrize("dimension", [1, 2])
def test_density_is_drawn_as_it_is(tmp_path, dimension):
    family = {1: "interval", 2: "disk"}[dimension]
    domain = Recipe(family, Annuli(1.0, 1), 4.0, sizes=((0, 0.5),)).build(MPI.COMM_WORLD)
    initial = Polynomial((0.3, 0.2)[:dimension], 1.0)
    solution = solve(lambda x: np.sum(x**2, axis=1), initial, 1.0, domain=domain, degree=6)
    density = solution.density(1.0)
    path = tmp_path / "density.vtu"
    write_density(density, path)
    arrays = read(path)
    np.testing.assert_allclose(arrays["log_density"], np.log10(arrays["density"]), rtol=1e-13)
    mass = volumes(arrays, 6, dimension, arrays["density"]).sum()
    np.testing.assert_allclose(mass, 1.0, rtol=1e-6)
    some = slice(3, None, 97)
    points = arrays["Points"][some, :dimension] if dimension > 1 else arrays["Points"][some, :1]
    np.testing.assert_allclose(density(points), arrays["density"][some], rtol=1e-8)


def test_suffix_must_be_that_of_vtk(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.vtu"):
        write_mesh(MESHES / "disk.toml", tmp_path / "disk.stl", MPI.COMM_WORLD)


def test_all_ranks_learn_that_the_folder_is_a_file(tmp_path):
    if MPI.COMM_WORLD.rank == 0:
        (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        write_mesh(MESHES / "interval.toml", tmp_path / "taken" / "a.vtu", MPI.COMM_WORLD)

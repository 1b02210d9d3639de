"""Files for ParaView, read back as plain HDF5, with VTK's order of nodes spelt out here."""

from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from references.vtkhdf_reader import read

from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Polynomial
from fokkerplanck.solution.solve import solve
from fokkerplanck.solution.vtkhdf import write_density, write_mesh

MESHES = Path(__file__).parents[2] / "meshes"
FAMILIES = {1: "interval", 2: "disk", 3: "ball"}


def vtk_nodes(dimension, degree):
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


def lagrange(dimension, degree, points):
    """Equispaced Lagrange basis in VTK's order at points (q, m), and its derivatives."""

    def legendre(at, derivative=None):
        factors = []
        for i in range(dimension):
            series = np.eye(degree + 1)
            if i == derivative:
                series = 2 * np.polynomial.legendre.legder(series)
            factors.append(np.polynomial.legendre.legval(2 * at[:, i] - 1, series))
        product = factors[0]
        for factor in factors[1:]:
            product = (product[:, None] * factor).reshape(-1, len(at))
        return product.T

    inverse = np.linalg.inv(legendre(vtk_nodes(dimension, degree)))
    values = legendre(points) @ inverse
    return values, [legendre(points, i) @ inverse for i in range(dimension)]


def cells_of(arrays, degree, dimension):
    """Nodes (C, n) of the cells, checked against offsets and types."""
    num_nodes = (degree + 1) ** dimension
    np.testing.assert_array_equal(np.diff(arrays["Offsets"], prepend=0)[1:], num_nodes)
    assert np.all(arrays["Types"] == {1: 68, 2: 70, 3: 72}[dimension])
    return arrays["Connectivity"].reshape(-1, num_nodes)


def gauss(dimension):
    nodes, weights = np.polynomial.legendre.leggauss(10)
    points = np.stack(np.meshgrid(*[0.5 * nodes + 0.5] * dimension, indexing="ij"), axis=-1)
    product = np.prod(np.meshgrid(*[0.5 * weights] * dimension, indexing="ij"), axis=0)
    return points.reshape(-1, dimension), product.ravel()


def volumes(arrays, degree, dimension, field=None):
    """Integrals over the cells as VTK draws them."""
    cells = cells_of(arrays, degree, dimension)
    nodes = arrays["Points"][cells]
    assert np.all(nodes[..., dimension:] == 0)
    points, weights = gauss(dimension)
    values, slopes = lagrange(dimension, degree, points)
    jacobians = np.stack(
        [np.einsum("qn,cni->cqi", slope, nodes[..., :dimension]) for slope in slopes], axis=-1
    )
    measure = np.abs(np.linalg.det(jacobians)) * weights
    if field is not None:
        measure = measure * (arrays[field][cells] @ values.T)
    return measure.sum(axis=1)


def recipe(dimension):
    sizes = ((0.0, 0.5 if dimension < 3 else 1.0),)
    return Recipe(FAMILIES[dimension], Annuli(1.0, 1), 4.0, sizes=sizes, sectors=8)


@pytest.mark.parametrize(("dimension", "accuracy"), [(1, 1e-12), (2, 1e-8), (3, 1e-6)])
def test_mesh_is_drawn_as_it_is(tmp_path, dimension, accuracy):
    path = tmp_path / "deeper" / "mesh.vtkhdf"
    write_mesh(recipe(dimension), path, MPI.COMM_WORLD)
    arrays = read(path)
    cells = volumes(arrays, {1: 1, 2: 6, 3: 6}[dimension], dimension)
    found = np.bincount(arrays["region"], cells)
    ball = {1: 2.0, 2: np.pi, 3: 4 * np.pi / 3}[dimension]
    expected = ball * np.diff(np.array([0.0, 1.0, 2.0, 4.0]) ** dimension)
    np.testing.assert_allclose(found, expected, rtol=accuracy)


@pytest.mark.parametrize("name", ["interval", "disk", "ball"])
def test_mesh_file_is_the_same_on_all_numbers_of_ranks(tmp_path, name):
    loaded = Recipe.load(MESHES / f"{name}.toml")
    paths = [tmp_path / f"{ranks}.vtkhdf" for ranks in ("all", "one")]
    write_mesh(loaded, paths[0], MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        write_mesh(loaded, paths[1], MPI.COMM_SELF)
    MPI.COMM_WORLD.barrier()
    # Neither cells nor points have an order in common: compare them sorted by their place.
    ours, theirs = (
        np.column_stack([middles(arrays), arrays["region"]]) for arrays in map(read, paths)
    )
    np.testing.assert_array_equal(ordered(ours), ordered(theirs))
    ours, theirs = (np.round(read(path)["Points"], 9) + 0.0 for path in paths)
    np.testing.assert_array_equal(ordered(ours), ordered(theirs))


def middles(arrays):
    """Middles of the cells, rounded, shape (C, 3)."""
    cells = arrays["Connectivity"].reshape(len(arrays["Types"]), -1)
    return np.round(arrays["Points"][cells].mean(axis=1), 9) + 0.0


def ordered(rows):
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_density_is_drawn_as_it_is(tmp_path, dimension):
    domain = recipe(dimension).build(MPI.COMM_WORLD)
    # A centred start is integrated faster, which counts in three dimensions
    center = (0.3, 0.2)[:dimension] if dimension < 3 else (0.0, 0.0, 0.0)
    initial = Polynomial(center, 1.0)
    degree = 6 if dimension < 3 else 4
    solution = solve(lambda x: np.sum(x**2, axis=1), initial, 1.0, domain=domain, degree=degree)
    density = solution.density(1.0)
    path = tmp_path / "density.vtkhdf"
    write_density(density, path)
    arrays = read(path)
    np.testing.assert_allclose(arrays["log_density"], np.log10(arrays["density"]), rtol=1e-13)
    mass = volumes(arrays, 6, dimension, "density").sum()
    np.testing.assert_allclose(mass, 1.0, rtol=1e-5)
    some = slice(3, None, 97)
    inside = np.linalg.norm(arrays["Points"][some], axis=1) < 3.9
    points, expected = arrays["Points"][some][inside], arrays["density"][some][inside]
    np.testing.assert_allclose(density(points[:, :dimension]), expected, rtol=1e-6)


def test_suffix_must_be_that_of_vtk(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.vtkhdf"):
        write_mesh(recipe(1), tmp_path / "disk.stl", MPI.COMM_WORLD)


def test_file_is_replaced_and_nothing_else_is_left(tmp_path):
    for dimension in (1, 2):
        write_mesh(recipe(dimension), tmp_path / "mesh.vtkhdf", MPI.COMM_WORLD)
    assert [path.name for path in tmp_path.iterdir()] == ["mesh.vtkhdf"]
    assert set(read(tmp_path / "mesh.vtkhdf")["Types"]) == {70}


def test_all_ranks_learn_that_the_folder_is_a_file(tmp_path):
    if MPI.COMM_WORLD.rank == 0:
        (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        write_mesh(recipe(1), tmp_path / "taken" / "a.vtkhdf", MPI.COMM_WORLD)

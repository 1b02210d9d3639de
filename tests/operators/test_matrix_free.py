import basix
import basix.ufl
import dolfinx.mesh
import numpy as np
import pytest
import ufl
from mpi4py import MPI

from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Domain, Recipe
from fokkerplanck.operators.forms import mass_matrix, multiply, stiffness_matrix
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.operators.matrix_free import MatrixFree
from fokkerplanck.problem.annuli import Annuli


def curved_box(comm, cells=2, degree=3):
    """The cube ``(-1, 1)^3`` with curved cells inside."""
    box = dolfinx.mesh.create_box(
        comm, [[-1.0] * 3, [1.0] * 3], [cells] * 3, dolfinx.mesh.CellType.hexahedron
    )
    variant = basix.LagrangeVariant.gll_warped
    reference = basix.create_element(
        basix.ElementFamily.P, basix.CellType.hexahedron, degree, variant
    ).points
    corner = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)])
    shape = np.prod(np.where(corner[:, None], reference, 1.0 - reference), axis=2)
    owned = box.topology.index_map(3).size_local
    corners = box.geometry.x[box.geometry.dofmaps[0][:owned]]
    nodes = np.concatenate(comm.allgather(np.einsum("vn,cvi->cni", shape, corners)))
    flat = nodes.reshape(-1, 3)
    _, first, number = np.unique(
        np.round(flat * 1e6).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    x = flat[first]
    bend = 0.1 * np.prod(1.0 - x**2, axis=1, keepdims=True) * np.sin(3.0 * x[:, ::-1] + 1.0)
    element = basix.ufl.element("Lagrange", "hexahedron", degree, variant, shape=(3,))
    everything = (number.reshape(nodes.shape[:2]).astype(np.int64), x + bend)
    nothing = (np.empty((0, len(reference)), dtype=np.int64), np.empty((0, 3)))
    cells, points = everything if comm.rank == 0 else nothing
    mesh = dolfinx.mesh.create_mesh(comm, cells, ufl.Mesh(element), points)
    num_cells = len(mesh.geometry.dofmaps[0])
    recipe = Recipe("disk", Annuli(1.0, 0), 2.0)
    return Domain(mesh, recipe, np.zeros(num_cells, dtype=np.int32))


def disk(comm):
    return Recipe("disk", Annuli(1.0, 1), 2.0, sizes=((0.0, 0.7),), sectors=8).build(comm)


CASES = [(disk, 1, 2), (disk, 5, 8), (curved_box, 1, 2), (curved_box, 4, 6)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0].__name__}-{case[1]}")
def operators(request):
    """The same operator with matrices and without."""
    build, degree, gauss = request.param
    space = Space(build(MPI.COMM_WORLD), degree, gauss)
    x = space.points
    potential = 2.0 * np.sum(x**2, axis=2) + np.sin(2.0 * x[..., 0])
    assembled = GibbsOperator(space, potential, 0.7)
    return assembled, assembled.matrix_free


def vector(space):
    """The same numbers on all numbers of ranks."""
    points = space.functions.tabulate_dof_coordinates()[: space.num_owned]
    return np.cos(points @ [3.0, 5.0, 7.0]) + points[:, 0] ** 2


def largest(space, values):
    return space.domain.comm.allreduce(np.max(np.abs(values), initial=0.0), op=MPI.MAX)


@pytest.mark.parametrize(("mass", "stiffness"), [(1.0, 0.0), (0.0, 1.0), (0.3, 2.5)])
def test_equals_the_assembled_matrices(operators, mass, stiffness):
    assembled, matrix_free = operators
    space = assembled.space
    matrix = mass_matrix(assembled)
    matrix.scale(mass)
    matrix.axpy(stiffness, stiffness_matrix(assembled))
    u = vector(space)
    expected = multiply(matrix, u)
    found = matrix_free.apply(u, mass, stiffness)
    assert largest(space, found - expected) < 1e-13 * largest(space, expected)


def test_diagonal_equals_the_sum_over_cells(operators):
    assembled, matrix_free = operators
    found, expected = matrix_free.diagonal(1.0, 0.4), assembled.diagonal(2.5)
    assert largest(assembled.space, found / expected - 1.0) < 1e-13


def test_coupling_equals_the_sum_over_cells(operators):
    assembled, matrix_free = operators
    space = assembled.space
    drift = np.sin(space.points + np.arange(space.domain.dimension))
    flux = space.weights * assembled.gibbs * space.evaluate(vector(space))
    local = np.einsum(
        "cq,cqi,cqai,aqn->cn", flux, drift, space.geometry.inverses, space.slopes, optimize=True
    )
    expected = space.assemble(local)
    found = matrix_free.coupling(drift)(vector(space))
    assert largest(space, found - expected) < 1e-13 * largest(space, expected)


def test_stiffness_of_constants_vanishes(operators):
    assembled, matrix_free = operators
    space = assembled.space
    found = matrix_free.apply(np.ones(space.num_owned), 0.0, 1.0)
    assert largest(space, found / matrix_free.diagonal(0.0, 1.0)) < 1e-13


def test_rounding_is_relative_to_the_local_density():
    """π falls to 1e-69 here."""
    recipe = Recipe("disk", Annuli(1.0, 3), 8.0, sizes=((0.0, 0.5), (8.0, 0.2)))
    space = Space(recipe.build(MPI.COMM_WORLD), 5)
    assembled = GibbsOperator(space, 2.5 * np.sum(space.points**2, axis=2), 1.0)
    matrix_free = assembled.matrix_free
    u = vector(space)
    error = matrix_free.apply(u) - space.load(assembled.gibbs * space.evaluate(u))
    cells = np.max(space.with_ghosts(matrix_free.diagonal())[space.dofs], axis=1, keepdims=True)
    local = space.assemble(cells + np.zeros(space.dofs.shape))
    assert largest(space, error / local) < 1e-13 * largest(space, u)


@pytest.mark.parametrize("radius", [0.0, 7.5])
def test_single_precision_is_relative_to_the_local_density(radius):
    """π falls to 1e-69, and ``∫ π u²`` changes by no more than π does, wherever u lives."""
    recipe = Recipe("disk", Annuli(1.0, 3), 8.0, sizes=((0.0, 0.5), (8.0, 0.2)))
    space = Space(recipe.build(MPI.COMM_WORLD), 5, 6)
    gibbs = GibbsOperator(space, 2.5 * np.sum(space.points**2, axis=2), 1.0).gibbs
    double, single = (MatrixFree(space, gibbs, 1.0, single=kind) for kind in (False, True))
    nodes = space.functions.tabulate_dof_coordinates()[: space.num_owned]
    u = np.where(np.linalg.norm(nodes, axis=1) > radius, vector(space), 0.0)
    comm = space.domain.comm
    exact, found = (comm.allreduce(float(u @ m.apply(u))) for m in (double, single))
    assert exact > 0.0
    assert abs(found / exact - 1.0) < 2.0**-24


def test_needs_a_tensor_product():
    domain = Recipe("interval", Annuli(1.0, 0), 1.0).build(MPI.COMM_WORLD)
    space = Space(domain, 2, 4)
    with pytest.raises(ValueError, match="need quadrilaterals or hexahedra, got dimension 1"):
        MatrixFree(space, np.ones(space.points.shape[:2]), 1.0)

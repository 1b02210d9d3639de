"""Three parameters: spaces, matrices, starts, densities, norms and a study on the ball."""

import dataclasses
import math

import numpy as np
import pytest
from dolfinx import fem
from mpi4py import MPI
from ornstein_uhlenbeck import OrnsteinUhlenbeck
from scipy.integrate import quad
from scipy.special import beta
from scipy.stats import kstest

import fokkerplanck as fp
from fokkerplanck.fem.element import TensorElement, _basix_element
from fokkerplanck.fem.quadrature import load as load_vector
from fokkerplanck.fem.quadrature.absolute_kernels import volume_integral
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.quadrature.norms import weighted_l1
from fokkerplanck.fem.space import Space, barycentric_weights
from fokkerplanck.linalg.cholesky import Resolvent
from fokkerplanck.mesh.angular import cells_per_edge, directions_on_sphere
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.operators.gibbs import GibbsOperator, multiply
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Bump, Gaussian, Polynomial, Uniform
from fokkerplanck.risk.potential import NetworkPotential
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.verification import refinement

RECIPE = Recipe("ball", Annuli(1.0, 1), 2.5, sizes=((0.0, 1.5),), sectors=8, geometry_degree=4)
OU = OrnsteinUhlenbeck(0.5, Gaussian((0.3, -0.2, 0.1), 0.4))


@pytest.fixture(scope="module")
def density():
    """The Ornstein-Uhlenbeck density at T = 1."""
    recipe = Recipe("ball", Annuli(1.0, 2), 6.0, sizes=((0.0, 1.2),), sectors=8, geometry_degree=8)
    domain = recipe.build(MPI.COMM_WORLD)
    return fp.solve(OU.potential, OU.initial, domain=domain, degree=5).density(1.0)


# -- elements


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_tensor_element_is_basix_element(dimension):
    element = TensorElement(4, dimension)
    points = np.random.default_rng(1).random((7, dimension))
    expected = _basix_element(4, dimension).tabulate(1, points)[..., 0]
    np.testing.assert_allclose(element.table(points), expected[0], atol=1e-13)
    np.testing.assert_allclose(element.slopes(points), expected[1:], atol=1e-12)


def test_sums_along_axes_are_those_with_tables(comm):
    space = Space(RECIPE.build(comm), 3, 6)
    rng = np.random.default_rng(comm.rank)
    u, local = rng.standard_normal(space.num_owned), rng.standard_normal(space.points.shape[:2])
    dense = space.with_ghosts(u)[space.dofs] @ space.basis.T
    np.testing.assert_allclose(space.evaluate(u), dense, atol=1e-13)
    np.testing.assert_allclose(space.tested(local), local @ space.basis, atol=1e-12)


@pytest.mark.parametrize("family", ["interval", "disk", "ball"])
def test_element_matrices_are_the_weak_forms(family, comm):
    recipe = dataclasses.replace(RECIPE, family=family)
    space = Space(recipe.build(comm), 3, 5)
    potential = np.sin(space.points.sum(axis=2))
    operator = GibbsOperator(space, potential, 0.7)
    u = np.random.default_rng(0).standard_normal(space.num_owned)
    expected = multiply(operator.mass, u) + multiply(operator.stiffness, u) / 4.0
    matrices = operator.element_matrices(slice(None), 4.0)
    local = np.einsum("cij,cj->ci", matrices, space.with_ghosts(u)[space.dofs])
    np.testing.assert_allclose(space.assemble(local), expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(operator.apply_mass(u), multiply(operator.mass, u), atol=1e-13)
    solution = Resolvent(operator, 4.0).solve(expected)
    np.testing.assert_allclose(solution, u, rtol=1e-9, atol=1e-10)


# -- start


@pytest.mark.parametrize(
    "initial", [Bump((0.0,) * 3, 1.0), Uniform((0.0,) * 3, 1.0), Gaussian((0.2, 0.1, 0.0), 0.15)]
)
def test_load_has_the_moments_of_the_density(initial, comm):
    space = Space(dataclasses.replace(RECIPE, geometry_degree=8).build(comm), 8, 9)
    load = initial_load(space, initial)
    center = fem.Function(space.functions)
    center.interpolate(lambda x: x[0] + 2 * x[1])
    own = center.x.array[: space.num_owned]
    assert comm.allreduce(load.sum()) == pytest.approx(1.0, abs=1e-13)
    mean = initial.center[0] + 2 * initial.center[1]
    assert comm.allreduce(load @ own) == pytest.approx(mean, abs=1e-9)


def _projected_moments(initial):
    """``E[(e·(θ − c))^k]``, k = 0, ..., 4, for any unit vector e."""
    options = {"epsabs": 0.0, "epsrel": 1e-13, "limit": 200}
    mass, second, fourth = (
        quad(lambda s, k: initial.profile(np.array(s)) * s**k, 0.0, initial.reach, k, **options)[0]
        for k in (2, 4, 6)
    )
    R = initial.radius
    return np.array([1.0, 0.0, R**2 * second / mass / 3, 0.0, R**4 * fourth / mass / 5])


def test_projected_moments_of_uniform_and_polynomial():
    """``E s^k`` is ``3/(3 + k)``, or a quotient of Beta functions for ``1 − s²``."""
    uniform, polynomial = Uniform((0.0,) * 3, 2.0), Polynomial((0.0,) * 3, 2.0, 1.0)
    expected = [1.0, 0.0, 4.0 / 5, 0.0, 16.0 * 3 / 35]
    np.testing.assert_allclose(_projected_moments(uniform), expected, rtol=1e-13)
    ratios = [beta((3 + k) / 2, 2.0) / beta(1.5, 2.0) for k in (2, 4)]
    expected = [1.0, 0.0, 4.0 * ratios[0] / 3, 0.0, 16.0 * ratios[1] / 5]
    np.testing.assert_allclose(_projected_moments(polynomial), expected, rtol=1e-13)


@pytest.mark.parametrize(
    "initial",
    [
        Bump((0.3, 0.2, 0.1), 1.0),
        Polynomial((0.3, 0.2, 0.1), 1.0),
        Polynomial((-0.2, 0.5, 0.1), 0.8, 1.5),
        Uniform((0.3, 0.2, 0.1), 1.0),
        Uniform((0.0, 0.7, -0.9), 0.02),
        Uniform((0.2, 0.0, 0.0), 0.2),
        Gaussian((0.3, -0.2, 0.1), 0.1),
    ],
)
def test_load_of_a_density_that_cells_cut_integrates_quartics(initial, comm, monkeypatch):
    """Quartics belong to a space of degree 8 on cells of degree 2, so their integrals are exact."""
    monkeypatch.setattr(load_vector, "_LARGEST_LOSS", 1e-13)
    space = Space(dataclasses.replace(RECIPE, geometry_degree=2).build(comm), 8, 11)
    load = initial_load(space, initial)
    nodes = space.functions.tabulate_dof_coordinates()[: space.num_owned]
    for direction in np.random.default_rng(4).normal(size=(3, 3)):
        unit = direction / np.linalg.norm(direction)
        offset = (nodes - initial.center) @ unit
        found = comm.allreduce(np.array([load @ offset**k for k in range(5)]))
        np.testing.assert_allclose(found, _projected_moments(initial), rtol=0, atol=1e-13)


def test_caps_that_no_gauss_point_sees_are_found(comm, monkeypatch):
    """The ball is smaller than the cells, and one of their facets cuts off 3e-9 of its mass."""
    monkeypatch.setattr(load_vector, "_LARGEST_LOSS", 1e-13)
    recipe = dataclasses.replace(RECIPE, sizes=((0.0, 1.1),), sectors=12, geometry_degree=5)
    space = Space(recipe.build(comm), 5, 8)
    load = initial_load(space, Polynomial((0.026804711388, -0.197351532946, -0.527636422002), 0.05))
    assert comm.allreduce(load.sum()) == pytest.approx(1.0, abs=1e-13)


def test_load_is_the_same_on_all_numbers_of_ranks(comm):
    recipe, initial = dataclasses.replace(RECIPE, geometry_degree=2), Uniform((0.3, 0.2, 0.1), 1.0)
    loads = [initial_load(Space(recipe.build(c), 4, 7), initial) for c in (comm, MPI.COMM_SELF)]
    norm = comm.allreduce(loads[0] @ loads[0])
    np.testing.assert_allclose(norm, loads[1] @ loads[1], rtol=1e-12)


# -- kinks


def test_volume_integral_of_a_sphere_inside_the_cube():
    legendre, weights = np.polynomial.legendre.leggauss(7)
    nodes = 0.5 * (legendre + 1.0)
    x, y, z = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    level = (x - 0.5) ** 2 + (y - 0.45) ** 2 + (z - 0.55) ** 2 - 0.1
    args = (level.reshape(7, -1), np.zeros((7, 49)), 1e-7)
    value, error = volume_integral(*args, nodes, 0.5 * weights, barycentric_weights(nodes))
    exact = 0.155 + 8 * math.pi * (0.1 * 0.1**1.5 / 3 - 0.1**2.5 / 5)
    assert value == pytest.approx(exact, abs=2e-6)
    assert error < 2e-6


def test_norm_of_a_linear_function_on_the_ball(comm):
    space = Space(dataclasses.replace(RECIPE, geometry_degree=8).build(comm), 8, 9)
    function = fem.Function(space.functions)
    function.interpolate(lambda x: x[0] + 0.3 * x[1])
    own = function.x.array[: space.num_owned].copy()
    norm = weighted_l1(space, np.zeros(space.points.shape[:2]), own, 1e-6)
    radii = np.array([0.0, 1.0, 2.0, 2.5])
    # The mean of |x·v| over the unit sphere is |v|/2.
    exact = math.hypot(1.0, 0.3) / 2 * math.pi * np.diff(radii**4)
    np.testing.assert_allclose(norm.values, exact, rtol=1e-6)


# -- resolution


def test_directions_are_spread_evenly():
    unit = directions_on_sphere(144)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0)
    np.testing.assert_allclose(unit.T @ unit / 144, np.eye(3) / 3, atol=2e-3)


def test_rough_functions_get_more_cells():
    def cells(frequency):
        def function(points):
            return np.sin(frequency * points[:, 0])

        return cells_per_edge(function, np.array([1.0, 2.0]), 3, 8.0, 1.0)

    assert (cells(0.5), cells(9.0), cells(15.0)) == (2, 3, 4)


# -- densities


def test_density_is_the_exact_one(density):
    points = np.random.default_rng(3).normal(size=(50, 3))
    exact = OU(points, 1.0)
    np.testing.assert_allclose(density(points), exact, rtol=2e-5)
    np.testing.assert_allclose(density.mean, OU.mean(1.0), atol=1e-7)
    variance = 0.16 * math.exp(-2.0) + OU.spread(1.0)
    np.testing.assert_allclose(density.covariance, variance * np.eye(3), atol=1e-6)
    np.testing.assert_allclose(density.mass, 1.0, rtol=1e-13)
    assert density.moment((1, 1, 0)) == pytest.approx(np.prod(OU.mean(1.0)[:2]), abs=1e-6)


def test_current_on_the_ball(density):
    points = np.array([[0.4, 0.1, -0.3], [1.0, -1.2, 0.5]])
    variance = 0.16 * math.exp(-2.0) + OU.spread(1.0)
    slope = -(points - OU.mean(1.0)) / variance
    exact = -OU(points, 1.0)[:, None] * (slope + points)
    np.testing.assert_allclose(density.current(points), exact, atol=2e-6)


@pytest.mark.parametrize("axes", [0, 2, (0, 1), (2, 0)])
def test_marginals_onto_one_and_two_axes(density, axes):
    kept = [axes] if isinstance(axes, int) else list(axes)
    grid = np.array([[0.0, 0.5], [-1.1, 0.2], [0.7, -1.3]])[:, : len(kept)]
    offset = grid - OU.mean(1.0)[kept]
    variance = 0.16 * math.exp(-2.0) + OU.spread(1.0)
    exact = np.exp(-np.sum(offset**2, axis=1) / (2 * variance))
    exact /= (2 * math.pi * variance) ** (len(kept) / 2)
    np.testing.assert_allclose(density.marginal(axes, grid.squeeze()), exact, rtol=1e-5)


@pytest.mark.parametrize("axes", [3, (0, 0), ()])
def test_marginal_refuses_axes(density, axes):
    with pytest.raises(ValueError, match="marginal axis must lie in"):
        density.marginal(axes, np.zeros(2))


def test_samples_follow_the_marginal(density):
    samples = density.sample(1000, seed=2)
    variance = 0.16 * math.exp(-2.0) + OU.spread(1.0)
    normal = (samples - OU.mean(1.0)) / math.sqrt(variance)
    assert all(kstest(column, "norm").pvalue > 1e-3 for column in normal.T)


# -- a study


def _study(dimension, depths):
    """A study whose network has two parameters, and whose start is a normal density."""
    return fp.Study.from_dict(
        {
            "network": {"field": ["0.2*theta[0]*tanh(theta[1]*x[0])"], "parameters": dimension},
            "data": {"inputs": [[0.3], [-0.2]], "targets": [[0.4], [0.1]]},
            "cap": {"kind": "none"},
            "initial": {"kind": "gaussian", "radius": 0.4, "center": [0.3, 0.2, 0.0][:dimension]},
            "annuli": {"radius": 1.0, "count": 1},
            "depths": {"values": depths, "limit": False},
            "accuracy": {"relative": 0.5 if dimension == 3 else 1e-4},
        }
    )


def test_companion_on_the_ball_sees_the_potential_at_its_own_points(comm, monkeypatch):
    monkeypatch.setattr(refinement, "BALL_RESOLUTIONS", ((4, 1.0),))
    study = _study(3, [2])
    fine, coarse = refinement.Ladder(study, comm, Progress()).begin([2.0])
    potential = NetworkPotential(study.network, study.data, study.cap, study.penalty, 1e-9)
    for level in (fine, coarse):
        table = potential.tabulate(level.space.points.reshape(-1, 3), [2.0], comm)
        np.testing.assert_allclose(level.tables.potential.ravel(), table.value, rtol=1e-5)


@pytest.mark.slow
def test_study_with_an_idle_third_parameter_is_one_with_two(comm, monkeypatch):
    monkeypatch.setattr(refinement, "BALL_RESOLUTIONS", ((5, 1.0),))
    three, two = (fp.run(_study(m, [2]), comm, Progress()) for m in (3, 2))
    # The third parameter is an Ornstein-Uhlenbeck process of its own.
    variance = 0.16 * math.exp(-2.0) + OU.spread(1.0)
    factors = {"density_l1": (1.0 - variance / 4.0) ** -0.5, "mean": 1.0, "risk": 1.0}
    for quantity, factor in factors.items():
        number, exact = three.curve(quantity)[2], factor * two.curve(quantity)[2].value
        assert number.value == pytest.approx(exact, rel=2e-3)
        assert abs(number.value - exact) <= number.uncertainty + 1e-4 * exact

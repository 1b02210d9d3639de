import numpy as np
import pytest
from mpi4py import MPI
from references.ornstein_uhlenbeck import OrnsteinUhlenbeck
from scipy.stats import chi2, kstest, norm

from fokkerplanck.fem.cells import CellMap
from fokkerplanck.fem.location import locate
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Gaussian
from fokkerplanck.solution.solve import solve

TIME = 0.5
RADIUS = 6.0


def solution_of(dimension, comm=MPI.COMM_WORLD):
    exact = OrnsteinUhlenbeck(1.0, Gaussian((0.6, -0.4)[:dimension], 0.3))
    solution = solve(exact.potential, exact.initial, TIME, RADIUS, degree=8, comm=comm)
    return exact, solution.density(TIME)


@pytest.fixture(scope="module", params=[1, 2], ids=["m=1", "m=2"])
def case(request):
    """The exact density and the computed one."""
    return solution_of(request.param)


def variance(exact):
    return np.exp(-4 * TIME) * exact.initial.radius**2 + exact.spread(TIME)


def points_in_ball(dimension, num=200, radius=3.5):
    rng = np.random.default_rng(1)
    direction = rng.standard_normal((num, dimension))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return radius * rng.random((num, 1)) * direction


def test_values_at_points(case):
    exact, density = case
    points = points_in_ball(density.dimension)
    np.testing.assert_allclose(density(points), exact(points, TIME), rtol=1e-9)


def test_values_on_facets_are_found_once(case):
    exact, density = case
    m = density.dimension
    spheres = density.space.domain.recipe.spheres[:-1]
    angles = np.pi / 4 * np.arange(8)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, :m]
    points = (spheres[:, None, None] * directions).reshape(-1, m)
    points = np.concatenate([np.zeros((1, m)), points])
    np.testing.assert_allclose(density(points), exact(points, TIME), rtol=1e-9)


def test_density_vanishes_outside_the_ball(case):
    _, density = case
    m = density.dimension
    points = np.array([[RADIUS + 1e-6, 0.0], [-40.0, 3.0], [0.0, 0.0]])[:, :m]
    values = density(points)
    np.testing.assert_array_equal(values[:2], 0.0)
    assert values[2] > 0
    np.testing.assert_array_equal(density.current(points)[:2], 0.0)


def test_no_points_are_no_values(case):
    _, density = case
    assert density(np.empty((0, density.dimension))).shape == (0,)


@pytest.mark.parametrize("degree", [2, 10])
def test_every_point_of_a_curved_mesh_is_found_where_it_is(degree):
    domain = Recipe("disk", Annuli(1.0, 2), 4.0, sectors=8, geometry_degree=degree).build(
        MPI.COMM_WORLD
    )
    points = points_in_ball(2, 2000, 3.8)
    place = locate(domain, points)
    assert domain.comm.allreduce(len(place.index)) == len(points)
    images = CellMap.of(domain).points(place.cells, place.reference)
    np.testing.assert_allclose(images, points[place.index], atol=1e-13)


def test_mass_and_moments(case):
    exact, density = case
    m, mean, var = density.dimension, exact.mean(TIME), variance(exact)
    np.testing.assert_allclose(density.mass, 1.0, rtol=1e-13)
    np.testing.assert_allclose(density.mean, mean, rtol=1e-11)
    np.testing.assert_allclose(density.covariance, var * np.eye(m), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(density.moment((2,) * m), np.prod(mean**2 + var), rtol=1e-10)
    cosine = density.expectation(lambda points: np.cos(points[:, 0]))
    np.testing.assert_allclose(cosine, np.exp(-var / 2) * np.cos(mean[0]), rtol=1e-11)


def test_current(case):
    exact, density = case
    points = points_in_ball(density.dimension)
    p, offset = exact(points, TIME), points - exact.mean(TIME)
    expected = p[:, None] * (offset / variance(exact) - 2 * points)
    found = density.current(points)
    scale = np.linalg.norm(expected, axis=1, keepdims=True) + p[:, None]
    assert np.all(np.abs(found - expected) < 1e-7 * scale)


def test_marginal(case):
    exact, density = case
    grid = np.linspace(-3.0, 3.0, 25)
    for axis in range(density.dimension):
        expected = norm(exact.mean(TIME)[axis], np.sqrt(variance(exact))).pdf(grid)
        np.testing.assert_allclose(density.marginal(axis, grid), expected, rtol=1e-9)
    np.testing.assert_array_equal(density.marginal(0, [-2 * RADIUS, 2 * RADIUS]), 0.0)


def test_samples_follow_the_density(case):
    exact, density = case
    samples = density.sample(4000, seed=3)
    assert samples.shape == (4000, density.dimension)
    deviation = np.sqrt(variance(exact))
    scaled = (samples - exact.mean(TIME)) / deviation
    for column in scaled.T:
        assert kstest(column, norm.cdf).pvalue > 1e-3
    squares = np.sum(scaled**2, axis=1)
    assert kstest(squares, chi2(density.dimension).cdf).pvalue > 1e-3
    # No two columns, and no two neighbours, are correlated.
    joint = np.column_stack([scaled[1:], scaled[:-1]])
    assert np.max(np.abs(np.corrcoef(joint.T) - np.eye(joint.shape[1]))) < 0.06


def test_samples_depend_on_the_seed_only(case):
    _, density = case
    first = density.sample(50, seed=1)
    np.testing.assert_array_equal(first, density.sample(50, seed=1))
    assert not np.any(first == density.sample(50, seed=2))
    assert density.sample(0, seed=1).shape == (0, density.dimension)


def test_minimum_is_that_of_the_far_end(case):
    exact, density = case
    m = density.dimension
    center = np.array(exact.initial.center)
    farthest = -RADIUS * center / np.linalg.norm(center)
    assert 0 < density.minimum < 10 * exact(farthest[None, :m], TIME)[0]
    values = density(points_in_ball(m, 500, RADIUS))
    assert density.minimum <= values.min()


def test_negative_values_are_reported(case):
    _, density = case
    negative = type(density)(density.operator, -density.coefficients)
    assert negative.minimum < -0.1


def test_all_is_the_same_on_all_numbers_of_ranks(case):
    _, density = case
    m = density.dimension
    _, alone = solution_of(m, MPI.COMM_SELF)
    points = points_in_ball(m)
    np.testing.assert_allclose(density(points), alone(points), rtol=1e-10)
    np.testing.assert_allclose(
        density.current(points), alone.current(points), rtol=1e-6, atol=1e-15
    )
    np.testing.assert_allclose(density.sample(100, 5), alone.sample(100, 5), atol=1e-10)
    np.testing.assert_allclose(density.l2_gibbs, alone.l2_gibbs, rtol=1e-12)


def test_bad_arguments(case):
    _, density = case
    m = density.dimension
    with pytest.raises(ValueError, match="points must have the shape"):
        density(np.zeros((3, m + 1)))
    with pytest.raises(ValueError, match="points must be finite"):
        density(np.full((1, m), np.nan))
    with pytest.raises(ValueError, match="marginal axis must lie in"):
        density.marginal(m, [0.0])
    with pytest.raises(ValueError, match="exponents"):
        density.moment((1,) * (m + 1))
    with pytest.raises(ValueError, match="number of samples"):
        density.sample(-1, 0)

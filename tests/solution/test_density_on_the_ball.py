"""Densities of three parameters against the exact one."""

import math

import numpy as np
import pytest
from mpi4py import MPI
from references.ornstein_uhlenbeck import OrnsteinUhlenbeck
from scipy.stats import kstest

import fokkerplanck as fp
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Gaussian

OU = OrnsteinUhlenbeck(0.5, Gaussian((0.3, -0.2, 0.1), 0.4))


@pytest.fixture(scope="module")
def density():
    """The Ornstein-Uhlenbeck density at T = 1."""
    recipe = Recipe("ball", Annuli(1.0, 2), 6.0, sizes=((0.0, 1.2),), sectors=8, geometry_degree=8)
    domain = recipe.build(MPI.COMM_WORLD)
    return fp.solve(OU.potential, OU.initial, domain=domain, degree=5).density(1.0)


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

"""Load vectors of initial densities whose edge cuts the cells of a ball."""

import dataclasses

import numpy as np
import pytest
from dolfinx import fem
from mpi4py import MPI
from scipy.integrate import quad
from scipy.special import beta

from fokkerplanck.fem.quadrature import load as load_vector
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Bump, Gaussian, Polynomial, Uniform

RECIPE = Recipe("ball", Annuli(1.0, 1), 2.5, sizes=((0.0, 1.5),), sectors=8, geometry_degree=4)


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
    space = Space(dataclasses.replace(RECIPE, geometry_degree=2).build(comm), 8)
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
    space = Space(recipe.build(comm), 5)
    load = initial_load(space, Polynomial((0.026804711388, -0.197351532946, -0.527636422002), 0.05))
    assert comm.allreduce(load.sum()) == pytest.approx(1.0, abs=1e-13)


def test_load_is_the_same_on_all_numbers_of_ranks(comm):
    recipe, initial = dataclasses.replace(RECIPE, geometry_degree=2), Uniform((0.3, 0.2, 0.1), 1.0)
    loads = [initial_load(Space(recipe.build(c), 4), initial) for c in (comm, MPI.COMM_SELF)]
    norm = comm.allreduce(loads[0] @ loads[0])
    np.testing.assert_allclose(norm, loads[1] @ loads[1], rtol=1e-12)

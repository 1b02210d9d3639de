"""What a density says of its error covers it: values, moments, marginals, the current."""

import copy

import numpy as np
import pytest
from mpi4py import MPI
from references.ornstein_uhlenbeck import OrnsteinUhlenbeck

import fokkerplanck as fp
from fokkerplanck.solution.uncertain import UncertainArray, UncertainFloat, uncertain


def test_floats_and_arrays_carry_their_parts():
    number, array = uncertain(2.0, {"a": 0.5, "b": 0.25}), uncertain([1.0, 2.0], {"a": [0.1, 0.2]})
    assert isinstance(number, UncertainFloat)
    assert isinstance(array, UncertainArray)
    assert number.uncertainty == 0.75
    assert copy.deepcopy(number).uncertainty == 0.75
    np.testing.assert_array_equal(array.uncertainty, [0.1, 0.2])
    assert type(2.0 * number) is float
    assert type(2.0 * array) is np.ndarray
    assert isinstance(array[0], float)
    with pytest.raises(AttributeError, match="only the array that a density returns"):
        _ = array.copy().uncertainty


def covers(found, exact, slack=1e-13):
    error = np.abs(np.asarray(found) - exact)
    assert np.all(error <= found.uncertainty + slack)


@pytest.mark.parametrize("degree", [3, 5, 8])
@pytest.mark.parametrize("dimension", [1, 2])
def test_uncertainties_cover_the_error_for_an_ornstein_uhlenbeck_density(dimension, degree):
    center = (0.3, -0.2)[:dimension]
    exact = OrnsteinUhlenbeck(1.0, fp.Gaussian(center, 0.4))
    solution = fp.solve(exact.potential, exact.initial, radius=6.0, degree=degree, tolerance=1e-6)
    for time in (0.3, 1.0):
        p = solution.density(time)
        points = np.random.default_rng(3).normal(size=(40, dimension))
        truth = exact(points, time)
        covers(p(points), truth)
        error = np.abs(p.at_gauss - exact(p.space.points, time))
        assert p.space.integrate(error) <= p.uncertainty
        covers(p.mean, np.exp(-2.0 * time) * np.array(center))
        assert p.mass.uncertainty < 1e-10
        assert p.minimum.uncertainty >= 0.0


def test_looser_computations_say_so():
    exact = OrnsteinUhlenbeck(1.0, fp.Gaussian((0.3,), 0.4))
    fine, loose = (
        fp.solve(exact.potential, exact.initial, radius=6.0, degree=p).density(1.0) for p in (9, 4)
    )
    assert fine.uncertainty < 1e-9
    assert loose.uncertainty > 1e3 * fine.uncertainty


def double_well(points):
    return 4.0 * (points[:, 0] ** 2 - 1.0) ** 2


def test_a_ball_that_cuts_the_wells_is_told_unless_its_wall_is_meant():
    start = fp.Bump((0.3,), 0.3)
    cut = fp.solve(double_well, start, 1.0, radius=1.0, diffusion=0.5)
    whole = fp.solve(double_well, start, 1.0, radius=2.2, diffusion=0.5).density(1.0)
    assert whole.mean.uncertainty < 1e-5
    mean = cut.density(1.0).mean
    assert abs(mean - whole.mean) <= mean.uncertainty + whole.mean.uncertainty
    assert mean.parts["truncation"] > 0.1
    walled = fp.solve(double_well, start, 1.0, 1.0, 0.5, boundary="reflecting")
    assert walled.density(1.0).mean.parts["truncation"] == 0.0


def test_early_densities_know_that_they_are_rough():
    solution = fp.solve(lambda x: x[:, 0] ** 2, fp.Bump((0.5,), 0.4), 5.0, 8.0)
    reference = fp.solve(lambda x: x[:, 0] ** 2, fp.Bump((0.5,), 0.4), 0.01, 8.0).density(0.01)
    early = solution.density(0.01)
    grid = np.linspace(-0.5, 1.5, 41)[:, None]
    covers(early(grid), np.asarray(reference(grid)), np.max(reference(grid).uncertainty))
    assert early.uncertainty > 100 * solution.density(5.0).uncertainty


def test_a_potential_that_fails_on_one_rank_ends_all():
    comm = MPI.COMM_WORLD

    def potential(points):
        if comm.rank == comm.size - 1:
            raise ZeroDivisionError("no potential here")
        return points[:, 0] ** 2

    with pytest.raises(ValueError, match="ZeroDivisionError: no potential here"):
        fp.solve(potential, fp.Bump((0.0,), 0.5), radius=3.0)


@pytest.mark.parametrize("method", ["cholesky", "iterative"])
def test_the_linear_solver_can_be_chosen(method):
    exact = OrnsteinUhlenbeck(1.0, fp.Gaussian((0.3, 0.0), 0.4))
    options = fp.SolverOptions(method)
    p = fp.solve(exact.potential, exact.initial, radius=4.0, degree=5, solver=options).density(1.0)
    covers(p.mean, np.exp(-2.0) * np.array([0.3, 0.0]))


def test_digits_far_out():
    """The density at radius 9 is 1e-37 of its largest value."""
    exact = OrnsteinUhlenbeck(1.0, fp.Gaussian((0.0,), 0.5))
    p = fp.solve(exact.potential, exact.initial, radius=12.0, degree=10).density(1.0, far=True)
    far = np.array([[6.0], [7.0]])
    assert np.asarray(p(far)) == pytest.approx(exact(far, 1.0), rel=1e-4)

"""Measured bounds and their uncertainties against closed forms of two quadratic potentials."""

import dataclasses
import math

import numpy as np
import pytest
from references.gaussian_pair import ANNULI, DEPTHS, PAIRS, GaussianPair, discretisations, solutions
from scipy.optimize import minimize_scalar

from fokkerplanck.difference.measurement import measure
from fokkerplanck.difference.number import Number
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.runtime.ranks import largest, smallest

EDGES = (0.0, *ANNULI.edges)

both = pytest.mark.parametrize("pair", PAIRS, ids=["line", "plane"])
at_depth = pytest.mark.parametrize("depth", DEPTHS)


@pytest.fixture(scope="module")
def measured():
    cache = {}

    def get(pair, depth):
        if (pair, depth) not in cache:
            cache[pair, depth] = measure(*solutions(pair, depth))
        return cache[pair, depth]

    return get


def supremum(curve, depth):
    """Largest value of ``curve(t, 1/depth)`` on [0, 1], and where it is taken."""
    grid = np.linspace(0.0, 1.0, 2001)
    top = grid[np.argmax([curve(t, 1 / depth) for t in grid])]
    bounds = (max(top - 1e-3, 0.0), min(top + 1e-3, 1.0))
    refined = minimize_scalar(
        lambda t: -curve(t, 1 / depth), bounds=bounds, method="bounded", options={"xatol": 1e-9}
    )
    return max((curve(t, 1 / depth), t) for t in (refined.x, *bounds))


@both
@at_depth
def test_density_norms(pair, depth, measured):
    numbers = measured(pair, depth).density_l1
    exact = pair.norms(1.0, 1.0 / depth, EDGES)
    assert list(numbers) == ["", "core", "0", "1"]
    assert [numbers[label].value for label in ("core", "0", "1")] == pytest.approx(exact, rel=1e-8)
    for label, truth in zip(("core", "0", "1"), exact, strict=True):
        assert_honest(numbers[label], truth, 1e-6)


@both
@at_depth
def test_whole_norm_covers_all_space(pair, depth, measured):
    number = measured(pair, depth).density_l1[""]
    truth = pair.norms(1.0, 1.0 / depth, (*EDGES, 7.0, 12.0)).sum()
    assert_honest(number, truth, 1e-6)


@both
@at_depth
def test_mean_with_the_time_of_its_supremum(pair, depth, measured):
    number = measured(pair, depth).mean
    truth, time = supremum(pair.mean_bound, depth)
    assert_honest(number, truth, 1e-6)
    assert number.time == pytest.approx(time, abs=1e-3)


@both
@at_depth
def test_risk_with_the_time_of_its_supremum(pair, depth, measured):
    number = measured(pair, depth).risk
    truth, time = supremum(pair.risk_bound, depth)
    assert_honest(number, truth, 1e-6)
    assert number.time == pytest.approx(time, abs=1e-3)


def assert_honest(number, truth, largest):
    """The uncertainty covers the error, and says something."""
    assert abs(number.value - truth) <= number.uncertainty + 1e-13 * truth
    assert number.uncertainty <= largest * truth


def both_measured(pair, fine, depth):
    """A depth measured on a discretisation and its companion."""
    coarse = fine.coarser(lambda space: pair.tables(space, (depth,)))
    return measure(PairSolution.compute(fine, depth), PairSolution.compute(coarse, depth))


def test_supremum_inside_the_time_interval():
    # The mean of the second density first runs ahead, then both meet at the origin.
    pair = GaussianPair(s=(0.0,), center=(1.2,), b=0.5)
    fine = pair.discretisation((4.0,), degree=10)
    number = both_measured(pair, fine, 4.0).mean
    truth, time = supremum(pair.mean_bound, 4.0)
    assert 0.3 < time < 0.8
    assert_honest(number, truth, 1e-7)
    assert number.time == pytest.approx(time, abs=1e-5)


@both
def test_reflection_at_a_near_boundary_is_covered(pair):
    # In so small a ball the boundary is by far the largest source of error.
    fine = pair.discretisation((2.0,), degree=8, radius=4.5)
    measurement = both_measured(pair, fine, 2.0)
    for number, curve in ((measurement.mean, pair.mean_bound), (measurement.risk, pair.risk_bound)):
        assert_honest(number, supremum(curve, 2.0)[0], 1e-2)
    assert abs(measurement.mean.value - pair.mean_bound(1.0, 0.5)) > 1e-8
    for label, truth in zip(("core", "0", "1"), pair.norms(1.0, 0.5, EDGES), strict=True):
        assert_honest(measurement.density_l1[label], truth, 1e-2)


@both
def test_uncertainty_shrinks_with_the_degree(pair):
    sums = []
    for degree in (4, 6):
        fine = pair.discretisation((2.0,), degree=degree)
        numbers = both_measured(pair, fine, 2.0)
        exact = pair.norms(1.0, 0.5, EDGES)
        for label, truth in zip(("core", "0", "1"), exact, strict=True):
            assert_honest(numbers.density_l1[label], truth, 1e-2)
        sums.append(numbers.density_l1["core"].uncertainty)
    assert sums[1] < 0.1 * sums[0]


@both
@at_depth
def test_parts_are_named_and_sum_to_the_uncertainty(pair, depth, measured):
    measurement = measured(pair, depth)
    names = {"space", "krylov", "quadrature", "truncation", "risk", "rounding", "sampling"}
    for number in measurement.density_l1.values():
        assert set(number.parts) == names
        assert number.uncertainty == sum(number.parts.values())
        assert min(number.parts.values()) >= 0.0
    for number in (measurement.mean, measurement.risk):
        assert set(number.parts) == names - {"quadrature"}


@both
def test_error_of_the_potential_enters_relative_to_the_value_and_to_its_range(pair):
    """What is known relative to the largest difference is not known where this is small."""
    fine, _ = discretisations(pair)
    errors = dict.fromkeys(DEPTHS, 1e-4)
    tables = dataclasses.replace(fine.tables, errors=errors)
    pair_solution, companion = solutions(pair, math.inf)
    discretisation = dataclasses.replace(fine, tables=tables)
    blurred = dataclasses.replace(pair_solution, discretisation=discretisation)
    measurement = measure(blurred, companion)
    comm = fine.space.domain.comm
    gap = fine.tables.differences[math.inf]
    spread = largest(comm, gap) - smallest(comm, gap)
    weight = np.exp(fine.log_bound_weight)
    reach = fine.space.integrate(weight * pair_solution.limit_density(1.0).at_gauss)
    whole = measurement.density_l1[""]
    expected = 1e-4 * (whole.value + spread * reach / fine.problem.diffusion)
    assert whole.parts["risk"] == pytest.approx(expected, rel=1e-9)
    for number in (*measurement.density_l1.values(), measurement.mean, measurement.risk):
        assert number.parts["risk"] > 1e-4 * number.value


@both
def test_labels_of_all_bounds(pair, measured):
    bounds = measured(pair, math.inf).bounds
    regions = [("density_l1", label) for label in ("", "core", "0", "1")]
    assert list(bounds) == [*regions, ("mean", ""), ("risk", ""), ("l1", "")]


@both
@pytest.mark.parametrize("radius", [4.0, 4.5, 6.0])
def test_smallest_density_is_honest(pair, radius):
    """Its place is the sphere at 4, where the wall is the nearer the more of the density it holds.

    The sphere is not known from the nodes alone: p^N is smallest between two of them.
    """
    fine = pair.discretisation((2.0,), degree=8, radius=radius)
    number = both_measured(pair, fine, 2.0).density_min
    assert {"space", "krylov", "truncation", "risk", "rounding"} == set(number.parts)
    angles = np.linspace(0.0, 2.0 * np.pi, 200_001)
    sphere = np.array([[-4.0], [4.0]])
    if pair.dimension == 2:
        sphere = 4.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    exact = pair.density(sphere, 1.0) - 0.5 * pair.difference(sphere, 1.0, 0.5)
    assert abs(number.value - exact.min()) <= number.uncertainty
    if radius == 6.0:
        assert number.uncertainty < 1e-3 * number.value


@both
@at_depth
def test_density_keeps_its_mass_and_its_sign(pair, depth, measured):
    measurement = measured(pair, depth)
    assert abs(measurement.mass_defect.value) < 1e-12
    smallest = measurement.density_min
    assert smallest.value > -max(smallest.uncertainty, 1e-14)


def test_number_without_parts_is_certain():
    assert Number(1.0, 0.0).uncertainty == 0

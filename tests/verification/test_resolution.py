"""What is improved where which part dominates: the tables of remedies, without any equation."""

import math

import pytest

from fokkerplanck.difference.measurement import Measurement
from fokkerplanck.difference.number import Number
from fokkerplanck.verification.accuracy import Basis, Growth
from fokkerplanck.verification.refinement import bottlenecks
from fokkerplanck.verification.resolution import (
    BALL_RESOLUTIONS,
    FINEST_RISK,
    REMEDIES,
    RESOLUTIONS,
    WIDENING,
    WIDEST,
    Resolution,
)


def first(dimension=2, accuracy=1e-4):
    return Resolution.first(dimension, accuracy, radius=9.0, annuli_radius=8.0)


@pytest.mark.parametrize(
    ("dimension", "accuracy", "degree"),
    [(1, 1e-3, 8), (2, 1e-5, 10), (1, 1e-7, 12), (2, 1e-9, 12), (3, 1e-2, 6), (3, 1e-4, 10)],
)
def test_higher_degrees_where_more_digits_are_asked(dimension, accuracy, degree):
    assert first(dimension, accuracy).degree == degree


@pytest.mark.parametrize("part", ["space", "quadrature"])
def test_space_and_quadrature_want_a_finer_space(part):
    now, steps = first(accuracy=1e-3), [RESOLUTIONS[0]]
    while (better := now.improved({part})) is not None:
        assert (better.radius, better.risk_tolerance) == (now.radius, now.risk_tolerance)
        steps.append((better.degree, better.refinement))
        now = better
    assert tuple(steps) == RESOLUTIONS


def test_truncation_wants_a_wider_ball_up_to_a_limit():
    now = first()
    radii = [now.radius]
    while (better := now.improved({"truncation"})) is not None:
        assert better.steps == now.steps
        radii.append(better.radius)
        now = better
    assert radii[1] == pytest.approx(WIDENING * radii[0])
    assert radii[-2] < WIDEST * 8.0 <= radii[-1]


def test_risk_wants_a_smaller_tolerance_up_to_a_limit():
    now = first(accuracy=1e-2)
    assert now.improved({"risk"}).risk_tolerance == pytest.approx(1e-2 * now.risk_tolerance)
    while (better := now.improved({"risk"})) is not None:
        now = better
    assert now.risk_tolerance == FINEST_RISK


def test_all_remedies_of_all_bottlenecks_are_taken_at_once():
    now = first(accuracy=1e-2)
    better = now.improved({"space", "truncation", "risk"})
    assert better.degree > now.degree
    assert better.radius > now.radius
    assert better.risk_tolerance < now.risk_tolerance


@pytest.mark.parametrize("part", ["krylov", "rounding"])
def test_no_discretisation_cures_what_is_no_fault_of_it(part):
    assert first().improved({part}) is None
    assert all(part not in remedy.cures for remedy in REMEDIES)


def test_the_ball_has_steps_of_its_own():
    assert set(first(3).steps) <= set(BALL_RESOLUTIONS)


# -- the Krylov space


def measurement(value=1.0, **parts):
    number = Number(value, 1.0, {"space": 0.0, "krylov": 0.0, "rounding": 0.0} | parts)
    exact = Number(1.0, 1.0, {"space": 0.0, "krylov": 0.0, "rounding": 0.0})
    return Measurement(math.inf, {"": exact, "core": number}, exact, exact, exact, exact, exact)


BASIS = Basis(size=30, steps=40.0, uses_balls=False, resolves_far=False)


def test_rounding_wants_ball_arithmetic_once():
    growth, rounded = Growth(1e-6), measurement(rounding=1e-5)
    assert growth.wants_balls(rounded, BASIS)
    assert not growth.wants_balls(rounded, Basis(30, 40.0, True, False))
    assert not growth.wants_balls(measurement(rounding=1e-7), BASIS)


def test_krylov_errors_want_vectors_as_long_as_they_help():
    growth = Growth(1e-6)
    errors = [1e-3, 3e-4, 1e-4, 9e-5, 9e-5, 9e-5, 9e-5]
    steps = [growth.vectors(measurement(krylov=error), BASIS) for error in errors]
    assert steps == [10, 10, 10, 10, 10, 0, 0]
    assert Growth(1e-6).vectors(measurement(krylov=1e-7), BASIS) == 0


def test_numbers_far_out_want_as_many_vectors_as_steps():
    far = measurement(value=1e-40, krylov=1e-40)
    line = Basis(size=30, steps=200.0, uses_balls=True, resolves_far=True)
    assert Growth(1e-6).vectors(far, line) == 110
    assert Growth(1e-6).vectors(far, BASIS) == 0
    assert Growth(1e-6).wants_balls(far, Basis(30, 200.0, False, True))


def test_bottlenecks_are_parts_of_inaccurate_numbers():
    assert bottlenecks(measurement(space=1e-5, krylov=1e-6), 1e-6) == {"space"}
    assert bottlenecks(measurement(space=1e-8), 1e-6) == set()

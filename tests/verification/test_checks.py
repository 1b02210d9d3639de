"""Checks on tables that are made up: orders, limits, accuracy, explicit constants."""

import math

import numpy as np
import pytest

from fokkerplanck.study.results import Results, Row
from fokkerplanck.verification.checks import accuracy_check, check_bounds, settling
from fokkerplanck.verification.convergence import NEGLIGIBLE, fitted_rate, second_coefficient
from fokkerplanck.verification.explicit_constants import ExplicitConstants

HEADINGS, QUANTITIES = ("(A)", "(B)", "(C)", "L¹"), ("mean", "risk", "density_l1", "l1")
DEPTHS = (*(float(2**k) for k in range(11)), math.inf)


def row(depth, scaled, relative=1e-9, quantity="density_l1", annulus=""):
    factor = 1.0 if math.isinf(depth) else depth
    value = scaled / factor
    return Row(
        quantity, annulus, depth, 1.0, value, relative * value, scaled, relative * abs(scaled)
    )


def curve(function, depths=DEPTHS, **options):
    return {N: row(N, function(N), **options) for N in depths}


# -- orders


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_pure_powers_are_recovered(order, sign):
    rate = fitted_rate(curve(lambda N: 2.0 + sign * 0.7 * N**-order, relative=1e-15))
    assert rate.value == pytest.approx(order, abs=1e-3)
    assert rate.error < 1e-3


@pytest.mark.parametrize(("a", "b"), [(0.3, 1.0), (0.3, -1.0), (-1.0, 5.0), (1.0, -0.9)])
def test_first_order_is_seen_through_the_second(a, b):
    rate = fitted_rate(curve(lambda N: 2.0 + a / N + b / N**2, relative=1e-12))
    assert rate.value == pytest.approx(1.0, abs=0.1)
    assert abs(rate.value - 1.0) < 10 * rate.error


def test_gaps_that_drown_in_the_uncertainty_are_left_out():
    generator = np.random.default_rng(7)
    noise = 1e-6

    def noisy(N):
        return 2.0 * (1.0 + 0.3 * noise * generator.uniform(-1, 1)) + 0.5 / N**2

    rate = fitted_rate(curve(noisy, relative=noise))
    assert rate.value == pytest.approx(2.0, abs=0.1)


def test_nothing_is_fitted_where_nothing_can_be():
    def settled(N):
        return 1.0

    assert fitted_rate(curve(settled)) is None
    assert fitted_rate(curve(lambda N: 1 + 1 / N, depths=DEPTHS[:-1])) is None
    assert fitted_rate(curve(lambda N: 1 + 1 / N, depths=(1.0, 2.0, math.inf))) is None
    assert fitted_rate(curve(lambda N: 0.1 * NEGLIGIBLE * (1 + 1 / N))) is None
    assert fitted_rate({}) is None


# -- second coefficients


@pytest.mark.parametrize(("a", "b", "c"), [(0.3, 1.0, 0.0), (-1.2, 0.4, 5.0)])
def test_second_coefficient_of_a_series(a, b, c):
    found = second_coefficient(curve(lambda N: 2.0 + a / N + b / N**2 + c / N**3, relative=1e-13))
    assert abs(found.value - a) <= found.error < 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_error_of_the_second_coefficient_covers_noise_and_higher_orders(seed):
    generator = np.random.default_rng(seed)

    def noisy(N):
        noise = 1e-8 * generator.uniform(-1, 1)
        return 2.0 * (1 + noise) + 0.5 * math.log1p(1.0 / N) if math.isfinite(N) else 2.0

    found = second_coefficient(curve(noisy, relative=1e-8))
    assert abs(found.value - 0.5) <= found.error < 1e-4


def test_second_coefficient_needs_two_depths_and_a_limit():
    assert second_coefficient(curve(lambda N: 1 + 1 / N, depths=(4.0, math.inf))) is None
    assert second_coefficient(curve(lambda N: 1 + 1 / N, depths=DEPTHS[:-1])) is None


# -- accuracy


def test_accuracy_is_that_of_the_worst_number():
    rows = [row(1.0, 2.0, 1e-8), row(4.0, 2.0, 3e-7, annulus="1"), row(2.0, 2.0, 1e-9)]
    table = Results((*rows, row(1.0, 2.0, 0.5, quantity="mean")))
    assert accuracy_check(table, 1e-6).holds
    failed = accuracy_check(table, 1e-7)
    assert not failed.holds
    assert failed.detail == (
        "largest relative uncertainty 3.0e-07 (region 1, N = 4), asked 1.0e-07"
    )


def test_negligible_numbers_need_no_accuracy():
    table = Results((row(1.0, 2.0), row(1.0, 0.5 * NEGLIGIBLE, 10.0, annulus="2")))
    assert accuracy_check(table, 1e-6).holds


# -- all checks


def bounds(function=lambda N: 1.0 + 0.3 / N, **options):
    """Rows of all bounds; the values of the quantities named in `options` differ."""
    rows = []
    for quantity in QUANTITIES:
        rows += curve(options.get(quantity, function), quantity=quantity).values()
    return rows + list(curve(options.get("core", function), annulus="core").values())


def verdicts(rows, constant=2.0, tolerance=1e-6):
    constants = dict.fromkeys(DEPTHS, ExplicitConstants(*[constant] * 5))
    checks = check_bounds(rows, constants, tolerance)
    return {check.name: check.holds for check in checks}


def test_all_checks_hold_for_numbers_that_behave():
    names = [f"{heading} explicit constant" for heading in HEADINGS]
    names += [f"{heading} settles" for heading in ("(C)", "core", "(A)", "(B)", "L¹")]
    names += ["accuracy"]
    assert verdicts(bounds()) == dict.fromkeys(names, True)


@pytest.mark.parametrize(("heading", "quantity"), list(zip(HEADINGS, QUANTITIES, strict=True)))
def test_value_above_its_explicit_constant_fails(heading, quantity):
    found = verdicts(bounds(**{quantity: lambda N: 2.1 + 0.3 / N}))
    failed = [name for name, holds in found.items() if not holds]
    assert failed == [f"{heading} explicit constant"]


def test_value_at_its_constant_is_given_its_uncertainty():
    rows = [row(N, 2.0 * (1 + 5e-10), 1e-9, q) for N in DEPTHS for q in QUANTITIES]
    assert all(verdicts(rows).values())
    rows = [row(N, 2.0 * (1 + 5e-9), 1e-9, q) for N in DEPTHS for q in QUANTITIES]
    assert not any(verdicts(rows)[f"{heading} explicit constant"] for heading in HEADINGS)


def test_values_that_do_not_approach_the_limit_fail():
    def stuck(N):
        return 1.0 + (0.0 if math.isinf(N) else 0.1 + 0.01 / N)

    found = verdicts(bounds(core=stuck))
    assert [name for name, holds in found.items() if not holds] == ["core settles"]


def test_what_depths_say_of_the_limit_decides_where_distances_do_not():
    def stuck(N):
        return 1.0 + (0.0 if math.isinf(N) else 0.1 - 0.01 / N)

    # the distances grow, and to something: the limit is wrong
    check = settling("core", curve(stuck))
    assert check.holds is False
    assert "extrapolate to 1.1 ±" in check.detail
    assert "c* = 1;" in check.detail


def test_distances_that_have_not_begun_to_fall_decide_nothing():
    """100 N·(B)/‖p_0‖₂ of the study `geyser1`, which turns back to its limit at larger depths."""
    depths = (*map(float, range(1, 8)), math.inf)
    values = [1.45494, 2.3455, 2.3903, 2.39859, 2.40139, 2.4023, 2.40247, 2.39554]
    check = settling("(B)", curve(dict(zip(depths, values, strict=True)).get, depths=depths))
    assert check.holds is None
    assert check.detail.startswith("not yet asymptotic: the depths extrapolate to ")
    assert "over N = 5..7; at least N^-0.5 is asked" in check.detail


def test_the_rule_by_which_a_bound_settles_is_said():
    check = settling("(C)", curve(lambda N: 1.0 + 0.3 / N))
    assert check.holds
    assert check.detail == (
        "|N·value − c*| goes like N^-1.000 ± 0.000 over N = 64..1024; at least N^-0.5 is asked"
    )


def test_without_the_limit_nothing_settles():
    assert settling("(C)", curve(lambda N: 1.0 + 0.3 / N, depths=DEPTHS[:-1])) is None


# -- p = p^N


def test_zeros_meet_every_check():
    rows = [row(N, 0.0, quantity=q) for N in DEPTHS for q in QUANTITIES]
    found = verdicts(rows, constant=0.0)
    assert found == dict.fromkeys([*(f"{h} explicit constant" for h in HEADINGS), "accuracy"], True)


def test_rounding_of_zeros_needs_no_accuracy():
    rows = [row(N, 1e-15 * N, 2.0, quantity=q) for N in DEPTHS[:-1] for q in QUANTITIES]
    check = accuracy_check(Results(tuple(rows)), 1e-6)
    assert check.holds
    assert check.detail == "N·(C)/‖p0‖₂ is zero up to 2.0e-12"
    # an uncertainty that rounding does not explain is one that misses the accuracy
    blurred = [row(N, 1e-6, 2.0, quantity=q) for N in DEPTHS[:-1] for q in QUANTITIES]
    assert not accuracy_check(Results(tuple(blurred)), 1e-6).holds

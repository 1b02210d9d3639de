import math

import numpy as np
import pytest

from fokkerplanck.simulation.noisy_sgd import NoisySGD


@pytest.mark.parametrize("depth", [1, 3, 8, math.inf])
def test_slope_is_the_derivative_of_the_risk(depth):
    steps, theta, h = NoisySGD(0.1, depth), np.linspace(-4.3, 2.0, 40), 1e-6
    risk = np.exp(steps.log_risk(theta + h)) - np.exp(steps.log_risk(theta - h))
    np.testing.assert_allclose(steps.slope(theta), risk / (2 * h), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("depth", [1, 2])
def test_moderate_expectations_are_those_of_samples(depth):
    steps, rng = NoisySGD(0.1, depth), np.random.default_rng(2)
    theta = np.zeros(400_000)
    for _ in range(2):
        slope = steps.slope(theta)
        theta = theta - steps.rate * slope + steps.spread * rng.standard_normal(theta.size)
    values = np.exp(steps.log_risk(theta))
    expected = 10 ** steps.log10_expected_risk()[0]
    assert abs(values.mean() - expected) < 4 * values.std() / math.sqrt(values.size)


def test_expectations_of_a_polynomial_are_exact():
    # one layer: V_1(θ) = (1 + θ − ρ)² + 1 − ρ² + γθ², so θ_2 is normal
    steps = NoisySGD(0.1, 1)
    factor = 1 - steps.rate * 3.0
    shift = -steps.rate * 2 * (1 - steps.correlation)
    mean, variance = shift * (1 + factor), steps.spread**2 * (1 + factor**2)
    offset = 1 + mean - steps.correlation
    square = offset**2 + variance + 1 - steps.correlation**2 + 0.5 * (mean**2 + variance)
    value, error = steps.log10_expected_risk()
    assert value == pytest.approx(math.log10(square), abs=1e-10)
    assert error < 1e-9

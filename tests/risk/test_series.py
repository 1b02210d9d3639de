"""Differences N (L - L_N): closed forms without cancellation, the depth expansion, its errors."""

import math

import mpmath
import numpy as np
import pytest

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk import DepthLimit, NeuralODERisk, ResNetRisk, RiskSeries
from fokkerplanck.risk.expansion import EXPANSION_DEPTHS, extrapolate

LINEAR = Network(("theta[0]*x[0]",))
TANH = Network(("theta[0]*tanh(theta[1]*x[0])",))
DEPTHS = [1, 3, 64, 65, 128, 1024, 4096, 2**20]


def sample() -> DataMeasure:
    generator = np.random.default_rng(8)
    return DataMeasure(*generator.normal(size=(2, 40)))


def linear_difference(data: DataMeasure, theta: float, depth: float) -> tuple[float, float]:
    """Return N (L - L_N) and its derivative for the linear network, in high precision."""
    x, y = (
        [mpmath.mpf(v) for v in column[:, 0].tolist()] for column in (data.inputs, data.targets)
    )

    pairs = list(zip(x, y, strict=True))

    def value(t: mpmath.mpf) -> mpmath.mpf:
        end = mpmath.exp(t)
        if depth == math.inf:
            return sum(-(t**2) * end * a * (b - end * a) for a, b in pairs) / 40
        layers = (1 + t / depth) ** depth
        return depth * sum((b - end * a) ** 2 - (b - layers * a) ** 2 for a, b in pairs) / 40

    with mpmath.workdps(60):
        return float(value(mpmath.mpf(theta))), float(mpmath.diff(value, mpmath.mpf(theta)))


def test_differences_keep_their_digits_at_every_depth() -> None:
    data, theta = sample(), np.array([[-2.0], [-0.5], [0.3], [1.2], [2.0]])
    table = RiskSeries(LINEAR, data).tabulate(theta, [*DEPTHS, math.inf])
    for depth in [*DEPTHS, math.inf]:
        exact = np.array([linear_difference(data, float(t), depth) for t in theta[:, 0]])
        found = np.column_stack([table.difference[depth], table.difference_gradient[depth]])
        error = np.abs(found - exact).max(axis=0) / np.abs(exact).max(axis=0)
        assert error.max() <= table.error[depth], depth
        assert table.error[depth] <= 2e-11, depth


def test_methods_are_named() -> None:
    table = RiskSeries(LINEAR, sample()).tabulate([[0.5]], [1, 64, 65, math.inf])
    assert table.method == {1: "direct", 64: "direct", 65: "expansion", math.inf: "limit"}


@pytest.mark.parametrize("tolerance", [1e-8, 1e-10, 1e-12])
def test_estimated_error_is_honest(tolerance: float) -> None:
    data = sample()
    theta = np.random.default_rng(9).normal(size=(30, 2))
    theta *= np.linspace(0.1, 3, 30)[:, None] / np.linalg.norm(theta, axis=1)[:, None]
    coarse = RiskSeries(TANH, data, tolerance).tabulate(theta, [16, 100, 1000, math.inf])
    fine = RiskSeries(TANH, data, 1e-14).tabulate(theta, [16, 100, 1000, math.inf])
    for depth, values in fine.difference.items():
        change = np.abs(coarse.difference[depth] - values).max() / np.abs(values).max()
        assert change <= coarse.error[depth] + fine.error[depth], depth
        assert coarse.error[depth] <= 100 * tolerance


def test_table_agrees_with_the_risks_themselves() -> None:
    data, theta = sample(), np.array([[0.7, 1.1], [-1.3, 0.4]])
    table = RiskSeries(TANH, data).tabulate(theta, [2, 100, math.inf])
    value, gradient = NeuralODERisk(TANH, data)(theta)
    np.testing.assert_allclose(table.value, value, rtol=1e-12)
    np.testing.assert_allclose(table.gradient, gradient, rtol=1e-11)
    for depth in (2, 100):
        shallow, slope = ResNetRisk(TANH, data, depth)(theta)
        np.testing.assert_allclose(table.difference[depth], depth * (value - shallow), rtol=1e-9)
        np.testing.assert_allclose(
            table.difference_gradient[depth], depth * (gradient - slope), rtol=1e-9, atol=1e-10
        )
    limit, slope = DepthLimit(TANH, data)(theta)
    np.testing.assert_allclose(table.difference[math.inf], limit, rtol=1e-12)
    np.testing.assert_allclose(table.difference_gradient[math.inf], slope, rtol=1e-11)


def test_threads_change_nothing() -> None:
    data, theta = sample(), np.random.default_rng(2).normal(size=(7, 2))
    one = RiskSeries(TANH, data).tabulate(theta, [4, 200, math.inf])
    many = RiskSeries(TANH, data, threads=3).tabulate(theta, [4, 200, math.inf])
    np.testing.assert_array_equal(one.gradient, many.gradient)
    for depth, values in one.difference_gradient.items():
        np.testing.assert_array_equal(values, many.difference_gradient[depth])
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        RiskSeries(TANH, data, threads=0)


def test_kinks_are_never_expanded() -> None:
    network = Network(("theta[0]*relu(x[0]+theta[1])",))
    table = RiskSeries(network, sample(), 1e-9).tabulate([[0.5, 0.1]], [8, 200])
    assert table.method == {8: "direct", 200: "direct"}


def test_kinks_keep_the_order_one() -> None:
    network = Network(("theta[0]*relu(x[0]+theta[1])",))
    depths = [32, 64, 128, 256]
    table = RiskSeries(network, sample(), 1e-9).tabulate([[-1.5, 0.3]], [*depths, math.inf])
    distance = [abs(table.difference[n] - table.difference[math.inf])[0] for n in depths]
    assert distance[-1] < 0.3 * distance[0]


def test_no_points_and_no_depths() -> None:
    table = RiskSeries(TANH, sample()).tabulate(np.empty((0, 2)), [4, 500, math.inf])
    assert table.difference_gradient[500].shape == (0, 2)
    assert RiskSeries(TANH, sample()).tabulate([[0.1, 0.2]], []).difference == {}


@pytest.mark.parametrize("depth", [0, -1, 2.5, math.nan])
def test_refuses_depths(depth: float) -> None:
    with pytest.raises(ValueError, match="depth must be a whole number of layers"):
        RiskSeries(TANH, sample()).tabulate([[0.1, 0.2]], [depth])


def test_extrapolation_is_exact_for_polynomials() -> None:
    nodes = np.array([math.inf, *EXPANSION_DEPTHS])
    values = ((3 - 2 / nodes) ** 5)[None, :, None]
    result, spread = extrapolate(nodes, values, [100, 1000, 10**6])
    exact = (3 - 2 / np.array([100, 1000, 10**6])) ** 5
    np.testing.assert_allclose(result[0, :, 0], exact, rtol=1e-13)
    assert spread.max() < 1e-10

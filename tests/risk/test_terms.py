"""Risks and their gradients against closed forms and plain loops."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk import (
    DepthLimit,
    NeuralODERisk,
    ResNetRisk,
    RiskError,
    RiskSeries,
    reference,
)
from fokkerplanck.risk.sample_blocks import LARGEST_BLOCK, block_size, blocked

LINEAR = Network(("theta[0]*x[0]",))
SINH = Network(("theta[0]*tanh(x[0])",))
TANH = Network(("theta[0]*tanh(theta[1]*x[0])",))
ROTATION = Network(("tanh(theta[0]*x[0]-theta[1]*x[1])", "tanh(theta[1]*x[0]+theta[0]*x[1])"))
FIELDS = {
    "tanh": TANH,
    "bias": Network(("theta[0]*sigmoid(theta[1]*x[0]+theta[2])",)),
    "rotation": ROTATION,
    "gelu": Network(("theta[0]*gelu(theta[1]*x[0])",)),
    "softplus": Network(("theta[0]*softplus(x[0])-theta[1]*exp(-x[0]**2)",)),
    "waves": Network(("sin(theta[0]*x[0])/2", "theta[1]*cos(x[0]-x[1])")),
    "powers": Network(("theta[0]*x[0]/(1+x[0]**2)**1.5-theta[1]*arctan(x[0])**3",)),
    "logarithm": Network(("log(2+theta[0]**2+x[0]**2)*theta[1]**2/sqrt(3+x[0]**2)",)),
}


def sample(dimension: int = 1, count: int = 70) -> DataMeasure:
    generator = np.random.default_rng(3)
    weights = generator.uniform(0.5, 1.5, count)
    inputs, targets = generator.normal(size=(2, count, dimension))
    return DataMeasure(inputs, targets, weights / weights.sum())


def parameters(network: Network, count: int = 5) -> NDArray[np.float64]:
    return np.random.default_rng(4).normal(size=(count, network.num_parameters))


@pytest.mark.parametrize("depth", [1, 2, 17, 1000])
def test_linear_network_has_a_closed_form(depth: int) -> None:
    theta, data = np.linspace(-0.9, 1.5, 7)[:, None], sample()
    value, gradient = ResNetRisk(LINEAR, data, depth)(theta)
    x, y = data.inputs[:, 0], data.targets[:, 0]
    factor = np.exp(depth * np.log1p(theta / depth))
    slope = factor / (1 + theta / depth)
    np.testing.assert_allclose(value, (y - factor * x) ** 2 @ data.weights, rtol=1e-13)
    np.testing.assert_allclose(
        gradient[:, 0], -2 * (x * slope * (y - factor * x)) @ data.weights, rtol=1e-12
    )


@pytest.mark.parametrize("tolerance", [1e-6, 1e-8, 1e-10, 1e-12, 1e-13, 1e-14])
def test_neural_ode_has_a_closed_form(tolerance: float) -> None:
    theta, data = np.linspace(-3, 3, 25)[:, None], sample()
    end = np.arcsinh(np.exp(theta) * np.sinh(data.inputs[:, 0]))
    exact = (data.targets[:, 0] - end) ** 2 @ data.weights
    value, _ = NeuralODERisk(SINH, data, tolerance)(theta)
    np.testing.assert_allclose(value, exact, rtol=tolerance + 1e-15)
    np.testing.assert_allclose(
        NeuralODERisk(SINH, data, tolerance).value(theta), exact, rtol=tolerance + 1e-15
    )


@pytest.mark.parametrize("network", [SINH, TANH])
def test_depth_limit_has_a_closed_form(network: Network) -> None:
    theta = np.array([[0.8, 1.3], [-1.1, 0.7]])[:, : network.num_parameters]
    data = sample()
    value, _ = DepthLimit(network, data)(theta)
    x, y = data.inputs[:, 0], data.targets[:, 0]
    rate = theta[:, 1:] if network is TANH else np.ones((2, 1))
    start = np.tanh(rate * x)
    end = np.arcsinh(np.exp(theta[:, :1] * rate) * np.sinh(rate * x)) / rate
    f = theta[:, :1] * np.tanh(rate * end)
    shift = -f / 2 * np.log(np.tanh(rate * end) / start)
    np.testing.assert_allclose(value, 2 * ((y - end) * shift) @ data.weights, rtol=1e-12)


@pytest.mark.parametrize("name", FIELDS)
def test_networks_match_plain_loops(name: str) -> None:
    network = FIELDS[name]
    data, theta = sample(network.dimension), parameters(network, 2)
    value, gradient = ResNetRisk(network, data, 5)(theta)
    for p, point in enumerate(theta):
        expected = reference.resnet_risk(network, data, 5, point)
        np.testing.assert_allclose(value[p], expected[0], rtol=1e-13)
        np.testing.assert_allclose(gradient[p], expected[1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["tanh", "rotation", "powers"])
@pytest.mark.parametrize(
    ("risk", "twin"),
    [(NeuralODERisk, reference.neural_ode_risk), (DepthLimit, reference.depth_limit)],
)
def test_flows_match_plain_loops(name: str, risk: type, twin: Callable) -> None:
    network = FIELDS[name]
    data, theta = sample(network.dimension), parameters(network, 1)
    value, gradient = risk(network, data)(theta)
    expected = twin(network, data, theta[0], num_steps=200)
    np.testing.assert_allclose(value[0], expected[0], rtol=1e-8)
    np.testing.assert_allclose(gradient[0], expected[1], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["tanh", "rotation"])
@pytest.mark.parametrize("kind", ["resnet", "long", "ode", "limit"])
def test_gradient_routes_agree(name: str, kind: str) -> None:
    network = FIELDS[name]
    data, theta = sample(network.dimension), parameters(network)

    def run(route: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        risks = {
            "resnet": lambda: ResNetRisk(network, data, 12, route),
            "long": lambda: ResNetRisk(network, data, 700, route),
            "ode": lambda: NeuralODERisk(network, data, route=route),
            "limit": lambda: DepthLimit(network, data, route=route),
        }
        return risks[kind]()(theta)

    for forward, reverse in zip(run("forward"), run("reverse"), strict=True):
        np.testing.assert_allclose(forward, reverse, rtol=1e-11, atol=1e-11)


def test_reverse_route_takes_many_parameters() -> None:
    terms = [f"theta[{3 * k}]*tanh(theta[{3 * k + 1}]*x[0]+theta[{3 * k + 2}])" for k in range(5)]
    network = Network(("+".join(terms),))
    data, theta = sample(count=9), parameters(network, 2) / 3
    value, gradient = ResNetRisk(network, data, 4)(theta)
    expected = reference.resnet_risk(network, data, 4, theta[1])
    np.testing.assert_allclose(value[1], expected[0], rtol=1e-12)
    np.testing.assert_allclose(gradient[1], expected[1], rtol=1e-10)


def test_threads_change_nothing() -> None:
    data, theta = sample(), parameters(TANH, 11)
    for one, many in zip(
        NeuralODERisk(TANH, data)(theta), NeuralODERisk(TANH, data, threads=3)(theta), strict=True
    ):
        np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("route", ["forward", "reverse"])
def test_blow_up_names_theta(route: str) -> None:
    network = Network(("theta[0]*x[0]**2",))
    data = DataMeasure([1.0, 0.5], [0.0, 0.0])
    with pytest.raises(RiskError, match=r"blows up at t = 0\.5.* theta = \[2\.0\]"):
        NeuralODERisk(network, data, route=route)(np.array([[0.3], [2.0]]))


def test_overflow_of_a_network_names_theta() -> None:
    network = Network(("theta[0]*x[0]**3",))
    with pytest.raises(RiskError, match=r"leaves the double range at theta = \[90\.0\]"):
        ResNetRisk(network, DataMeasure([4.0], [0.0]), 8)(np.array([[0.1], [90.0]]))


def test_huge_angles_take_the_scalar_sine() -> None:
    network = Network(("sin(theta[0]*x[0])",))
    x = np.array([0.3, 1.7, -2.0])
    value, _ = ResNetRisk(network, DataMeasure(x, np.zeros(3)), 1)(np.array([[3e7]]))
    np.testing.assert_allclose(value, np.mean((x + np.sin(3e7 * x)) ** 2), rtol=1e-14)


def test_kinks_are_integrated() -> None:
    network = Network(("theta[0]*relu(x[0]+theta[1])",))
    data, theta = DataMeasure([0.4, -0.5], [0.0, 0.0]), np.array([[-3.0, 0.2], [1.0, -0.1]])
    value, _ = NeuralODERisk(network, data, 1e-10)(theta)
    end = (0.4 + theta[:, 1]) * np.exp(theta[:, 0]) - theta[:, 1]
    np.testing.assert_allclose(value, (end**2 + 0.25) / 2, rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda data: ResNetRisk(TANH, data, 0), "depth must be a whole number"),
        (lambda data: ResNetRisk(TANH, data, 1.5), "depth must be a whole number"),
        (lambda data: NeuralODERisk(TANH, data, 1e-15), "tolerance must be between"),
        (lambda data: NeuralODERisk(ROTATION, data), "network's dimension 2, got 1"),
        (lambda data: DepthLimit(TANH, data, route="sideways"), "forward or reverse"),
        (lambda data: DepthLimit(TANH, data, threads=0), "threads must be at least 1"),
        (lambda data: ResNetRisk(TANH, data, 1)(np.zeros((3, 1))), r"shape \(points, 2\)"),
    ],
)
def test_refuses(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(sample())


@pytest.mark.parametrize("count", [1, 7, 8, 143, 144, 145, 272, 1000])
def test_blocks_waste_less_than_a_vector_each(count: int) -> None:
    samples = blocked(DataMeasure(np.arange(count, dtype=float), np.zeros(count)))
    assert samples.block == block_size(count) <= LARGEST_BLOCK
    assert samples.block % 8 == 0
    assert samples.weights.size - count < 8 * len(samples.weights)
    assert samples.weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(samples.inputs.ravel()[:count], np.arange(count))


def test_no_points_give_no_values() -> None:
    value, gradient = ResNetRisk(TANH, sample(), 2)(np.empty((0, 2)))
    assert value.shape == (0,)
    assert gradient.shape == (0, 2)


@pytest.mark.serial
@pytest.mark.parametrize("setting", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_kernels_run_uncompiled_and_checked(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = """
import numpy as np
from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk import NeuralODERisk, ResNetRisk, RiskSeries
network, data = Network(("theta[0]*tanh(theta[1]*x[0])",)), DataMeasure([0.5, -1.0], [1.0, 0.0])
theta = np.array([[0.5, 0.7]])
with np.errstate(all="ignore"):
    values = [ResNetRisk(network, data, 3)(theta)[0], NeuralODERisk(network, data, 1e-8)(theta)[0]]
    values += [ResNetRisk(network, data, 3, "reverse")(theta)[1][:, 0]]
    values += [RiskSeries(network, data, 1e-8).tabulate(theta, [2]).difference[2]]
print(*(float(value[0]) for value in values))
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    network, data = TANH, DataMeasure([0.5, -1.0], [1.0, 0.0])
    theta = np.array([0.5, 0.7])
    resnet = reference.resnet_risk(network, data, 3, theta)
    ode = reference.neural_ode_risk(network, data, theta)
    shallow = reference.resnet_risk(network, data, 2, theta)
    expected = [resnet[0], ode[0], resnet[1][0], 2 * (ode[0] - shallow[0])]
    np.testing.assert_allclose([float(v) for v in run.stdout.split()], expected, rtol=1e-7)


@pytest.mark.serial
@pytest.mark.slow
def test_memory_of_the_adjoint_does_not_grow_with_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = """
import tracemalloc
import numpy as np
from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk import NeuralODERisk, functions
calls, tanh = 0, functions.tanh
def counted(x):
    global calls
    calls += 1
    return tanh(x)
functions.tanh = counted
network = Network(("theta[0]*tanh(theta[1]*x[0])",))
data = DataMeasure(np.linspace(-1, 1, 64), np.zeros(64))
for tolerance in (1e-2, *(1e-2, 1e-10) * 2):  # the first run only loads the kernel
    calls, risk = 0, NeuralODERisk(network, data, tolerance, "reverse")
    tracemalloc.start()
    with np.errstate(all="ignore"):
        risk(np.array([[3.0, 2.0]]))
    print(calls, tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    lines = np.array([line.split() for line in run.stdout.splitlines()], dtype=int)
    # what the interpreter allocates now and then comes on top
    evaluations, peak = lines[1:].reshape(2, 2, 2).min(axis=0).T
    with capsys.disabled():
        print(f"\nadjoint: {peak} bytes at the peak for {evaluations} evaluations of tanh")
    assert evaluations[1] > 3 * evaluations[0]
    # one state kept per step, of twelve evaluations, would take its eight bytes per sample
    kept = 8 * (evaluations[1] - evaluations[0]) / 12
    assert peak[1] - peak[0] < 0.25 * kept


@pytest.mark.slow
def test_widest_networks_run() -> None:
    rows = ["+".join(f"theta[{8 * a + b}]*x[{b}]" for b in range(8)) for a in range(8)]
    network = Network(tuple(f"tanh({row})" for row in rows))
    data, theta = sample(8, 5), parameters(network, 1) / 4
    value, gradient = ResNetRisk(network, data, 3)(theta)
    step = 1e-6 * np.eye(64)[[0, 37, 63]]
    risk = ResNetRisk(network, data, 3)
    slopes = (risk.value(theta + step) - risk.value(theta - step)) / 2e-6
    np.testing.assert_allclose(gradient[0, [0, 37, 63]], slopes, rtol=1e-7, atol=1e-9)
    assert value.shape == (1,)


@pytest.mark.parametrize("gap", [1e-4, 1e-5, 0.3])
def test_a_kink_is_crossed_soon_after_the_start(gap):
    # u = θ + x is −gap at first, grows by u' = 1 to zero and then by u' = u + 1
    network, data = Network(("relu(theta[0] + x[0]) + 1",)), DataMeasure([1.0], [0.0])
    theta = -1.0 - gap
    table = RiskSeries(network, data).tabulate([[theta]], [math.inf])
    grown = math.exp(1.0 - gap)
    x, slope = grown - 1.0 - theta, grown - 1.0
    assert table.value == pytest.approx([x * x], rel=1e-12)
    assert table.gradient[0] == pytest.approx([2.0 * x * slope], rel=1e-11)

import numpy as np
import pytest

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.model.expressions import ExpressionError


def test_network_knows_its_sizes() -> None:
    network = Network(("theta[0]*tanh(theta[1]*x[0]+theta[2])",))
    assert (network.dimension, network.num_parameters, network.is_smooth) == (1, 3, True)
    assert Network(("x[0]",), parameters=2).num_parameters == 2
    assert not Network(("theta[0]*relu(x[0])",)).is_smooth


@pytest.mark.parametrize(
    ("field", "parameters", "message"),
    [
        (("theta[0]*x[0]+theta[2]",), None, r"skips theta\[1\]"),
        (("theta[0]*x[1]",), None, r"uses x\[1\] but has 1 component"),
        (("theta[2]*x[0]",), 2, r"uses theta\[2\] but parameters is 2"),
        (("x[0]",), None, "1 to 64 parameters, got 0"),
        (("x[0]",), 65, "1 to 64 parameters, got 65"),
        (("x[0]",), 1.5, "whole number"),
        ((), None, "1 to 8 field components, got 0"),
        (("theta[0]",) * 9, None, "1 to 8 field components, got 9"),
    ],
)
def test_network_refuses(field: tuple[str, ...], parameters: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Network(field, parameters)


def test_network_refuses_names_outside_the_whitelist() -> None:
    with pytest.raises(ExpressionError, match="'os'"):
        Network(("os[0]",))


def test_data_is_uniform_by_default() -> None:
    data = DataMeasure([1.0, 2.0, 3.0, 4.0], [0.0] * 4)
    assert (data.num_samples, data.dimension) == (4, 1)
    np.testing.assert_array_equal(data.weights, 0.25)


@pytest.mark.parametrize(
    ("inputs", "targets", "weights", "message"),
    [
        ([1.0, 2.0], [1.0], None, "one shape"),
        ([[1.0, 2.0]], [[1.0]], None, "one shape"),
        ([], [], None, "at least one sample"),
        ([np.nan], [1.0], None, r"inputs must be finite, got nan at index \(0,\)"),
        ([1.0], [np.inf], None, "targets must be finite"),
        ([[1.0], [1.0, 2.0]], [1.0], None, "rectangular"),
        (["a"], [1.0], None, "rectangular array of numbers"),
        ([1.0, 2.0], [1.0, 2.0], [1.0], "weights must have shape"),
        ([1.0, 2.0], [1.0, 2.0], [0.6, 0.6], "must sum to 1, got 1.2; divide"),
        ([1.0, 2.0], [1.0, 2.0], [1.5, -0.5], "must be positive, got -0.5"),
        ([[[1.0]]], [[[1.0]]], None, r"shape \(samples, dimension\)"),
    ],
)
def test_data_refuses(inputs: list, targets: list, weights: list | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataMeasure(inputs, targets, weights)


POINTS = np.random.default_rng(0).normal(size=(200, 3)) * 2


@pytest.mark.parametrize(
    "potential", ["quadratic", "theta[0]**2+theta[1]**4+softplus(theta[2])", "exp(theta[0])"]
)
def test_penalty_gradient(potential: str) -> None:
    penalty, h = Penalty(0.5, potential, 3), 1e-6
    for i, shift in enumerate(np.eye(3) * h):
        quotient = (penalty(POINTS + shift) - penalty(POINTS - shift)) / (2 * h)
        np.testing.assert_allclose(penalty.gradient(POINTS)[:, i], quotient, rtol=1e-6, atol=1e-7)


def test_quadratic_penalty_is_the_square_of_the_norm() -> None:
    np.testing.assert_allclose(Penalty(1.0, dimension=3)(POINTS), (POINTS**2).sum(axis=1))


@pytest.mark.parametrize(
    ("gamma", "potential", "message"),
    [
        (0.0, "quadratic", "gamma must be positive, got 0"),
        (-1.0, "quadratic", "gamma must be positive"),
        (np.nan, "quadratic", "gamma must be positive"),
        (1.0, "theta[0]**3", "must be convex"),
        (1.0, "-theta[1]**2", "must be convex"),
        (1.0, "cos(theta[0])", "must be convex"),
        (1.0, "theta[5]", r"uses theta\[5\] but there are 2"),
        (1.0, "x[0]**2", "'x'"),
        (1.0, "log(theta[0])", "must be finite"),
    ],
)
def test_penalty_refuses(gamma: float, potential: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Penalty(gamma, potential, 2)


def radius(cap: Cap, r: float) -> float:
    return float(np.linalg.norm(cap(np.array([[0.6 * r, 0.8 * r]]))))


@pytest.mark.parametrize(
    ("kind", "r", "expected"),
    [
        ("smooth", 1.3, 1.3),
        ("smooth", 4.0, 3.0),
        ("smooth", 9.0, 3.0),
        ("smooth", 3.0, 2 + 2 * (0.5 - 7 / 32 + 14 / 64 - 10 / 128 + 2.5 / 256)),
        ("tanh", 1.0, 2 * np.tanh(0.5)),
        ("hard", 1.9, 1.9),
        ("hard", 5.0, 2.0),
        ("none", 5.0, 5.0),
    ],
)
def test_cap_radii(kind: str, r: float, expected: float) -> None:
    assert radius(Cap(kind, 2.0), r) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("kind", ["smooth", "tanh", "hard", "none"])
def test_cap_pulls_gradients_back(kind: str) -> None:
    cap, weights, h = Cap(kind, 1.5), np.array([0.3, -1.1, 0.7]), 1e-6
    pulled = cap.pull_back(POINTS, np.broadcast_to(weights, POINTS.shape))
    for i, shift in enumerate(np.eye(3) * h):
        quotient = (cap(POINTS + shift) - cap(POINTS - shift)) @ weights / (2 * h)
        np.testing.assert_allclose(pulled[:, i], quotient, atol=1e-8)


@pytest.mark.parametrize("kind", ["smooth", "tanh", "hard", "none"])
@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-12])
def test_cap_is_the_identity_near_the_origin(kind: str, size: float) -> None:
    theta, gradient = np.full((1, 2), size), np.array([[1.0, -2.0]])
    cap = Cap(kind, 1.0)
    np.testing.assert_allclose(cap(theta), theta, rtol=1e-15)
    np.testing.assert_allclose(cap.pull_back(theta, gradient), gradient, rtol=1e-15)


def test_cap_has_four_derivatives_at_its_breaks() -> None:
    cap, h = Cap("smooth", 1.0), 1e-2
    for r in cap.breaks:
        stencil = np.array([radius(cap, r + k * h) for k in range(-3, 4)])
        fifth_from_left, fifth_from_right = np.diff(stencil[:6], 5)[0], np.diff(stencil[1:], 5)[0]
        assert abs(fifth_from_left - fifth_from_right) < 2000 * h**5


@pytest.mark.parametrize(
    ("kind", "radius", "message"),
    [
        ("soft", 1.0, "kind must be one of smooth, tanh, hard, none, got 'soft'"),
        ("smooth", 0.0, "radius must be positive, got 0"),
        ("tanh", np.inf, "radius must be positive"),
    ],
)
def test_cap_refuses(kind: str, radius: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cap(kind, radius)


def test_cap_breaks() -> None:
    assert Cap("smooth", 2.0).breaks == (2.0, 4.0)
    assert Cap("hard", 2.0).breaks == (2.0,)
    assert Cap("tanh", 2.0).breaks == Cap("none").breaks == ()

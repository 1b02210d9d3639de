"""Kinks on the line against places known in closed form."""

import math

import numpy as np
import pytest

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.model.expressions import parse
from fokkerplanck.risk.kinks import kinks_on_line
from fokkerplanck.risk.singular_arguments import singular_arguments

pytestmark = pytest.mark.serial

FREE = Cap("none")
SMOOTH = Penalty(0.5)


def find(
    field,
    inputs=(1.0,),
    targets=None,
    cap=FREE,
    penalty=SMOOTH,
    depths=(1,),
    radius=6.0,
):
    network = Network((field,) if isinstance(field, str) else field, 1)
    data = DataMeasure(inputs, np.array(inputs) / 2 if targets is None else targets)
    return kinks_on_line(network, data, cap, penalty, depths, radius)


@pytest.mark.parametrize("depths", [(1,), (1, 2, 16), (64, math.inf)])
def test_dead_neurons_have_their_kinks_where_they_come_alive(depths):
    inputs = np.array([1.0, -0.7, 0.4, 2.0])
    kinks = find("relu(theta[0]*x[0] - 0.2)", inputs, cap=Cap("tanh", 1.5), depths=depths)
    expected = np.sort(1.5 * np.arctanh(0.2 / inputs / 1.5))
    assert kinks.points == pytest.approx(expected, abs=1e-12)
    assert kinks.is_complete
    assert (kinks.orders == 1).all()


def test_each_layer_has_kinks_of_its_own():
    # x_i = iθ/N − 1 as long as this is negative
    kinks = find("theta[0] + relu(x[0])", (-1.0,), depths=(1, 2, 4, 8))
    expected = sorted({N / i for N in (2, 4, 8) for i in range(1, N) if N / i < 6} | {1.0})
    assert kinks.points == pytest.approx(expected, abs=1e-12)


def test_strength_is_the_jump_of_the_derivative():
    kinks = find("relu(theta[0]*x[0] - 0.2)", (1.0,), (0.5,))
    # of V_1 and of V: x(1) = 1 + (θ − 0.2)(e^θ − 1)/θ
    assert kinks.strengths == pytest.approx([1 + math.expm1(0.2) / 0.2], rel=1e-3)
    deep = find("relu(theta[0]*x[0] - 0.2)", (1.0,), (0.5,), depths=(4,))
    expected = 4 * (1.05**4 - 1) / 0.2 + 4 * math.expm1(0.2) / 0.2
    assert deep.strengths == pytest.approx([expected], rel=1e-3)


@pytest.mark.parametrize(
    ("field", "expected", "orders"),
    [
        ("sqrt((theta[0] - x[0])**2)", [1.0], [1.0]),
        ("((theta[0] - 0.3)**2 + (x[0] - 1)**2)**0.5/10", [0.3], [1.0]),
        ("sqrt(1 - cos(theta[0]))*0.01", [-2 * math.pi, 0.0, 2 * math.pi], [1.0] * 3),
        ("log(theta[0]**2)*x[0]/100", [0.0], [0.0]),
        ("relu((theta[0] - 0.5)**2*x[0] - 1e-9)", 0.5 + np.sqrt([1e-9]) * [-1, 1], [1.0] * 2),
        ("relu(relu(theta[0] - 0.2) - 0.1)", [0.2, 0.3], [1.0] * 2),
        ("relu(theta[0]*x[0])", [0.0], [1.0]),
        ("tanh(theta[0]*x[0])", [], []),
    ],
)
def test_functions_that_are_not_smooth(field, expected, orders):
    kinks = find(field, radius=7.0)
    assert kinks.points == pytest.approx(np.array(expected), abs=1e-8)
    assert kinks.orders == pytest.approx(np.array(orders))


def test_many_kinks_of_an_oscillating_argument_are_all_found():
    kinks = find("relu(sin(100*theta[0])*x[0] - 0.999)/100", radius=2.0)
    angle = math.asin(0.999)
    turns = 2 * math.pi * np.arange(-40, 41)
    roots = np.concatenate([turns + angle, turns + math.pi - angle]) / 100
    assert kinks.points == pytest.approx(np.sort(roots[np.abs(roots) <= 2]), abs=1e-10)


def test_a_trajectory_that_touches_a_kink_at_an_inner_time():
    field = ("1", "relu(theta[0] - 4*(x[0] - 0.5)**2)")
    kinks = find(field, [[0.0, 0.0]], [[1.0, 0.5]], depths=())
    assert kinks.points == pytest.approx([0.0, 1.0], abs=1e-6)


def test_caps_and_penalties_have_kinks_too():
    penalty = Penalty(0.5, "sqrt((theta[0] - 0.3)**2) + relu(theta[0]) + theta[0]**2")
    kinks = find("tanh(theta[0]*x[0])", cap=Cap("hard", 1.5), penalty=penalty)
    assert kinks.points == pytest.approx([-1.5, 0.0, 0.3, 1.5], abs=1e-12)
    assert kinks.strengths[1:3] == pytest.approx([0.5, 1.0])


def test_what_is_left_out_is_told():
    inputs = np.linspace(0.5, 3.0, 50)
    kinks = find("relu(theta[0]*x[0] - 0.2)", inputs)
    few = kinks.strongest(20)
    assert len(few.points) == 20
    assert few.omitted == pytest.approx(kinks.strengths.sum() - few.strengths.sum())
    assert kinks.is_complete
    assert not few.is_complete
    assert find("relu(theta[0]*x[0] - 0.2)", inputs, depths=(10_000,)).unsearched == (10_000,)


def test_arguments_of_singular_functions():
    expression = parse("relu(x[0]) + (x[0] - 1)**1.5*log(theta[0]) + theta[0]**3 + 1/x[0]")
    found = {
        str(a.expression): (a.order, a.is_fractional) for a in singular_arguments([expression])
    }
    assert found == {"x_0": (-1.0, True), "x_0 - 1": (1.5, True), "theta_0": (0.0, True)}
    powers = parse("relu(x[0])**3 + ((x[0] - 1)**2)**0.75 + sqrt(theta[0]**2)")
    found = {str(a.expression): (a.order, a.is_fractional) for a in singular_arguments([powers])}
    assert found == {"x_0": (3.0, False), "x_0 - 1": (1.5, True), "theta_0": (1.0, False)}


def test_fractional_powers_are_told_apart():
    penalty = Penalty(0.5, "((theta[0] - 0.3)**2)**0.75 + relu(theta[0])")
    kinks = find("theta[0]*x[0]", penalty=penalty)
    assert kinks.orders == pytest.approx([1.0, 1.5])
    assert kinks.is_fractional.tolist() == [False, True]
    assert not find("sqrt(1 - cos(theta[0]))*0.01").is_fractional.any()

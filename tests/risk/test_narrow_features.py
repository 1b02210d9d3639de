"""Bounds of formulas over boxes, and spikes that no mesh would see without them."""

import math

import numpy as np
import pytest

from fokkerplanck.model import Cap, DataMeasure, Network
from fokkerplanck.model.evaluation import Program
from fokkerplanck.model.expressions import component, parse
from fokkerplanck.risk.intervals import bounds
from fokkerplanck.risk.narrow_features import narrow_features

pytestmark = pytest.mark.serial

THETA, X = component("theta", 0), component("x", 0)

FORMULAS = (
    "tanh(theta[0]*x[0]) + sigmoid(x[0])*softplus(theta[0])",
    "gelu(3*theta[0]) - relu(x[0] - theta[0])**2 + 2",
    "sin(5*theta[0] + x[0])*cos(theta[0]) + arctan(x[0])",
    "exp(-theta[0]**2)*x[0]**3 + theta[0]**4/(1 + x[0]**2)",
    "sqrt(theta[0]**2) + (x[0]**2 + 1)**(-1.5) + log(2 + sin(x[0]))",
    "(1 + x[0]**2)**theta[0] - 1/(theta[0] + 7)",
)


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("differentiate", [False, True])
def test_bounds_hold_all_values_and_shrink_to_them(text, differentiate):
    expression = parse(text).diff(THETA) if differentiate else parse(text)
    draw = np.random.default_rng(7)
    low = draw.uniform(-3, 3, (2, 200))
    width = 10.0 ** draw.uniform(-6, 0.5, 200)
    box = {THETA: (low[0], low[0] + width), X: (low[1], low[1] + width)}
    smallest, largest = bounds(expression, box)
    inside = low[:, :, None] + width[:, None] * draw.uniform(size=(2, 200, 40))
    values = Program([expression], [THETA, X])(list(inside))[0]
    slack = 1e-12 * (1 + np.abs(values))
    assert (np.broadcast_to(smallest, 200)[:, None] <= values + slack).all()
    assert (np.broadcast_to(largest, 200)[:, None] >= values - slack).all()
    narrow = width < 1e-4
    is_steep = np.abs(values).max(axis=1) > 1e3
    extent = np.broadcast_to(largest - smallest, 200)
    assert (extent[narrow & ~is_steep] < 1e5 * width[narrow & ~is_steep]).mean() > 0.97


def look(field, samples=((1.0,), (0.5,)), tolerance=1e-7, cap="smooth"):
    network, data = Network((field,), 1), DataMeasure(*samples)
    depths = (1, 2, 64, math.inf)
    return narrow_features(network, data, Cap(cap, 2.0), depths, 6.0, 1.0, tolerance)


@pytest.mark.parametrize("sharpness", [1e5, 1e8, 1e14, 1e20])
def test_a_spike_is_seen_by_the_points_to_look_at(sharpness):
    found = look(f"exp(-{sharpness}*(theta[0] - 0.3123)**2)*x[0] + theta[0]*x[0]")
    spike = np.exp(-sharpness * (found.points - 0.3123) ** 2)
    assert ((spike > 0.05) & (spike < 0.95)).any()
    assert found.excess <= 1e-7
    assert not len(found.hiding)


@pytest.mark.parametrize(
    "field",
    [
        "theta[0]*x[0]/(1 + 1e10*(theta[0] - 0.7)**2)",
        "relu(1 - 1e6*relu(theta[0] - 0.7) - 1e6*relu(0.7 - theta[0]))*x[0] + theta[0]",
        "theta[0]*x[0] + (tanh(1e7*(theta[0] - 0.7)) - tanh(1e7*(theta[0] - 0.700001)))/2",
    ],
)
def test_other_spikes_too(field):
    near = look(field, cap="tanh").points
    place = 2 * math.atanh(0.7 / 2)
    assert np.abs(near - place).min() < 2e-5


def test_a_spike_in_a_state_that_one_layer_meets():
    points = look("exp(-1e8*(x[0] - 1.3123)**2) + theta[0]*x[0]").points
    # x_1 of two layers is 1 + θ/2
    assert np.abs(points - 2 * 0.3123).min() < 2e-4


@pytest.mark.parametrize(
    "field", ["theta[0]*tanh(x[0])", "tanh(1000*theta[0])*x[0]", "relu(theta[0]*x[0] - 0.2)"]
)
def test_smooth_functions_hide_nothing(field):
    found = look(field)
    assert found.excess <= 1e-7
    assert len(found.points) < 6000


def test_what_cannot_be_excluded_is_told():
    found = look("(theta[0] - 1)**9*x[0]**5 - theta[0]**8*x[0]**7 + theta[0]**9", tolerance=1e-9)
    assert found.excess > 1e-9
    assert len(found.hiding)
    assert (found.hiding[:, 1] > found.hiding[:, 0]).all()

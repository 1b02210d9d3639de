"""Kinks in the plane: lines and circles, and the cells that they cross."""

import math

import numpy as np
import pytest

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.risk.kink_surfaces import KinkPlane, KinkSphere, crossed_cells, surfaces

pytestmark = pytest.mark.serial

DATA = DataMeasure([1.0, -0.5], [0.5, 0.1])
PLAIN = Penalty(0.5, dimension=2)


def shapes(field, cap, penalty=PLAIN, data=DATA):
    return surfaces(Network((field,), 2), data, cap, penalty)


def test_an_affine_argument_has_a_line_for_each_sample():
    found = shapes("relu(theta[0]*x[0] + theta[1])", Cap("tanh", 1.0))
    for line, x in zip(found, (1.0, -0.5), strict=True):
        assert np.array(line.normal) == pytest.approx(np.array([x, 1.0]) / math.hypot(x, 1))
        assert (line.offset, line.reach) == (0.0, math.inf)
    (biased, _) = shapes("relu(theta[0]*x[0] + theta[1] - 0.5)", Cap("smooth", 1.0))
    assert biased.offset == pytest.approx(0.5 / math.sqrt(2))
    assert biased.reach == 1.0
    assert shapes("relu(theta[0]*x[0] + theta[1] - 0.5)", Cap("tanh", 1.0)) == []
    assert shapes("relu(theta[0]*x[0] + theta[1] - 5)", Cap("smooth", 1.0)) == []


def test_circles_of_the_field_and_of_the_penalty():
    penalty = Penalty(0.5, "relu(theta[0]**2 + theta[1]**2 - 2*theta[0] - 3)", 2)
    field = "relu(theta[0]**2 + theta[1]**2 - 0.25)*x[0]"
    capped, own = shapes(field, Cap("tanh", 1.0), penalty, DataMeasure([1.0], [0.5]))
    assert isinstance(capped, KinkSphere)
    assert capped.radius == pytest.approx(math.atanh(0.5), abs=1e-13)
    assert own == KinkSphere((1.0, 0.0), 2.0, math.inf)


def test_other_curves_have_no_simple_shape():
    for field in ("relu(theta[0]*theta[1]*x[0] - 1)", "relu(tanh(theta[0]) - theta[1])"):
        assert shapes(field, Cap("none")) == []
    assert shapes("theta[0]*tanh(theta[1]*x[0])", Cap("none")) == []
    (line, _) = shapes("relu(theta[0] - 0*theta[1]*x[0] - 2)", Cap("none"))
    assert line == KinkPlane((1.0, 0.0), 2.0, math.inf)


@pytest.mark.parametrize("depths", [(1,), (4, math.inf)])
def test_cells_that_a_kink_crosses(depths):
    network = Network(("relu(theta[0]*x[0] + theta[1] - 0.3)",))
    ends = np.linspace(-1.0, 1.0, 9)
    corners = np.stack(np.meshgrid(ends[:-1], ends[:-1], indexing="ij"), axis=-1).reshape(-1, 2)
    nodes = np.stack(np.meshgrid(*2 * [np.linspace(0, 0.25, 4)]), axis=-1).reshape(-1, 2)
    points = corners[:, None] + nodes
    share = crossed_cells(network, DATA, Cap("none"), depths, points)
    values = points[..., 0, None] * DATA.inputs[:, 0] + points[..., 1, None] - 0.3
    inside = (values.min(axis=1) < 0) & (values.max(axis=1) > 0)
    assert (share >= inside @ DATA.weights - 1e-15).all()
    # a dead neuron keeps the input, so only those beside the lines are suspected in vain
    assert share.sum() <= 1.6 * (inside @ DATA.weights).sum()
    assert not crossed_cells(Network(("theta[0]*x[0]",), 2), DATA, Cap(), depths, points).any()

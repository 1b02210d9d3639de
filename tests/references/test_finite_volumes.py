"""The finite volumes against closed forms, for they are what others are compared with."""

import math

import numpy as np
import pytest

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.problem.initial import Gaussian
from fokkerplanck.risk.reference import depth_limit, neural_ode_risk, resnet_risk
from fokkerplanck.study import Study
from references.finite_volumes import FiniteVolumes, pade
from references.gaussian_pair import ANNULI, GaussianPair
from references.plain_network import PlainNetwork

pytestmark = pytest.mark.serial

PAIR = GaussianPair(s=(0.7,), center=(0.4,))


def volumes_of(pair, depth):
    h = 1 / depth

    def potentials(x):
        points = x[:, None]
        return np.stack([pair.potential(points), pair.scaled(points, h)])

    def exponent(x):
        return 0.25 * pair.gamma * x**2

    start = Gaussian(pair.center, pair.deviation)
    return FiniteVolumes(potentials, depth, start, ANNULI, 7.0, exponent)


@pytest.mark.parametrize("depth", [2.0, 64.0, math.inf])
def test_numbers_of_quadratic_potentials_are_those_of_the_closed_form(depth):
    numbers = volumes_of(PAIR, depth).numbers()
    h = 1 / depth
    times = np.append(np.geomspace(1e-6, 1, 20_001), 0.0)
    norms = PAIR.norms(1.0, h, (0.0, *ANNULI.edges, 7.0))
    truth = {("density_l1", ""): norms.sum()}
    truth |= {("density_l1", a): n for a, n in zip(ANNULI.labels, norms, strict=False)}
    truth |= {("mean", ""): max(PAIR.mean_bound(t, h) for t in times)}
    truth |= {("risk", ""): max(PAIR.risk_bound(t, h) for t in times)}
    for key, value in truth.items():
        assert numbers[key].value == pytest.approx(value, rel=2e-8), key
        assert abs(numbers[key].value - value) <= numbers[key].error + 1e-9 * value, key
        assert numbers[key].error <= 1e-6 * value, key


def test_mass_is_kept():
    level = volumes_of(PAIR, 2.0)._levels[0]
    assert level.masses.sum(axis=1) == pytest.approx([1.0, 0.0], abs=3e-12)


def test_poles_approximate_the_exponential():
    poles, residues = pade(5)
    for z in (-0.1, -1.0, -3.0):
        terms = residues / (z - poles) * np.where(poles.imag > 0, 2, 1)
        assert terms.sum().real == pytest.approx(math.exp(z), abs=1e-9 * max(1, abs(z) ** 10))


RELU = {
    "network": {"field": ["relu(theta[0]*x[0] - 0.2)"]},
    "data": {"inputs": [1.0], "targets": [0.5]},
    "cap": {"kind": "tanh", "radius": 1.5},
    "annuli": {"count": 2},
}
KINK = 1.5 * math.atanh(0.2 / 1.5)


def test_a_biased_relu_is_known_to_eight_digits():
    number = FiniteVolumes.of(Study.from_dict(RELU), 1, cuts=(KINK,)).numbers()["density_l1", ""]
    assert number.value == pytest.approx(0.149888, abs=1e-6)
    assert number.error < 1e-7
    finer = FiniteVolumes.of(Study.from_dict(RELU), 1, cuts=(KINK,), cells=900)
    assert finer.numbers()["density_l1", ""].value == pytest.approx(number.value, abs=number.error)


def test_an_unmet_kink_is_covered():
    met = FiniteVolumes.of(Study.from_dict(RELU), 1, cuts=(KINK,)).numbers()
    unmet = FiniteVolumes.of(Study.from_dict(RELU), 1).numbers()
    for key, number in unmet.items():
        assert abs(number.value - met[key].value) <= 3 * number.error + met[key].error, key


def test_plain_potentials_are_those_of_the_plain_loops():
    network, penalty = Network(("sin(theta[0]*x[0]) + 0.1",)), Penalty(0.5)
    data = DataMeasure([0.3, -1.2], [0.5, 0.1])
    at = np.array([-0.7, 1.1])
    for depth in (3, math.inf):
        V, E = PlainNetwork(network, data, Cap("none"), penalty, depth, 1e-10)(at)
        for k, theta in enumerate(at):
            value = neural_ode_risk(network, data, at[k : k + 1])[0]
            assert V[k] == pytest.approx(value + 0.5 * theta**2, rel=1e-9)
            if math.isinf(depth):
                expected = depth_limit(network, data, at[k : k + 1])[0]
            else:
                expected = depth * (value - resnet_risk(network, data, depth, at[k : k + 1])[0])
            assert E[k] == pytest.approx(expected, rel=1e-7)

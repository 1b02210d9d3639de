import math

import numpy as np
import pytest

import fokkerplanck as fp
from fokkerplanck.problem.initial import Uniform
from fokkerplanck.simulation.ensemble import Simulation
from fokkerplanck.simulation.estimates import order
from fokkerplanck.simulation.noise import Starts, Wiener
from fokkerplanck.simulation.paths import Ensemble
from fokkerplanck.simulation.pathwise import PathTheory, hessian, spectral_norm
from fokkerplanck.simulation.schemes import SRA1, AdaptiveSteps, FixedSteps

TIMES = np.linspace(0.0, 1.0, 3)
DEPTHS = (2.0, 8.0, 32.0)
SLOPE = np.array([[0.7], [-0.2]])


def spring(theta):
    return np.einsum("ip,ip->p", theta, theta), 2.0 * theta


def tilted(depth):
    """V_N = |θ|² − c·θ/N."""

    def potential(theta):
        value, gradient = spring(theta)
        return value - (SLOPE * theta).sum(axis=0) / depth, gradient - SLOPE / depth

    return potential


def tilt(theta):
    return (SLOPE * theta).sum(axis=0), SLOPE * np.ones_like(theta)


@pytest.mark.parametrize("rule", [FixedSteps(1 / 64), AdaptiveSteps(1 / 64, 0.05)])
def test_springs_have_the_closed_form(rule):
    starts, wiener = Starts(Uniform((0.0, 0.0), 1.0), 1), Wiener(1, np.eye(2))
    potentials = (spring, *map(tilted, DEPTHS))
    ensemble = Ensemble(potentials, starts, wiener, SRA1, rule, TIMES)
    sums = PathTheory(ensemble, DEPTHS, tilt).sums(np.arange(40))
    # N(θ − θ^N)' = −c − 2 N(θ − θ^N) on every path
    expected = np.linalg.norm(SLOPE) * (1 - math.exp(-2.0)) / 2
    np.testing.assert_allclose(sums["eta"], expected, rtol=1e-4)
    np.testing.assert_allclose(sums["ratio"], 1.0, atol=1e-6)
    assert sums["remainder"][:, 0].max() < 1e-9


def test_bounds_hold_and_limits_are_reached_at_rate_one(comm):
    study = fp.Study.load("geyser1", ["depths.values=[1, 4, 16, 64]"])
    simulation = Simulation(study, comm, SRA1, 64, 1, (0.1,), math.sqrt(2) * np.eye(1))
    theory = PathTheory(simulation.ensemble, simulation.depths, simulation.factory.limit())
    sums = theory.sums(np.arange(400))
    assert sums["ratio"].min() >= 1.0 - 1e-9
    assert np.median(sums["ratio"]) < 2.0
    assert order(simulation.depths, sums["remainder"][:, 0]) == pytest.approx(1.0, abs=0.03)


def test_hessians_and_norms():
    def potential(theta):
        a, b = theta
        return np.sin(a) * b**2, np.stack([np.cos(a) * b**2, 2 * np.sin(a) * b])

    theta = np.random.default_rng(1).standard_normal((2, 20))
    a, b = theta
    off = 2 * np.cos(a) * b
    expected = np.array([[-np.sin(a) * b**2, off], [off, 2 * np.sin(a)]])
    np.testing.assert_allclose(hessian(potential, theta), expected, atol=1e-7)
    for m in (1, 2, 3):
        matrices = np.random.default_rng(2).standard_normal((m, m, 20))
        known = np.linalg.norm(np.moveaxis(matrices, -1, 0), ord=2, axis=(1, 2))
        np.testing.assert_allclose(spectral_norm(matrices), known, rtol=1e-12)

import math

import numpy as np
import pytest

import fokkerplanck as fp
from fokkerplanck.problem.initial import Uniform
from fokkerplanck.simulation.noise import Starts, Wiener
from fokkerplanck.simulation.paths import Ensemble, integrate, integrate_pair
from fokkerplanck.simulation.potentials import PotentialFactory
from fokkerplanck.simulation.schemes import EULER, SRA1, AdaptiveSteps, FixedSteps

TIMES = np.array([0.0, 1.0])


def spring(theta):
    """V = |θ|², whose paths are an Ornstein–Uhlenbeck process."""
    return np.einsum("ip,ip->p", theta, theta), 2.0 * theta


def cliff(theta):
    """V = e^{2|θ|²}/4, too steep for explicit steps of one size."""
    value = 0.25 * np.exp(2.0 * np.einsum("ip,ip->p", theta, theta))
    return value, 4.0 * value * theta


@pytest.fixture(scope="module")
def capped():
    """V of the study geyser1 and its start."""
    from mpi4py import MPI

    study = fp.Study.load("geyser1", [])
    return PotentialFactory(study, MPI.COMM_SELF).potential(math.inf), study.initial


def changes(potential, initial, scheme, num_steps, num_paths):
    """θ_T and V(θ_T) with twice so many steps less those with so many, and twice so many."""
    m = initial.dimension
    wiener = Wiener(5, math.sqrt(2) * np.eye(m))
    rule = FixedSteps(1 / num_steps)
    ensemble = Ensemble((potential,), Starts(initial, 5), wiener, scheme, rule, TIMES)
    fine, coarse = integrate_pair(ensemble, np.arange(num_paths))
    return fine.states[-1, 0] - coarse.states[-1, 0], fine.values[-1, 0] - coarse.values[-1, 0]


def strong_order(*given):
    sizes = [np.sqrt(np.mean(changes(*given, num_steps, 8_000)[0] ** 2)) for num_steps in (64, 256)]
    return math.log(sizes[0] / sizes[1]) / math.log(4)


@pytest.mark.parametrize(("scheme", "least"), [(SRA1, 1.45), (EULER, 0.95)])
def test_strong_order(capped, scheme, least):
    assert least < strong_order(*capped, scheme) < scheme.strong + 0.3


@pytest.mark.parametrize(("scheme", "least"), [(SRA1, 1.9), (EULER, 0.9)])
def test_weak_order(capped, scheme, least):
    found = []
    for num_steps in (8, 16):
        change = changes(*capped, scheme, num_steps, 200_000)[1]
        found.append((change.mean(), change.std() / math.sqrt(change.size)))
    (one, error), (other, spread) = found
    order = math.log2(one / other)
    assert math.hypot(error / one, spread / other) / math.log(2) < 0.1
    assert least < order < scheme.weak + 0.6


@pytest.mark.parametrize("scheme", [SRA1, EULER])
def test_matrix_noise_has_the_exact_covariance(scheme):
    sigma = np.array([[1.0, 0.6], [-0.4, 0.7]])
    starts = Starts(Uniform((1.0, 0.0), 0.1), 3)
    ensemble = Ensemble((spring,), starts, Wiener(3, sigma), scheme, FixedSteps(1 / 64), TIMES)
    states = integrate(ensemble, np.arange(60_000)).states[-1, 0]
    decay = math.exp(-4.0)
    expected = sigma @ sigma.T * (1 - decay) / 4 + 0.1**2 / 4 * decay * np.eye(2)
    # Euler's stationary covariance is too large by 1/(1 − h)
    np.testing.assert_allclose(np.cov(states), expected, atol=0.01)
    np.testing.assert_allclose(states.mean(axis=1), [math.exp(-2.0), 0.0], atol=0.012)


def test_adaptive_steps_follow_the_cliff():
    ensemble = Ensemble(
        (cliff, spring),
        Starts(Uniform((0.0,), 1.0), 3),
        Wiener(3, math.sqrt(2) * np.eye(1)),
        SRA1,
        AdaptiveSteps(1 / 64, 20 / 64),
        np.linspace(0.0, 1.0, 5),
    )
    kept = integrate(ensemble, np.arange(4_000))
    # equilibrium of dθ = −V' dt + √2 dW: density ∝ e^{−V}; V = e^{2θ²}/4 is reached fast
    x = np.linspace(-2.5, 2.5, 4_001)
    weight = np.exp(-0.25 * np.exp(2 * x**2))
    expected = np.trapezoid(x**2 * weight, x) / np.trapezoid(weight, x)
    squares = kept.states[-1, 0, 0] ** 2
    assert abs(squares.mean() - expected) < 4 * squares.std() / math.sqrt(squares.size)
    assert kept.steps.min() >= 64
    assert kept.steps.max() > kept.steps.min()


def test_paths_do_not_depend_on_their_company():
    ensemble = Ensemble(
        (cliff, spring),
        Starts(Uniform((0.0, 0.0), 1.0), 3),
        Wiener(3, np.eye(2)),
        SRA1,
        AdaptiveSteps(1 / 64, 20 / 64),
        np.linspace(0.0, 1.0, 5),
    )
    together = integrate(ensemble, np.arange(50))
    alone = integrate(ensemble, np.arange(17, 20))
    np.testing.assert_array_equal(together.states[..., 17:20], alone.states)
    np.testing.assert_array_equal(together.sups[..., 17:20], alone.sups)

"""The potential of the equations: cap, penalty, equal points, and the sharing out over ranks."""

import math

import numpy as np
import pytest
from mpi4py import MPI
from numpy.typing import NDArray

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.risk import NeuralODERisk, ResNetRisk, RiskError
from fokkerplanck.risk.distribution import distinct
from fokkerplanck.risk.potential import NetworkPotential

TANH = Network(("theta[0]*tanh(theta[1]*x[0])",))
DEPTHS = [1, 16, 200, math.inf]


def sample() -> DataMeasure:
    return DataMeasure(*np.random.default_rng(8).normal(size=(2, 40)))


def potential(kind: str = "smooth", tolerance: float = 1e-12) -> NetworkPotential:
    return NetworkPotential(TANH, sample(), Cap(kind, 1.0), Penalty(0.5, dimension=2), tolerance)


def points(count: int = 40, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, 2)) * 1.5


def test_potential_is_capped_risk_plus_penalty() -> None:
    theta, V = points(), potential()
    risk, _ = NeuralODERisk(TANH, sample())(V.cap(theta))
    np.testing.assert_allclose(V(theta), risk + 0.5 * (theta**2).sum(axis=1), rtol=1e-11)
    assert V.dimension == 2


@pytest.mark.parametrize("kind", ["smooth", "tanh", "none"])
def test_gradients_match_difference_quotients(kind: str) -> None:
    V, theta, h = potential(kind), points() / 2, 1e-5
    table = V.tabulate(theta, DEPTHS)
    np.testing.assert_array_equal(V.gradient(theta), table.gradient)
    for i, shift in enumerate(np.eye(2) * h):
        ahead, behind = V.tabulate(theta + shift, DEPTHS), V.tabulate(theta - shift, DEPTHS)
        quotient = (ahead.value - behind.value) / (2 * h)
        np.testing.assert_allclose(table.gradient[:, i], quotient, rtol=1e-6, atol=1e-6)
        for n in DEPTHS:
            quotient = (ahead.difference[n] - behind.difference[n]) / (2 * h)
            np.testing.assert_allclose(
                table.difference_gradient[n][:, i], quotient, rtol=1e-5, atol=1e-5
            )


def test_penalty_cancels_in_the_differences() -> None:
    theta, V = points(), potential()
    shallow = ResNetRisk(TANH, sample(), 16)(V.cap(theta))[0]
    whole = shallow + 0.5 * V.penalty(theta)
    np.testing.assert_allclose(
        V.tabulate(theta, [16]).difference[16], 16 * (V(theta) - whole), rtol=1e-8, atol=1e-9
    )


def test_points_beyond_the_cap_share_one_evaluation() -> None:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rays = np.column_stack([np.cos(angles), np.sin(angles)])
    theta = np.concatenate([r * rays for r in np.linspace(2.0, 9.0, 20)])
    first, inverse = distinct(potential().cap(theta))
    assert len(first) == 12
    assert inverse.shape == (240,)
    V = potential()
    excess = (V(theta) - 0.5 * V.penalty(theta)).reshape(20, 12)
    np.testing.assert_allclose(excess, np.broadcast_to(excess[0], excess.shape), rtol=1e-12)


def test_multiples_are_different_points() -> None:
    theta = np.array([[0.5, 0.25], [1.0, 0.5], [2.0, 1.0], [0.0, 0.0], [1e-30, 0.0]])
    assert len(distinct(theta)[0]) == 5


@pytest.mark.parametrize("empty_rank", [None, 0])
def test_ranks_share_the_work_and_get_their_own_points(
    comm: MPI.Comm, empty_rank: int | None
) -> None:
    count = 0 if comm.rank == empty_rank else 10 + comm.rank
    theta = points(count, seed=comm.rank)
    shared = potential().tabulate(theta, DEPTHS, comm)
    alone = potential().tabulate(theta, DEPTHS)
    np.testing.assert_allclose(shared.value, alone.value, rtol=1e-12)
    np.testing.assert_allclose(shared.gradient, alone.gradient, rtol=1e-10, atol=1e-11)
    for n in DEPTHS:
        np.testing.assert_allclose(shared.difference[n], alone.difference[n], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(
            shared.difference_gradient[n], alone.difference_gradient[n], rtol=1e-9, atol=1e-10
        )
    assert shared.method == alone.method


def test_every_rank_raises_for_one_rank(comm: MPI.Comm) -> None:
    network = Network(("theta[0]*x[0]**2",))
    V = NetworkPotential(network, DataMeasure([1.0], [0.0]), Cap("none", 1.0), Penalty(1.0))
    theta = np.array([[3.0 if comm.rank == comm.size - 1 else 0.1]])
    with pytest.raises(RiskError, match=r"theta = \[3\.0\]"):
        V.tabulate(theta, [2], comm)


def test_refuses_a_penalty_of_another_dimension() -> None:
    with pytest.raises(ValueError, match="network's 2 parameter"):
        NetworkPotential(TANH, sample(), Cap("smooth", 1.0), Penalty(1.0, dimension=3))

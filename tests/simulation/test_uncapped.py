"""f = θx without a cap, whose expected risks are known from a discretisation of their own."""

import math

import pytest

import fokkerplanck as fp
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.simulation.driver import EnsembleOptions, simulate

SETTINGS = ["network.field=['theta[0]*x[0]']", "cap.kind='none'", "depths.values=[1, 16, 64]"]

#: E[V(θ_T)] and lim N (E[V] − E[V_N]) at T for the bump of radius 1 and H = θ².
RISK, LIMIT = 0.668643505, -0.0625622


@pytest.fixture(scope="module", params=["sra1", "euler"])
def outcome(request, tmp_path_factory):
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    folder = comm.bcast(tmp_path_factory.mktemp("sums") if comm.rank == 0 else None)
    study = fp.Study.load("geyser1", SETTINGS)
    return simulate(
        study, EnsembleOptions(40_000, 64, scheme=request.param), comm, Progress(), folder
    )


def found(outcome, quantity, depth, time=1.0):
    return next(
        row
        for row in outcome.rows
        if (row.quantity, row.depth, row.time) == (quantity, depth, time)
    )


def test_expected_risks_are_the_known_ones(outcome):
    row = found(outcome, "risk_mean", math.inf)
    assert abs(row.value - RISK) < row.uncertainty
    assert row.uncertainty < 0.02
    row = found(outcome, "risk_curve", 64)
    assert abs(64 * row.value - LIMIT) < 64 * row.uncertainty + 1e-3


def test_steps_follow_the_path(outcome):
    assert outcome.sums["most_steps"] > 64
    assert outcome.sums["steps"] / outcome.num_paths < 100


def test_exceedances_collapse(outcome):
    # for a uniform start an independent program finds .956 at N = 1 and 0 at 16
    assert found(outcome, "exceeds_0.1", 1).value > 0.9
    assert found(outcome, "exceeds_0.1", 16).value == 0.0
    quantiles = [found(outcome, "sup_q99", N).scaled for N in (16, 64)]
    assert quantiles[0] == pytest.approx(quantiles[1], rel=0.03)


def test_bounds_hold_without_a_cap(outcome):
    assert outcome.holds
    assert outcome.paths.ratio.min() >= 1.0 - 1e-9
    assert outcome.paths.order == pytest.approx(1.0, abs=0.03)
    assert "densities without a cap are not solved for" in outcome.notes

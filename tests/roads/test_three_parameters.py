"""Studies with three parameters."""

import math

import numpy as np
import pytest
from references.ornstein_uhlenbeck import OrnsteinUhlenbeck

import fokkerplanck as fp
from fokkerplanck.problem.initial import Gaussian
from fokkerplanck.risk.potential import NetworkPotential
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.verification import resolution
from fokkerplanck.verification.refinement import Refinement

OU = OrnsteinUhlenbeck(0.5, Gaussian((0.3, -0.2, 0.1), 0.4))


def _study(dimension, depths):
    """A study whose network has two parameters, and whose start is a normal density."""
    return fp.Study.from_dict(
        {
            "network": {"field": ["0.2*theta[0]*tanh(theta[1]*x[0])"], "parameters": dimension},
            "data": {"inputs": [[0.3], [-0.2]], "targets": [[0.4], [0.1]]},
            "cap": {"kind": "none"},
            "initial": {"kind": "gaussian", "radius": 0.4, "center": [0.3, 0.2, 0.0][:dimension]},
            "annuli": {"radius": 1.0, "count": 1},
            "depths": {"values": depths, "limit": False},
            "accuracy": {"relative": 0.5 if dimension == 3 else 1e-4},
        }
    )


def test_companion_on_the_ball_sees_the_potential_at_its_own_points(comm, monkeypatch):
    monkeypatch.setattr(resolution, "BALL_RESOLUTIONS", ((4, 1.0),))
    study = _study(3, [2])
    fine, coarse = Refinement(study, comm, Progress()).pair([2.0])
    potential = NetworkPotential(study.network, study.data, study.cap, study.penalty, 1e-9)
    for discretisation in (fine, coarse):
        table = potential.tabulate(discretisation.space.points.reshape(-1, 3), [2.0], comm)
        np.testing.assert_allclose(discretisation.tables.potential.ravel(), table.value, rtol=1e-5)


@pytest.mark.slow
def test_study_with_an_idle_third_parameter_is_one_with_two(comm, monkeypatch):
    monkeypatch.setattr(resolution, "BALL_RESOLUTIONS", ((5, 1.0),))
    three, two = (fp.run(_study(m, [2]), comm, Progress()) for m in (3, 2))
    # The third parameter is an Ornstein-Uhlenbeck process of its own.
    variance = 0.16 * math.exp(-2.0) + OU.spread(1.0)
    factors = {"density_l1": (1.0 - variance / 4.0) ** -0.5, "mean": 1.0, "risk": 1.0}
    for quantity, factor in factors.items():
        number, exact = three.curve(quantity)[2], factor * two.curve(quantity)[2].value
        assert number.value == pytest.approx(exact, rel=2e-3)
        assert abs(number.value - exact) <= number.uncertainty + 1e-4 * exact

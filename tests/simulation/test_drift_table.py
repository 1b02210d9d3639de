import math

import numpy as np
import pytest

import fokkerplanck as fp
from fokkerplanck.model import Cap
from fokkerplanck.simulation.drift_table import DriftTable
from fokkerplanck.simulation.noise import Starts, Wiener
from fokkerplanck.simulation.paths import Ensemble, integrate
from fokkerplanck.simulation.polynomials import CAPS, ratio_and_slope
from fokkerplanck.simulation.potentials import PotentialFactory, TabulatedPotential
from fokkerplanck.simulation.schemes import SRA1, FixedSteps

TIMES = np.linspace(0.0, 1.0, 3)


def factory(comm, name="geyser1", *settings):
    return PotentialFactory(fp.Study.load(name, settings), comm)


@pytest.mark.parametrize("kind", CAPS)
def test_kernel_bends_as_the_cap_does(kind):
    cap = Cap(kind, 1.5)
    r = np.linspace(0.0, 5.0, 400)
    theta = r[:, None]
    ratio, slope = np.array([ratio_and_slope(CAPS[kind], 1.5, x) for x in r]).T
    np.testing.assert_allclose(ratio[:, None] * theta, cap(theta), atol=1e-15)
    np.testing.assert_allclose(
        slope[:, None], cap.pull_back(theta, np.ones_like(theta)), atol=1e-14
    )


@pytest.mark.parametrize(
    ("name", "depth", "settings"),
    [
        ("geyser1", math.inf, []),
        ("geyser1", 5, ["cap.kind='tanh'"]),
        ("geyser", 3, []),
        ("geyser", 2, ["cap.kind='hard'", "cap.radius=1.0"]),
        ("geyser1", 4, ["penalty.potential='sqrt(1+theta[0]**2)-1'"]),
    ],
)
def test_table_and_kernels_agree(comm, name, depth, settings):
    made = factory(comm, name, *settings)
    fast, direct = made.potential(depth), made.direct(depth)
    assert isinstance(fast, TabulatedPotential)
    theta = 1.5 * np.random.default_rng(1).standard_normal((made.study.dimension, 500))
    (value, slope), (known, steep) = fast(theta), direct(theta)
    assert np.abs(value - known).max() < 1e-11
    assert np.abs(slope - steep).max() < 1e-10


@pytest.mark.parametrize("name", ["geyser1", "geyser"])
def test_paths_by_table_are_those_by_kernels(comm, name):
    made = factory(comm, name)
    study, m = made.study, made.study.dimension
    rest = (Starts(study.initial, 1), Wiener(1, math.sqrt(2) * np.eye(m)), SRA1)
    paths = np.arange(20)
    by_table, by_kernels = (
        integrate(Ensemble((kind(math.inf), kind(2)), *rest, FixedSteps(1 / 32), TIMES), paths)
        for kind in (made.potential, made.direct)
    )
    assert np.abs(by_table.states - by_kernels.states).max() < 1e-10
    assert np.abs(by_table.values - by_kernels.values).max() < 1e-10


def test_without_a_cap_what_lies_beyond_the_table_is_computed(comm):
    made = factory(comm, "geyser1", "cap.kind='none'", "network.field=['theta[0]*x[0]']")
    fast = made.potential(4)
    assert isinstance(fast, TabulatedPotential)
    theta = np.array([[-2 * made.reach, 0.1, 2 * made.reach]])
    value, slope = fast(theta)
    known, steep = made.direct(4)(theta)
    np.testing.assert_allclose(value, known, rtol=1e-11)
    np.testing.assert_allclose(slope, steep, rtol=1e-9)


def test_cells_are_split_where_the_term_is_rough(comm):
    def term(points):
        return np.tanh(12.0 * (points[:, 0] - 0.3 * points[:, 1] ** 2))

    table = DriftTable.build(term, Cap("none"), 2, 1.0, comm)
    assert table is not None
    assert table.level.max() > table.level[table.start >= 0].min()
    theta = np.random.default_rng(2).uniform(-0.7, 0.7, (2, 400))
    value, slope = np.empty(400), np.empty((2, 400))
    assert table.evaluate(theta, value, slope) == 0
    t = np.tanh(12.0 * (theta[0] - 0.3 * theta[1] ** 2))
    steep = 12.0 * (1 - t * t) * np.stack([np.ones(400), -0.6 * theta[1]])
    assert np.abs(value - t).max() < 1e-10
    assert np.abs(slope - steep).max() < 1e-9


def test_there_is_no_table_of_what_polynomials_do_not_resolve(comm):
    assert DriftTable.build(lambda x: np.abs(x[:, 0] - 0.111), Cap("none"), 1, 1.0, comm) is None


def test_deep_networks_are_expanded(comm):
    made = factory(comm)
    theta = np.array([[-1.0, 0.3, 1.7]])
    (value, _), (other, _) = made.direct(4096)(theta), made.direct(2048)(theta)
    limit = made.direct(math.inf)(theta)[0]
    known = made.limit()(theta)[0]
    # Richardson's extrapolation of 4096 (V − V_N) to the limit
    np.testing.assert_allclose(
        2 * 4096 * (limit - value) - 2048 * (limit - other), known, rtol=1e-6
    )

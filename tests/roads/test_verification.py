"""Studies end to end: an independent solver, the contract of the table, reruns, ranks."""

import csv
import math
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from references.sinc_collocation import SincReference

from fokkerplanck.problem.initial import Gaussian
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.study import Study
from fokkerplanck.verification.driver import run

X, Y, WEIGHTS = np.array([-1.0, 0.5, 1.5]), np.array([0.3, -0.2, 1.0]), np.array([0.5, 0.2, 0.3])

#: A linear network on three points: its risks have closed forms.
LINEAR = {
    "network": {"field": ["theta[0]*x[0]"]},
    "data": {"inputs": X.tolist(), "targets": Y.tolist(), "weights": WEIGHTS.tolist()},
    "cap": {"kind": "tanh", "radius": 1.0},
    "penalty": {"gamma": 0.6},
    "noise": {"sigma": 1.3},
    "initial": {"kind": "gaussian", "radius": 0.3, "center": [0.25]},
    "annuli": {"radius": 1.0, "count": 2},
    "depths": {"values": [1, 4, 64, 4096], "limit": True},
    "time": {"horizon": 0.8},
    "accuracy": {"relative": 1e-5},
}


def changed(**sections):
    return {name: table | sections.get(name, {}) for name, table in LINEAR.items()}


def bounds_of(table):
    return [row for row in table.rows if row.quantity in ("density_l1", "mean", "risk")]


def measured(tables):
    return run(Study.from_dict(tables), MPI.COMM_WORLD, Progress())


@pytest.fixture(scope="module")
def linear():
    return measured(LINEAR)


# -- against sinc collocation of potentials in closed form


def capped(theta):
    return np.tanh(theta), 1.0 - np.tanh(theta) ** 2


def risk_gap(rho, h):
    """``N(L − L_N)`` and its derivative in ρ for the linear network, ``h = 1/N``."""
    if h == 0.0:
        factor, slope = np.exp(rho), np.exp(rho)
        gap, gap_slope = rho**2 / 2 * factor, (rho + rho**2 / 2) * factor
        shallow, shallow_slope = factor, slope
    else:
        factor = slope = np.exp(rho)
        shallow, shallow_slope = (1 + rho * h) ** (1 / h), (1 + rho * h) ** (1 / h - 1)
        gap, gap_slope = (factor - shallow) / h, (slope - shallow_slope) / h
    # (y − gx)² − (y − g_N x)² = (g_N − g) x (2y − (g + g_N) x)
    xy, xx = WEIGHTS @ (X * Y), WEIGHTS @ X**2
    total, total_slope = factor + shallow, slope + shallow_slope
    value = -gap * (2 * xy - total * xx)
    return value, -gap_slope * (2 * xy - total * xx) + gap * total_slope * xx


def reference(h):
    gamma = LINEAR["penalty"]["gamma"]

    def V(x):
        g = np.exp(capped(x)[0])
        return WEIGHTS @ (Y[:, None] - g * X[:, None]) ** 2 + gamma * x**2

    def slope(x):
        rho, inner = capped(x)
        g = np.exp(rho)
        outer = WEIGHTS @ (2 * (g * X[:, None] - Y[:, None]) * g * X[:, None])
        return outer * inner + 2 * gamma * x

    return SincReference(
        V=V,
        slope=slope,
        E=lambda x: risk_gap(capped(x)[0], h)[0],
        E_slope=lambda x: risk_gap(capped(x)[0], h)[1] * capped(x)[1],
        initial=lambda x: Gaussian((0.25,), 0.3)(x[:, None]),
        diffusion=0.5 * LINEAR["noise"]["sigma"] ** 2,
        count=221,
    )


@pytest.mark.parametrize("depth", [1.0, 4.0, 64.0, math.inf])
def test_densities_of_a_linear_network(linear, depth):
    solver = reference(1.0 / depth)
    truth = solver.norms(0.8, 1.0 / depth, lambda x: 0.15 * x**2, [0.0, 1.0, 2.0, 4.0])
    factor = 1.0 if math.isinf(depth) else depth
    for label, exact in zip(("core", "0", "1"), truth, strict=True):
        row = linear.curve("density_l1", label)[depth]
        assert row.time == 0.8
        assert abs(factor * row.value - exact) <= factor * row.uncertainty + 1e-9 * exact
        assert row.uncertainty <= 1e-5 * row.value


@pytest.mark.parametrize("depth", [1.0, 4.0, 64.0])
def test_means_and_risks_of_a_linear_network(linear, depth):
    h, times = 1.0 / depth, np.linspace(0.0, 0.8, 161)
    solver = reference(h)
    x, width = solver.x, solver.x[1] - solver.x[0]
    density, gap = np.moveaxis(solver.path(times[1], 160, h), 1, 0) * np.exp(
        -solver.V(x) / (2 * solver.diffusion)
    )
    # The trapezoidal rule is exact to rounding for functions that sinc functions resolve.
    curves = {
        "mean": np.abs(width * gap @ x),
        "risk": np.abs(width * (gap @ solver.V(x) + density @ solver.E(x))),
    }
    for quantity, curve in curves.items():
        row = linear.curve(quantity)[depth]
        top = int(np.argmax(curve))
        assert abs(row.time - times[top]) <= times[1]
        found, slack = depth * row.value, depth * row.uncertainty + 1e-9 * depth * row.value
        # Between two points of the grid the curve is higher than at them by its curvature.
        bend = np.max(np.abs(np.diff(curve, 2)[max(top - 2, 0) : top + 2])) / 8
        assert curve[top] - slack <= found <= curve[top] + bend + slack


# -- the contract of the table


def test_rows_are_complete_and_in_order(linear):
    regions = ["", "core", "0", "1"]
    names = [("density_l1", r) for r in regions] + [("mean", ""), ("risk", ""), ("l1", "")]
    names += [("mass_defect", ""), ("density_min", "")]
    expected = [("p0_l2", "", math.inf)]
    expected += [(*name, N) for N in (1.0, 4.0, 64.0, 4096.0, math.inf) for name in names]
    assert [(r.quantity, r.annulus, r.depth) for r in linear.rows] == expected


def test_curves_and_picture_hold_the_numbers_of_the_table(linear):
    histories = {(h.bound, h.depth): h for h in linear.histories}
    assert set(histories) == {(b, N) for b in ("(A)", "(B)") for N in (1.0, 64.0, math.inf)}
    for (bound, depth), history in histories.items():
        row = linear.curve("mean" if bound == "(A)" else "risk")[depth]
        value = row.value * (1.0 if math.isinf(depth) else depth)
        # Between two times of the grid the curve is a little higher.
        assert history.values.max() == pytest.approx(value, rel=2e-3)
        assert history.values.max() <= value * (1 + 1e-12)
    error = linear.grid_functions.errors[0]
    weighted = np.trapezoid(error.values, error.grid)
    inner = sum(linear.curve("density_l1", label)[math.inf].value for label in ("core", "0", "1"))
    assert weighted == pytest.approx(inner, rel=1e-4)


def test_scaled_columns_follow_from_the_values(linear):
    norm = linear.rows[0].value
    assert norm == pytest.approx((2 * math.sqrt(math.pi) * 0.3) ** -0.5, rel=1e-12)
    for row in linear.rows[1:]:
        factor = (1.0 if math.isinf(row.depth) else row.depth) / norm
        assert row.scaled == pytest.approx(factor * row.value, rel=1e-14)
        assert row.scaled_uncertainty == pytest.approx(factor * row.uncertainty, rel=1e-14)


def test_regions_fill_the_whole(linear):
    for depth, row in linear.curve("density_l1").items():
        parts = [linear.curve("density_l1", label)[depth] for label in linear.annuli]
        assert 0.0 <= 1.0 - sum(part.value for part in parts) / row.value < 1e-5


def test_bounds_hold_and_settle(linear):
    assert linear.holds
    names = [check.name for check in linear.checks]
    assert names[:3] == [f"({letter}) explicit constant" for letter in "ABC"]
    assert names[-1] == "accuracy"
    for heading, rows in linear.bounds():
        gap = abs(rows[4096.0].scaled - rows[math.inf].scaled)
        assert gap < 2e-3 * rows[math.inf].scaled, heading


def test_mass_and_sign_of_the_density(linear):
    for row in linear.curve("mass_defect").values():
        assert abs(row.value) < 1e-12
    for row in linear.curve("density_min").values():
        assert row.value > -1e-15


# -- reruns


@pytest.mark.serial
@pytest.mark.parametrize(
    "changes",
    [
        {"accuracy": {"relative": 1e-3}},
        {"accuracy": {"relative": 1e-4}, "initial": {"kind": "bump", "radius": 0.8}},
        {"accuracy": {"relative": 1e-4}, "initial": {"kind": "uniform", "radius": 0.5}},
        {"accuracy": {"relative": 1e-4}, "cap": {"kind": "smooth", "radius": 0.7}},
        {"accuracy": {"relative": 1e-4}, "cap": {"kind": "hard", "radius": 0.7}},
    ],
    ids=["gaussian", "bump", "uniform", "smooth", "hard"],
)
def test_rerun_with_higher_accuracy_stays_within_the_uncertainty(changes):
    depths = {"values": [2, 32], "limit": True}
    rough = measured(changed(depths=depths, **changes))
    sharp = measured(changed(depths=depths, **(changes | {"accuracy": {"relative": 1e-8}})))
    for before, after in zip(bounds_of(rough), bounds_of(sharp), strict=True):
        assert (before.quantity, before.annulus, before.depth) == (
            after.quantity,
            after.annulus,
            after.depth,
        )
        slack = before.uncertainty + after.uncertainty
        assert abs(before.value - after.value) <= slack, (before, after)
    assert rough.holds


def test_off_centre_density_and_its_mirror_image():
    quick = {"accuracy": {"relative": 1e-4}, "depths": {"values": [2], "limit": True}}
    tables = changed(initial={"kind": "bump", "center": [-0.6], "radius": 0.7}, **quick)
    table = measured(tables)
    assert table.holds
    mirrored = changed(
        initial={"kind": "bump", "center": [0.6], "radius": 0.7},
        network={"field": ["-theta[0]*x[0]"]},
        **quick,
    )
    for row, other in zip(bounds_of(table), bounds_of(measured(mirrored)), strict=True):
        slack = row.uncertainty + other.uncertainty + 1e-13 * abs(row.value)
        assert abs(row.value - other.value) <= slack


def test_depths_do_not_depend_on_each_other(linear):
    alone = measured(changed(depths={"values": [64], "limit": False}))
    for name in (("density_l1", ""), ("density_l1", "1"), ("mean", ""), ("risk", "")):
        row, other = alone.curve(*name)[64.0], linear.curve(*name)[64.0]
        assert abs(row.value - other.value) <= row.uncertainty + other.uncertainty
    assert not any("settles" in check.name for check in alone.checks)


@pytest.mark.slow
def test_faint_annuli_are_told():
    tables = changed(
        initial={"kind": "bump", "radius": 1.0, "center": [0.0]},
        annuli={"count": 4},
        time={"horizon": 0.25},
        depths={"values": [2], "limit": False},
        accuracy={"relative": 1e-8},
    )
    table = measured(tables)
    faint = table.curve("density_l1", "3")[2.0]
    assert 1e-40 < faint.value < 1e-35
    assert faint.uncertainty < 1e-2 * faint.value
    assert table.holds


# -- the linear solver


@pytest.mark.slow
def test_iteration_finds_the_numbers_of_the_factors():
    tables = tomllib.loads(STUDY) | {"depths": {"values": [2], "limit": False}}
    factors = measured(tables)
    iteration = measured(tables | {"solver": {"method": "iterative", "memory": 1.0}})
    for row, other in zip(factors.rows, iteration.rows, strict=True):
        slack = row.uncertainty + other.uncertainty
        assert abs(row.value - other.value) <= slack, (row, other)
    for table, name in ((factors, "Cholesky"), (iteration, "conjugate gradients")):
        assert any(name in note for note in table.notes)


# -- p = p^N


@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        ({"field": ["theta[0]"]}, X.tolist()),
        ({"field": ["tanh(x[0])"], "parameters": 1}, X.tolist()),
        ({"field": ["tanh(theta[0]*x[0])"]}, [0.0, 0.0, 0.0]),
    ],
    ids=["no x", "no theta", "no inputs"],
)
def test_equal_densities_are_a_result(network, inputs):
    tables = changed(
        data={"inputs": inputs}, accuracy={"relative": 1e-4}, depths={"values": [1, 2, 4, 128]}
    )
    table = measured(tables | {"network": network})
    assert table.holds
    assert any("p and p^N are the same for 5 of 5 depths" in note for note in table.notes)
    assert not any("less accurate than asked" in note for note in table.notes)
    for quantity in ("density_l1", "mean", "l1"):
        for row in table.curve(quantity).values():
            assert row.value <= row.uncertainty < 1e-12


def test_risks_differ_where_densities_do_not():
    """V − V_N does not depend on θ, so that (B) is its constant."""
    network = {"field": ["tanh(x[0])"], "parameters": 1}
    tables = changed(depths={"values": [1], "limit": False}, accuracy={"relative": 1e-4})
    row = measured(tables | {"network": network}).curve("risk")[1.0]
    # sinh x(1) = e sinh x(0) along the flow of tanh
    end = np.arcsinh(np.e * np.sinh(X))
    truth = abs(WEIGHTS @ ((Y - end) ** 2 - (Y - X - np.tanh(X)) ** 2))
    assert abs(row.value - truth) <= row.uncertainty < 1e-6 * truth


# -- notes


def test_network_with_kinks_is_noted():
    relu = changed(
        network={"field": ["relu(theta[0]*x[0])"]},
        accuracy={"relative": 1e-2},
        depths={"values": [2], "limit": False},
    )
    assert any("kinks" in note for note in measured(relu).notes)


def test_missing_cap_is_noted(linear):
    uncapped = changed(
        cap={"kind": "none"},
        network={"field": ["theta[0]*tanh(x[0])"]},
        depths={"values": [2], "limit": False},
    )
    assert any("not proven" in note for note in measured(uncapped).notes)
    assert not any("not proven" in note or "kinks" in note for note in linear.notes)


# -- the command


#: The one of the environment in which the tests run, or else any.
MPIRUN = shutil.which("mpirun", path=Path(sys.executable).parent) or "mpirun"

STUDY = """
[network]
field = ["theta[0]*tanh(theta[1]*x[0])"]
[data]
inputs = [-1.0, 0.5, 2.0]
targets = [0.5, -0.5, 1.0]
[annuli]
count = 1
[depths]
values = [2]
[accuracy]
relative = 1e-2
"""


def verify(folder, ranks, *arguments):
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    command = [sys.executable, "-m", "fokkerplanck", "verify", str(folder / "study.toml")]
    command += ["--out", str(folder / f"ranks{ranks}"), *arguments]
    if ranks > 1:
        command = [MPIRUN, "-n", str(ranks), *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def numbers(folder, ranks):
    with (folder / f"ranks{ranks}" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [(r["quantity"], r["annulus"], r["depth"]) for r in rows]
    return names, [float(r["value"]) for r in rows], [float(r["scaled"]) for r in rows]


@pytest.mark.slow
@pytest.mark.serial
def test_ranks_agree(tmp_path):
    runs = []
    for ranks in (1, 2, 3):
        done = verify(tmp_path, ranks)
        assert done.returncode == 0, done.stdout + done.stderr
        runs.append(numbers(tmp_path, ranks))
    names, values, scaled = runs[0]
    assert len(names) == 1 + 2 * 8
    for other_names, other_values, other_scaled in runs[1:]:
        assert other_names == names
        assert other_values == pytest.approx(values, rel=1e-9, abs=1e-14)
        assert other_scaled == pytest.approx(scaled, rel=1e-9, abs=1e-12)


def test_accuracy_that_cannot_be_met_is_said():
    tables = changed(accuracy={"relative": 1e-14}, depths={"values": [2], "limit": False})
    table = measured(tables)
    assert not table.holds
    assert [check.name for check in table.checks if not check.holds] == ["accuracy"]

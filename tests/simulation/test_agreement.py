import csv
import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

import fokkerplanck as fp
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.simulation.agreement import Agreement, compare
from fokkerplanck.simulation.command import matrix
from fokkerplanck.simulation.driver import EnsembleOptions, simulate
from fokkerplanck.simulation.figures import draw_simulation
from fokkerplanck.simulation.files import write_simulation
from fokkerplanck.simulation.published import compare_with_folder
from fokkerplanck.simulation.reference import annulus_probabilities, radial_law
from fokkerplanck.study import StudyError
from fokkerplanck.study.files import COLUMNS, record, write_results
from fokkerplanck.study.results import Results, Row

SETTINGS = ["depths.values=[1, 4]", "initial.center=[0.3]"]
OPTIONS = EnsembleOptions(paths=20_000, steps=64)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    folder = comm.bcast(tmp_path_factory.mktemp("sums") if comm.rank == 0 else None)
    return simulate(fp.Study.load("geyser1", SETTINGS), OPTIONS, comm, Progress(), folder)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_radial_laws_of_normal_densities(m):
    def density(points):
        return np.exp(-0.5 * (points**2).sum(axis=1)) / (2 * math.pi) ** (m / 2)

    law, r = radial_law(density, m, 9.0), np.linspace(0.0, 10.0, 50)
    np.testing.assert_allclose(law(r), stats.chi(m).cdf(r), atol=1e-9)
    masses = annulus_probabilities(law, Annuli(1.0, 2))
    assert masses.sum() == pytest.approx(1.0)
    assert masses[0] == pytest.approx(stats.chi(m).cdf(1.0), abs=1e-9)


def test_paths_and_densities_agree(outcome):
    agreement = outcome.agreement
    assert outcome.holds
    assert agreement.smallest > 1e-3
    assert len(agreement.comparisons) == 29 * 2 * 2 + 3 * 3
    for reference in outcome.reference.depths.values():
        assert reference.error.max() < 1e-5


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_other_densities_are_found_out(outcome, factor):
    depths = {
        depth: dataclasses.replace(known, difference=factor * known.difference)
        for depth, known in outcome.reference.depths.items()
    }
    wrong = dataclasses.replace(outcome.reference, depths=depths)
    curves, sums = outcome.differences, outcome.sums
    found = Agreement(compare(curves, sums, outcome.counters, outcome.horizon, wrong))
    assert not found.holds
    assert found.worst.quantity == "mean_0"


def test_other_laws_are_found_out(outcome):
    known = outcome.reference.depths
    law = known[4].laws["0"]
    shifted = dataclasses.replace(law, function=lambda x: law.function(x + 0.08))
    wrong = dataclasses.replace(known[4], laws={"0": shifted})
    reference = dataclasses.replace(outcome.reference, depths={**known, 4: wrong})
    sums, counters = outcome.sums, outcome.counters
    found = Agreement(compare(outcome.differences, sums, counters, outcome.horizon, reference))
    assert not found.holds
    assert found.worst.quantity == "0"


def test_files_have_the_columns_of_results(outcome, comm, tmp_path):
    if comm.rank:
        return
    write_simulation(outcome, OPTIONS, {}, tmp_path)
    draw_simulation(outcome, tmp_path / "simulation.png")
    assert (tmp_path / "simulation.png").stat().st_size > 10_000
    with (tmp_path / "simulation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    found = {(row["quantity"], row["depth"]): row for row in rows}
    norm = outcome.norm
    mean = found["mean", "4"]
    assert float(mean["scaled"]) == pytest.approx(4 * float(mean["value"]) / norm)
    curve = [
        float(row["value"])
        for row in rows
        if (row["quantity"], row["depth"]) == ("risk_curve", "4")
    ]
    assert max(map(abs, curve)) == pytest.approx(float(found["risk", "4"]["value"]))
    masses = [
        float(row["value"]) for row in rows if row["quantity"] == "mass" and row["depth"] == "inf"
    ]
    assert sum(masses) == pytest.approx(1.0)
    quantiles = [float(found[f"sup_q{q}", "1"]["value"]) for q in (50, 90, 99, 999)]
    assert quantiles == sorted(quantiles)
    exceed = [float(found[f"exceeds_{e}", "1"]["value"]) for e in (0.1, 0.03, 0.01)]
    assert exceed == sorted(exceed)
    assert float(found["path_bound_least", "1"]["value"]) >= 1 - 1e-9


def test_halving_the_steps_tells_their_error(comm, tmp_path):
    # Euler's expected risk is off by O(h); the correction takes most of it away
    study = fp.Study.load("geyser1", SETTINGS)
    euler, sra1 = (
        simulate(
            study,
            EnsembleOptions(paths=20_000, steps=64, scheme=scheme, compare=False),
            comm,
            Progress(),
            tmp_path / scheme,
        ).risks
        for scheme in ("euler", "sra1")
    )
    plain = euler.values - euler.corrections
    apart = np.abs(plain - sra1.values)[-1, 0, 0]
    assert np.abs(euler.values - sra1.values)[-1, 0, 0] < 0.1 * apart


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"paths": 1}, "paths must be at least 2, got 1"),
        ({"steps": 100}, "steps must be a multiple of 64, got 100"),
        ({"seed": -1}, "seed must lie"),
        ({"scheme": "heun"}, "scheme must be sra1 or euler, got 'heun'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(StudyError, match=message):
        EnsembleOptions(**options)


@pytest.mark.parametrize("text", ["[[1", "3", "[1, 2]", "[[1, 2], [3]]", "[['a']]"])
def test_what_is_no_matrix_is_refused(text):
    with pytest.raises(StudyError, match="--sigma must be a matrix"):
        matrix(text)


def test_matrices_of_another_size_are_refused(comm, tmp_path):
    study = fp.Study.load("geyser1", SETTINGS)
    with pytest.raises(StudyError, match=r"sigma must be a finite matrix of shape \(1, 1\)"):
        simulate(study, EnsembleOptions(sigma=((1.0, 0.0), (0.0, 1.0))), comm, Progress(), tmp_path)


def published(folder, outcome, factor):
    """Results as verify leaves them, from the solver's curves times a factor."""
    study = fp.Study.load("geyser1", SETTINGS)
    rows = []
    for depth in outcome.counters.depths:
        curve = np.abs(outcome.reference.depths[depth].difference)
        for name, values in (("mean", curve[:, 0]), ("risk", curve[:, 1])):
            k = int(np.argmax(values))
            value = factor * float(values[k]) / depth
            time = float(outcome.reference.times[k])
            rows.append(Row(name, "", depth, time, value, 1e-9, 0.0, 0.0))
    write_results(Results(tuple(rows)), record(study, 1, {}), folder)
    return study


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (1.2, False)])
def test_results_in_a_folder_are_compared_with(outcome, comm, tmp_path, factor, holds):
    if comm.rank:
        return
    study, curves = published(tmp_path, outcome, factor), outcome.differences
    found = Agreement(compare_with_folder(tmp_path, study, curves, outcome.counters.depths))
    assert len(found.comparisons) == 4
    assert found.holds == holds


def test_results_of_another_study_are_refused(outcome, comm, tmp_path):
    if comm.rank:
        return
    published(tmp_path, outcome, 1.0)
    other = fp.Study.load("geyser1", ["depths.values=[1, 4]", "penalty.gamma=0.6"])
    with pytest.raises(StudyError, match=r"differ in \[initial\], \[penalty\]"):
        compare_with_folder(tmp_path, other, outcome.differences, (1, 4))
    with pytest.raises(StudyError, match="cannot be read"):
        compare_with_folder(tmp_path / "none", other, outcome.differences, (1, 4))

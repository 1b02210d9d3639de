"""A small part of the calibration: uncertainties of random studies against better computations."""

import time

import pytest
from calibration import Comparison, Outcome, compare, compared, reason, summary, within
from random_studies import Origin, random_study, unusual_study

from fokkerplanck.study import Study
from fokkerplanck.study.results import Results, Row

pytestmark = pytest.mark.serial


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_uncertainties_of_a_random_study_cover_the_errors(seed):
    found = compare(random_study(seed, 1), seed)
    by_finer = [c for c in found if c.judge == "finer"]
    by_volumes = [c for c in found if c.judge != "finer"]
    assert (len(by_finer), len(by_volumes)) == (5 * 7, 7)
    assert len([c for c in by_finer if c.is_decided]) > 25
    assert [c.name for c in found if c.is_decided and not c.is_covered] == []
    for c in by_volumes:
        assert c.error <= c.uncertainty + c.blur, c.name


def test_studies_follow_from_their_seeds():
    assert random_study(3, 1) == random_study(3, 1)
    assert random_study(3, 1) != random_study(4, 1)
    changed = Origin(3, 1).changed(8).changed(9)
    assert changed.tables == Origin(3, 1, (8, 9)).tables
    assert str(changed) == "3+8+9"


def test_unusual_studies_are_valid_and_use_the_whole_language():
    fields = ""
    for seed in range(60):
        origin = Origin(seed, 2 if seed % 10 == 0 else 1, (seed,) if seed % 3 == 0 else ())
        study = Study.from_dict(origin.tables)
        fields += " ".join(study.network.field) + study.penalty.potential
    for name in ("tanh", "sigmoid", "softplus", "gelu", "relu", "sin", "cos", "exp", "log", "sqrt"):
        assert f"{name}(" in fields, name
    kinds = {str(unusual_study(seed, 1)["cap"]["kind"]) for seed in range(40)}
    assert kinds == {"smooth", "tanh", "hard", "none"}


def test_a_change_touches_one_table():
    tables = unusual_study(4, 1)
    for seed in range(20):
        changed = Origin(4, 1, (seed,)).tables
        assert sum(changed[name] != tables[name] for name in tables) <= 1


def test_summary_counts_what_is_missed():
    good = Comparison(0, "good", 1.0, 1e-6, 1e-7, 1e-9)
    bad = Comparison(1, "bad", 1.0, 1e-6, 3e-6, 1e-9)
    unclear = Comparison(1, "unclear", 1.0, 1e-9, 3e-9, 1e-8)
    result = summary([good, good, good, bad, unclear], 2, 0)
    assert (result["numbers"], result["decided"]) == (5, 4)
    assert result["covered"] == 0.75
    assert result["worst"] == pytest.approx(3.0)
    assert result["median_overestimate"] == pytest.approx(10.0)
    assert [miss["number"] for miss in result["missed"]] == ["bad"]


def test_an_error_beyond_both_uncertainties_decides_too():
    row = Row("density_l1", "", 1.0, 1.0, 0.14908102, 2.2e-6, 0.1, 1e-6)
    known = {("density_l1", "", 1.0): (0.149888058, 4e-6)}
    (miss,) = compared(Results((row,)), known, 7, "finite volumes")
    assert miss.blur > miss.uncertainty
    assert miss.is_decided
    assert not miss.is_covered


def test_refusals_are_counted_by_their_kind():
    assert reason("V/D must change by 20.4, got 3e5 in 'a b'") == "V/D must change by …, got … in …"
    outcome = Outcome()
    tables = {**random_study(3, 1), "cap": {"kind": "round"}}
    assert outcome.add(3, tables, 0) == 0.0
    assert (outcome.studies, sum(outcome.refused.values())) == (1, 1)


def test_a_study_that_takes_too_long_is_stopped():
    with pytest.raises(TimeoutError), within(1):
        time.sleep(30)

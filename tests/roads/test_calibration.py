"""A small part of the calibration: uncertainties of random studies against finer computations."""

import pytest
from calibration import Comparison, compare, random_study, summary

pytestmark = pytest.mark.serial


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_uncertainties_of_a_random_study_cover_the_errors(seed):
    found = compare(seed, 1)
    assert len(found) == 5 * 7
    decided = [c for c in found if c.is_decided]
    assert len(decided) > 25
    assert [c.name for c in decided if not c.is_covered] == []


def test_studies_follow_from_their_seeds():
    assert random_study(3, 1) == random_study(3, 1)
    assert random_study(3, 1) != random_study(4, 1)


def test_summary_counts_what_is_missed():
    good = Comparison(0, "good", 1.0, 1e-6, 1e-7, 1e-9)
    bad = Comparison(1, "bad", 1.0, 1e-6, 3e-6, 1e-9)
    unclear = Comparison(1, "unclear", 1.0, 1e-9, 3e-9, 1e-8)
    result = summary([good, good, good, bad, unclear], 2, 0)
    assert (result["numbers"], result["decided"]) == (5, 4)
    assert result["covered"] == 0.75
    assert result["median_overestimate"] == pytest.approx(10.0)
    assert [miss["number"] for miss in result["missed"]] == ["bad"]

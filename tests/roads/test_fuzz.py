"""Inputs that are nearly right end in one line and exit code 2, or are read."""

from pathlib import Path

import hypothesis
import pytest
from fuzz import in_this_process, refuse
from fuzz_inputs import KINDS
from hypothesis import HealthCheck, Phase, strategies

from fokkerplanck import cli

#: Of each kind; `benchmarks/fuzz.py` runs as many as one likes.
CASES = 25


@pytest.mark.serial
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("kind", KINDS)
def test_command_line_ends_as_it_promises(kind, monkeypatch, tmp_path_factory):
    monkeypatch.setattr(cli, "run", refuse)

    @hypothesis.settings(
        max_examples=CASES,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategies.data())
    def ends_well(data):
        case = data.draw(KINDS[kind])
        folder: Path = tmp_path_factory.mktemp("case")
        assert in_this_process(case, folder).problems == []

    ends_well()

"""What a run says about itself."""

import io

import numba
import pytest

from fokkerplanck.runtime.progress import COMPILING, Progress, TerminalProgress


@pytest.mark.parametrize("kind", [Progress, TerminalProgress])
def test_stages_of_one_name_add_up_and_loops_yield_their_items(kind):
    with kind() as progress:
        for _ in range(2):
            with progress.stage("solve"):
                assert list(progress.track([1, 2, 3], "depths")) == [1, 2, 3]
        with progress.stage("measure"):
            pass
    assert list(progress.seconds) == ["solve", "measure"]
    assert progress.seconds["solve"] >= 0


def test_stage_is_measured_when_its_body_fails():
    progress = Progress()

    def fail() -> None:
        with progress.stage("solve"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert "solve" in progress.seconds


def test_without_a_terminal_only_notes_are_written():
    file = io.StringIO()
    with TerminalProgress(file) as progress, progress.stage("solve"):
        list(progress.track(range(3), "depths"))
        assert file.getvalue() == ""
        progress.note("a [line]")
    assert file.getvalue() == "fokkerplanck: a [line]\n"


def test_without_a_terminal_a_long_run_writes_a_line_now_and_then():
    file = io.StringIO()
    with TerminalProgress(file, quiet=0.0) as progress:
        for _ in progress.track([8, 16], "depths"):
            with progress.stage("solve"):
                pass
    lines = [line.split(" s: ")[1] for line in file.getvalue().splitlines()]
    assert lines == ["solve", "depths, 1 of 2 done", "solve", "depths, 2 of 2 done"]


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_first_compilation_is_told_once():
    @numba.njit
    def double(x):
        return 2 * x

    file = io.StringIO()
    with TerminalProgress(file):
        assert (double(1), double(1.0)) == (2, 2.0)
    assert double(1j) == 2j
    assert file.getvalue() == f"fokkerplanck: {COMPILING}\n"

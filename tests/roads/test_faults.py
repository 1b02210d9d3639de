"""Signals, streams that fail, and what a run leaves behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fokkerplanck.study.run_folder import FIELDS, PREVIOUS, RECORD, TABLE, RunFolder

pytestmark = pytest.mark.serial

COMMAND = [str(Path(sys.executable).with_name("fokkerplanck"))]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("seconds", [0.5, 4.0], ids=["importing", "computing"])
def test_signal_ends_a_run_in_one_line_and_leaves_nothing(tmp_path, number, code, seconds):
    command = [*COMMAND, "verify", "geyser", "--set", "accuracy.relative=1e-8"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert error.splitlines()[-1] == f"fokkerplanck: ended by {signal.Signals(number).name}"
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("redirection", "code", "lines"),
    [("| head -c 1", 0, 0), ("> /dev/full", 1, 1), (">&-", 0, 0), (">&- 2>&- <&-", 0, 0)],
)
def test_output_that_cannot_be_written(tmp_path, redirection, code, lines):
    script = f"set -o pipefail; {COMMAND[0]} --help {redirection}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (code, lines)


def test_terminal_of_few_characters(tmp_path):
    script = "print('θ ± 1/‖p₀‖₂ 𝕏')"
    program = f"from fokkerplanck.runtime import streams; streams.make_unfailing(); {script}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.stdout, done.stderr) == ("theta +- 1/||p0||2 \\U0001d54f\n", "")


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_new_folder_appears_as_a_whole(tmp_path):
    target = tmp_path / "a" / "b"
    folder = RunFolder.prepare(target)
    (folder.aside / TABLE).write_text("new")
    assert not target.exists()
    folder.publish()
    assert contents(tmp_path) == {f"a/b/{TABLE}": "new"}


def test_files_of_an_earlier_run_never_stand_beside_a_failed_one(tmp_path):
    for name, text in ((TABLE, "old"), (FIELDS, "old"), ("study.toml", "mine")):
        (tmp_path / name).write_text(text)
    folder = RunFolder.prepare(tmp_path)
    (folder.aside / TABLE).write_text("new")
    folder.abandon()
    kept = {f"{PREVIOUS}/{TABLE}": "old", f"{PREVIOUS}/{FIELDS}": "old", "study.toml": "mine"}
    assert contents(tmp_path) == kept

    folder = RunFolder.prepare(tmp_path)
    (folder.aside / TABLE).write_text("new")
    (folder.aside / RECORD).write_text("new")
    folder.publish()
    assert contents(tmp_path) == {TABLE: "new", RECORD: "new", "study.toml": "mine"}


def test_what_a_killed_run_has_left_goes_with_the_next(tmp_path):
    folder = RunFolder.prepare(tmp_path)
    process = subprocess.Popen(["true"])
    process.wait()
    left = folder.aside.with_name(folder.aside.name.replace(str(os.getpid()), str(process.pid)))
    folder.aside.rename(left)
    RunFolder.prepare(tmp_path).publish()
    assert list(tmp_path.iterdir()) == []

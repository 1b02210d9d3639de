"""Feeds the command line with inputs that are nearly right, and counts what it may not do.

    python benchmarks/fuzz.py --cases 10000

It may end in exit code 0, 1 or 2, with at most one line of at most 300 characters for a refusal,
which names a key or a file. It may not end otherwise, show a traceback, hang, or take memory that
was not asked for. Inputs are read by a process that is watched, and replaced when it dies.
"""

import contextlib
import io
import json
import os
import platform
import re
import resource
import select
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import hypothesis
from fuzz_inputs import KINDS, Case, runs
from hypothesis import HealthCheck, Phase

from fokkerplanck import cli
from fokkerplanck.runtime.provenance import commit
from fokkerplanck.study import StudyError
from fokkerplanck.study.sections import Settings

RESULTS = Path(__file__).parent / "results" / "fuzz.jsonl"

#: Seconds and bytes that one case may take.
LONGEST, LARGEST = 60.0, 1e9

#: Characters of a line on the terminal.
WIDEST = 300

#: What a refusal is about.
PLACE = re.compile(
    "|".join(
        [*Settings.model_fields, "recipe", "file", "study", "option", "argument", "command", "--"]
    )
)

#: What the driver says in place of computing.
LOADED = "this study could be computed"


@dataclass(frozen=True)
class Outcome:
    """How a command line has ended."""

    code: int
    error: str
    seconds: float = 0.0
    size: float = 0.0  #: bytes

    @property
    def problems(self) -> list[str]:
        """What may not be."""
        lines = self.error.splitlines()
        checks = {
            f"exit code {self.code}": self.code not in (0, 1, 2),
            "a traceback": "Traceback" in self.error or "internal error" in self.error,
            "a warning": "Warning" in self.error,
            "more than one line": self.code == 2 and len(lines) != 1,
            "a long line": any(len(line) > WIDEST for line in lines),
            "raw characters": not all(line.isprintable() for line in lines),
            "neither key nor file": self.code == 2 and not PLACE.search(self.error),
            "too long": self.seconds > LONGEST,
            "too much memory": self.size > LARGEST,
        }
        return [name for name, fails in checks.items() if fails]


def refuse(*_: object) -> None:
    """Stand in for the driver, so that inputs are read and nothing is computed."""
    raise StudyError(LOADED)


def in_this_process(case: Case, folder: Path) -> Outcome:
    """Run a case here, in a folder that is empty but for its files."""
    for name, content in case.files.items():
        (folder / name).write_bytes(content)
    output, errors = io.StringIO(), io.StringIO()
    arguments, sys.argv = sys.argv, ["fokkerplanck", *case.arguments]
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            cli.main()
    except SystemExit as end:
        return Outcome(int(end.code or 0), errors.getvalue())
    finally:
        sys.argv = arguments
    raise AssertionError("the command line must end in SystemExit")


def work(kind: str, cases: int, seed: int) -> None:
    """Run so many cases of a kind here, and write a line before and after each."""
    warnings.simplefilter("ignore")  # as the command itself does
    if kind != "run":
        cli.run = refuse

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given({**KINDS, "run": runs()}[kind])
    def one(case: Case) -> None:
        _tell({"case": repr(case)[:2000]})
        begin, size = time.monotonic(), _peak()
        with tempfile.TemporaryDirectory() as folder:
            outcome = in_this_process(case, Path(folder))
        seconds, size = time.monotonic() - begin, _peak() - size
        _tell({**asdict(outcome), "seconds": seconds, "size": size})

    one()


def _tell(content: dict[str, Any]) -> None:
    os.write(1, f"{json.dumps(content)}\n".encode())


def _peak() -> float:
    """Bytes that this process has had at most."""
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def watched(kind: str, cases: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Run so many cases of a kind in processes that may die or hang, and yield how they end."""
    while cases > 0:
        command = [sys.executable, __file__, "--work", kind, str(cases), str(seed)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        case, seed = "", seed + 1
        before = cases
        for content in _told(worker):
            if "case" in content:
                case, cases = content["case"], cases - 1
            else:
                yield case, Outcome(**content)
                case = ""
        worker.kill()
        if case:
            yield case, Outcome(worker.wait(), "the process has died or hangs")
        elif worker.wait() == 0 or cases == before:
            return


def _told(worker: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what a worker writes, until it ends or says nothing for too long."""
    assert worker.stdout is not None
    rest = b""
    while select.select([worker.stdout], [], [], LONGEST + 10.0)[0]:
        if not (read := os.read(worker.stdout.fileno(), 1 << 16)):
            return
        *lines, rest = (rest + read).split(b"\n")
        yield from map(json.loads, lines)


@click.command()
@click.option("--cases", default=10_000, show_default=True, help="Inputs that are only read.")
@click.option("--runs", "computed", default=0, show_default=True, help="Studies to compute.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice([*KINDS]), help="By default all.")
@click.option("--seed", default=1, show_default=True)
@click.option("--work", "worker", type=(str, int, int), hidden=True)
def main(
    cases: int,
    computed: int,
    kinds: tuple[str, ...],
    seed: int,
    worker: tuple[str, int, int] | None,
) -> None:
    """Fuzz the command line, print what it may not do, and keep the counts."""
    if worker:
        work(*worker)
        return
    counts: Counter[str] = Counter()
    begin = time.monotonic()
    chosen = kinds or tuple(KINDS)
    for kind, number in [*((kind, cases // len(chosen)) for kind in chosen), ("run", computed)]:
        for case, outcome in watched(kind, number, seed):
            counts.update(["cases", f"exit {outcome.code}", *outcome.problems])
            if outcome.problems:
                click.echo(
                    f"{', '.join(outcome.problems)}: {case:.600}\n    {outcome.error[-400:]}"
                )
    counts["seconds"] = round(time.monotonic() - begin)
    click.echo(dict(counts))
    record = {"machine": platform.node(), "commit": commit(), "kinds": chosen, "seed": seed}
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record | dict(counts)) + "\n")


if __name__ == "__main__":
    main()

"""N·(C) and N·(D_k) against N, with uncertainties: the measurement that the package exists for.

Run ``mpirun -n 2 python benchmarks/density_error.py [STUDY]``. The stages are timed apart, the
answer is checked, and a line with machine, commit and ranks is added to ``benchmarks/results/``.
"""

import argparse
import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from fokkerplanck import Study  # before mpi4py: it limits threads and loads the solver's wheel
from fokkerplanck.report import record, show
from fokkerplanck.runtime.progress import Progress, TerminalProgress
from fokkerplanck.study.results import Results
from fokkerplanck.verification.driver import run

from mpi4py import MPI  # isort: skip

RESULTS = Path(__file__).parent / "results" / "density_error.jsonl"


def main() -> int:
    """Run the study on all ranks and report on the first."""
    arguments = parsed()
    comm = MPI.COMM_WORLD
    settings = [f"depths.values={arguments.depths}"] if arguments.depths else []
    study = Study.load(arguments.study, settings)
    with TerminalProgress() if comm.rank == 0 else Progress() as progress:
        table = run(study, comm, progress)
    if comm.rank == 0:
        show(table, study.name, Console())
        entry = summary(study, table, comm.size, progress.seconds)
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if arguments.json:
            arguments.json.write_text(json.dumps(entry, indent=2), encoding="utf-8")
    return 0 if table.holds else 1


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", nargs="?", default="geyser", help="a TOML file or a shipped name")
    parser.add_argument("--depths", help="for example [1,8,64]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser.parse_args()


def summary(study: Study, table: Results, ranks: int, seconds: dict[str, float]) -> dict[str, Any]:
    """Everything that a later reader needs to compare with."""
    measured = record(study, ranks, seconds)
    curves = {
        heading: {f"{N:g}": [row.scaled, row.scaled_uncertainty] for N, row in rows.items()}
        for heading, rows in table.bounds()
    }
    return {
        "study": study.name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {platform.system()}",
        "commit": measured["commit"],
        "ranks": ranks,
        "seconds": seconds,
        "holds": table.holds,
        "scaled": curves,
    }


if __name__ == "__main__":
    sys.exit(main())

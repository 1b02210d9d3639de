"""The command ``simulate``."""

import json
from pathlib import Path

import click
import numpy as np
from mpi4py import MPI
from rich.console import Console

from fokkerplanck.runtime.progress import Progress, TerminalProgress
from fokkerplanck.runtime.ranks import on_rank_0
from fokkerplanck.simulation.driver import EnsembleOptions, simulate
from fokkerplanck.simulation.figures import draw_simulation
from fokkerplanck.simulation.files import write_simulation
from fokkerplanck.simulation.terminal import show
from fokkerplanck.study import Study, StudyError
from fokkerplanck.study.files import record
from fokkerplanck.study.run_folder import make_writable
from fokkerplanck.study.sections import Matrix, rows
from fokkerplanck.study.study import DEFAULT

#: Folder of the sums within that of the results.
SUMS = "simulation"


@click.command("simulate")
@click.argument("study", default=DEFAULT)
@click.option("--paths", default=100_000, show_default=True, help="How many paths.")
@click.option("--steps", default=128, show_default=True, help="Time steps, a multiple of 64.")
@click.option("--seed", default=1, show_default=True, help="Of all random numbers.")
@click.option("--scheme", default="sra1", show_default=True, help="sra1 or euler.")
@click.option(
    "--sigma", metavar="MATRIX", help="Noise matrix instead of the study's, [[a, b], [c, d]]."
)
@click.option("--out", default="results", show_default=True, help="Folder of the results.")
@click.option("--resume", is_flag=True, help="Use what an earlier run has left in the folder.")
@click.option("--compare/--no-compare", default=True, help="Solve for the densities, too.")
@click.option("--against", metavar="DIR", help="Results of verify to compare with, too.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change a value of the study; may be repeated.",
)
def command(
    study: str,
    paths: int,
    steps: int,
    seed: int,
    scheme: str,
    sigma: str | None,
    out: str,
    resume: bool,
    compare: bool,
    against: str | None,
    settings: tuple[str, ...],
) -> int:
    """Follow coupled paths of STUDY, a TOML file or the name of a shipped study."""
    comm, folder = MPI.COMM_WORLD, Path(out)
    options = EnsembleOptions(paths, steps, seed, scheme, matrix(sigma), compare=compare)

    def prepare() -> Study:
        loaded = Study.load(study, settings, needs_mesh=False)
        make_writable(folder)
        return loaded

    loaded = on_rank_0(comm, prepare)
    known = None if against is None else Path(against)
    with TerminalProgress() if comm.rank == 0 else Progress() as progress:
        outcome = simulate(loaded, options, comm, progress, folder / SUMS, resume, known)

    def tell() -> None:
        write_simulation(outcome, options, record(loaded, comm.size, progress.seconds), folder)
        draw_simulation(outcome, folder / "simulation.png")
        show(outcome, Console())
        click.echo(f"\nwritten: {folder / 'simulation.csv'}, simulation.json, simulation.png")

    on_rank_0(comm, tell)
    return 0 if outcome.holds else 1


def matrix(text: str | None) -> Matrix | None:
    """Read a matrix that is written as in JSON."""
    if text is None:
        return None
    try:
        values = np.array(json.loads(text), dtype=np.float64)
    except (ValueError, TypeError):
        values = np.empty(0)
    if values.ndim != 2:
        raise StudyError(f"--sigma must be a matrix like [[1.0, 0.5], [0.0, 1.0]], got {text!r}")
    return rows(values)

"""The command line: parse, call, print.

Exit codes of ``verify``: 0 all checks hold, 1 one does not or there is no result, 2 bad input.
Under ``mpirun`` rank 0 reads and writes, and all ranks leave with the same code.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from mpi4py import MPI
from rich.console import Console

import fokkerplanck
from fokkerplanck.evolution.krylov import KrylovError
from fokkerplanck.linalg.conjugate_gradients import SolverError
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.report import draw, draw_pictures, show
from fokkerplanck.runtime.progress import Progress, TerminalProgress
from fokkerplanck.simulation.command import command as simulate
from fokkerplanck.solution.vtkhdf import write_mesh
from fokkerplanck.study import Study, StudyError
from fokkerplanck.study.errors import one_line
from fokkerplanck.study.files import prepare_folder, record, write_results
from fokkerplanck.study.results import Results
from fokkerplanck.study.study import DEFAULT
from fokkerplanck.verification.driver import run

#: File of the densities in the folder of the results.
FIELDS = "fields.vtkhdf"


def main() -> None:
    """Run the command line and exit."""
    comm = MPI.COMM_WORLD
    with contextlib.ExitStack() as stack:
        if comm.rank:
            silence = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
        code = _run(comm)
        sys.stdout.flush()
    sys.exit(code)


def _run(comm: MPI.Comm) -> int:
    """Run a command and turn what may happen into an exit code."""
    try:
        return int(commands.main(standalone_mode=False) or 0)
    except (StudyError, click.ClickException) as error:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        if comm.rank == 0:
            click.echo(f"fokkerplanck: error: {one_line(text)}", err=True)
        return 2
    except (KrylovError, SolverError) as error:
        if comm.rank == 0:
            click.echo(f"fokkerplanck: {one_line(error)}", err=True)
        return 1
    except click.Abort:
        return 130
    except Exception:
        if comm.size == 1:
            raise
        # The other ranks may wait for this one for ever
        traceback.print_exc()
        comm.Abort(1)
        raise


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fokkerplanck.__version__)
@click.pass_context
def commands(context: click.Context) -> None:
    """Measure density-error bounds between residual networks and their Neural ODE limit."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


commands.add_command(simulate)


@commands.command()
@click.argument("study", default=DEFAULT)
@click.option("--out", default="results", show_default=True, help="Folder of the results.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change a value of the study; may be repeated.",
)
@click.option("--explain", is_flag=True, help="Print the parts of every uncertainty.")
@click.option("--fields", is_flag=True, help="Write the densities for ParaView, too.")
def verify(study: str, out: str, settings: tuple[str, ...], explain: bool, fields: bool) -> int:
    """Verify the bounds of STUDY, a TOML file or the name of a shipped study."""
    comm = MPI.COMM_WORLD
    folder = Path(out)

    def prepare() -> Study:
        loaded = Study.load(study, settings)
        prepare_folder(folder)
        return loaded

    loaded = _on_rank_0(comm, prepare)
    with TerminalProgress() if comm.rank == 0 else Progress() as progress:
        table = run(loaded, comm, progress, folder / FIELDS if fields else None)
    _on_rank_0(comm, lambda: _report(loaded, table, folder, progress.seconds, explain))
    if fields:
        click.echo(f"written: {folder / FIELDS}")
    return 0 if table.holds else 1


def _report(
    study: Study, table: Results, folder: Path, seconds: Mapping[str, float], explain: bool
) -> None:
    """Write the files and print the table."""
    write_results(table, record(study, MPI.COMM_WORLD.size, seconds), folder)
    draw(table, study.name, folder / "bounds.png")
    draw_pictures(table, study.name, folder / "pictures.png")
    show(table, study.name, Console(), explain)
    click.echo(f"\nwritten: {folder / 'results.csv'}, results.json, bounds.png, pictures.png")


@commands.command()
@click.argument("recipe")
@click.option("--out", required=True, metavar="FILE", help="A file that ends in .vtkhdf.")
def mesh(recipe: str, out: str) -> int:
    """Build the mesh of RECIPE, a TOML file, and write it for ParaView."""
    comm = MPI.COMM_WORLD
    loaded = _on_rank_0(comm, lambda: Recipe.load(Path(recipe)))
    try:
        write_mesh(loaded, Path(out), comm)
    except (OSError, ValueError) as error:
        raise StudyError(one_line(error)) from error
    click.echo(f"written: {out}")
    return 0


def _on_rank_0[T](comm: MPI.Comm, action: Callable[[], T]) -> T:
    """Return on every rank what rank 0 gets, or raise there what rank 0 raises. Collective.

    Raises:
        StudyError: The action has refused its input, or met the limits of the file system.
    """
    outcome: tuple[T | None, str] = (None, "")
    if comm.rank == 0:
        try:
            outcome = (action(), "")
        except (OSError, ValueError) as error:
            outcome = (None, one_line(error))
    result, problem = comm.bcast(outcome)
    if problem:
        raise StudyError(problem)
    return result

"""The command line: parse, call, print.

Exit codes of ``verify``: 0 all checks hold, 1 one does not or there is no result, 2 bad input.
Under ``mpirun`` rank 0 reads and writes, and all ranks leave with the same code.
"""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from mpi4py import MPI
from rich.console import Console

import fokkerplanck
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.report import draw, draw_pictures, show
from fokkerplanck.runtime import failures, signals, streams
from fokkerplanck.runtime.failures import Verdict
from fokkerplanck.runtime.progress import Progress, TerminalProgress
from fokkerplanck.runtime.ranks import on_rank_0
from fokkerplanck.runtime.wording import brief, quoted
from fokkerplanck.simulation.command import command as simulate
from fokkerplanck.solution.vtkhdf import check_writable, write_mesh
from fokkerplanck.study import Study, StudyError
from fokkerplanck.study.files import record, write_results
from fokkerplanck.study.results import Results
from fokkerplanck.study.run_folder import BOUNDS, FIELDS, PICTURES, RunFolder
from fokkerplanck.study.study import DEFAULT
from fokkerplanck.verification.driver import run
from fokkerplanck.verification.observers import FieldWriter

#: Seconds that a rank which has failed waits for the others to fail, too.
_PATIENCE: Final = 2.0


@dataclass
class Options:
    """What holds for all commands."""

    debug: bool = False


def main() -> None:
    """Run the command line and exit."""
    comm = MPI.COMM_WORLD.Dup()
    streams.make_unfailing()
    with contextlib.ExitStack() as stack:
        stack.enter_context(signals.raised())
        if comm.rank:
            silence = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
        code = _run(comm)
        sys.stdout.flush()
        if problem := streams.failure():
            _say(f"standard output cannot be written: {problem}")
            code = max(code, 1)
    sys.exit(code)


def _run(comm: MPI.Comm) -> int:
    """Run a command and turn what may happen into an exit code."""
    options = Options()
    try:
        return int(commands.main(standalone_mode=False, obj=options) or 0)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except signals.Interrupted as error:
        return _ended(comm, Verdict(error.code, str(error)))
    except click.ClickException as error:
        return _ended(comm, Verdict(2, f"error: {brief(error.format_message())}"))
    except Exception as error:
        found = failures.verdict(error)
        if found.is_ours:
            path = None if options.debug or comm.rank else failures.keep(error)
            place = f"{path} has" if path else "--debug shows"
            found = found._replace(line=f"{found.line}; {place} the traceback to report")
        if options.debug:
            traceback.print_exc()
        return _ended(comm, found)


def _ended(comm: MPI.Comm, found: Verdict) -> int:
    """Return the exit code that all ranks agree on, with one line of rank 0.

    Ranks that have not failed may wait in a common operation for ever; they are ended.
    """
    meeting, deadline = comm.Ibarrier(), time.monotonic() + _PATIENCE
    while not meeting.Test():
        if time.monotonic() > deadline:
            _say(found.line)
            _abort(comm, found.code)
        time.sleep(0.001)
    if comm.rank == 0:
        _say(found.line)
    return int(comm.bcast(found.code))


def _abort(comm: MPI.Comm, code: int) -> None:
    """End all ranks, and keep MPI from telling at length."""
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    comm.Abort(code)


def _say(line: str) -> None:
    click.echo(f"fokkerplanck: {line}", err=True)


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Options).debug = True


debugging = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_set_debug,
    help="Show the traceback of an error.",
)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@debugging
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
@debugging
@click.option("--explain", is_flag=True, help="Print the parts of every uncertainty.")
@click.option("--fields", is_flag=True, help="Write the densities for ParaView, too.")
def verify(study: str, out: str, settings: tuple[str, ...], explain: bool, fields: bool) -> int:
    """Verify the bounds of STUDY, a TOML file or the name of a shipped study."""
    comm = MPI.COMM_WORLD
    loaded = on_rank_0(comm, lambda: Study.load(study, settings))
    folder = on_rank_0(comm, lambda: RunFolder.prepare(Path(out)))
    try:
        with TerminalProgress() if comm.rank == 0 else Progress() as progress:
            observers = [FieldWriter(folder.aside / FIELDS)] if fields else []
            table = run(loaded, comm, progress, observers)
        on_rank_0(comm, lambda: _write(loaded, table, folder, progress.seconds))
    finally:
        if comm.rank == 0:
            folder.abandon()
    show(table, loaded.name, Console(), explain)
    names = ", ".join(("results.json", BOUNDS, PICTURES))
    click.echo(f"\nwritten: {folder.target / 'results.csv'}, {names}")
    if fields:
        click.echo(f"written: {folder.target / FIELDS}")
    return 0 if table.holds else 1


def _write(study: Study, table: Results, folder: RunFolder, seconds: Mapping[str, float]) -> None:
    """Write the files, and let them appear."""
    write_results(table, record(study, MPI.COMM_WORLD.size, seconds), folder.aside)
    draw(table, study.name, folder.aside / BOUNDS)
    draw_pictures(table, study.name, folder.aside / PICTURES)
    folder.publish()


@commands.command()
@click.argument("recipe")
@debugging
@click.option("--out", required=True, metavar="FILE", help="A file that ends in .vtkhdf.")
def mesh(recipe: str, out: str) -> int:
    """Build the mesh of RECIPE, a TOML file, and write it for ParaView."""
    comm = MPI.COMM_WORLD
    loaded = on_rank_0(comm, lambda: _prepared(Path(recipe), Path(out)))
    write_mesh(loaded, Path(out), comm)
    click.echo(f"written: {out}")
    return 0


def _prepared(recipe: Path, out: Path) -> Recipe:
    """Read a recipe, and make sure that the file can be written."""
    try:
        check_writable(out)
    except OSError as error:
        reason = error.strerror or error
        raise StudyError(
            f"--out {quoted(str(error.filename or out))} must be writable: {reason}"
        ) from error
    return Recipe.load(recipe)

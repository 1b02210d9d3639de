"""Files that appear as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:  # who writes alone does not start MPI
    from mpi4py import MPI


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Open a text file that takes the place of another once it is whole."""
    with replaced(path) as temporary, _text(temporary) as file:
        yield file


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Name a file, of the same suffix, that takes the place of another once it is whole."""
    temporary = _beside(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replaced_by_all(path: Path, comm: "MPI.Comm") -> Iterator[Path]:
    """Name a file that takes the place of another once all ranks have written it. Collective.

    Raises:
        OSError: there can be no such file; all ranks raise together.
    """
    problem: OSError | None = None
    temporary = _beside(path)
    if comm.rank == 0:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()
        except OSError as error:
            problem = error
    problem, temporary = comm.bcast((problem, temporary))
    if problem:
        raise problem
    try:
        yield temporary
        comm.barrier()
        if comm.rank == 0:
            temporary.replace(path)
    finally:
        if comm.rank == 0:
            temporary.unlink(missing_ok=True)
    comm.barrier()


def _text(path: Path) -> TextIO:
    """Open a text file that takes names of other encodings, too."""
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _beside(path: Path) -> Path:
    """A hidden file of this process in the same folder."""
    return path.with_name(f".{os.getpid()}.{path.name}")

"""What SIGINT and SIGTERM do to the command line: one line, and the code that shells expect."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

#: Seconds in which a run may clean up after a signal.
_PATIENCE: Final = 5.0

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)

_RANK_VARIABLES: Final = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


class Interrupted(BaseException):
    """A signal has ended the run."""

    def __init__(self, number: int) -> None:
        """Remember the signal."""
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.code = 128 + number  #: exit code


def is_command() -> bool:
    """Whether this process is the command line, and not a program that uses the package."""
    module = "-m" in sys.orig_argv and sys.orig_argv[sys.orig_argv.index("-m") :][1:2]
    return Path(sys.argv[0]).name == "fokkerplanck" or module == ["fokkerplanck"]


def rank() -> int:
    """Number of this process under mpirun, also before MPI is loaded."""
    return next((int(os.environ[name]) for name in _RANK_VARIABLES if name in os.environ), 0)


def leave_at_once() -> None:
    """Let signals end the process while it has nothing to clean up."""
    _handle(_leave)


@contextmanager
def raised() -> Iterator[None]:
    """Let the first signal raise `Interrupted` in the body, and a second one end the process."""
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    _handle(_raise)
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _handle(action: object) -> None:
    for number in _NUMBERS:
        # what nohup or a shell's background has set stays
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, action)  # type: ignore[arg-type]


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Say why, and end without a word from Python."""
    del frame
    if rank() == 0:
        os.write(2, f"fokkerplanck: {Interrupted(number)}\n".encode())
    os._exit(128 + number)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    """Unwind, but not for long: another rank may have left a common operation."""
    del frame
    leave_at_once()
    timer = threading.Timer(_PATIENCE, os._exit, [128 + number])
    timer.daemon = True
    timer.start()
    raise Interrupted(number)

"""What SIGINT and SIGTERM do to the command line: one line, and the code that shells expect."""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

#: Seconds in which a run may clean up after a signal.
_PATIENCE: Final = 5.0

_RANK_VARIABLES: Final = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


class Interrupted(BaseException):
    """A signal has ended the run."""

    def __init__(self, number: int) -> None:
        """Remember the signal."""
        super().__init__(f"ended by {signal.Signals(number).name}; no files of this run are left")
        self.code = 128 + number  #: exit code


def is_command() -> bool:
    """Whether this process is the command line, and not a program that uses the package."""
    return Path(sys.argv[0]).name == "fokkerplanck" or sys.orig_argv[1:3] == ["-m", "fokkerplanck"]


def rank() -> int:
    """Number of this process under mpirun, also before MPI is loaded."""
    return next((int(os.environ[name]) for name in _RANK_VARIABLES if name in os.environ), 0)


def leave_at_once() -> None:
    """Let signals end the process while it has nothing to clean up."""
    _handle(_leave)


def raise_interrupts() -> None:
    """Let the first signal raise `Interrupted`, and a second one end the process."""
    _handle(_raise)


def ignore() -> None:
    """Let signals wait for the end of the process, which is near."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _handle(action: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
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

"""The folder of a run's files, which appear there together or not at all."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from fokkerplanck.runtime.wording import one_line, quoted

TABLE: Final = "results.csv"
RECORD: Final = "results.json"
BOUNDS: Final = "bounds.png"
PICTURES: Final = "pictures.png"
FIELDS: Final = "fields.vtkhdf"
FILES: Final = (TABLE, RECORD, BOUNDS, PICTURES, FIELDS)

#: Where the files of the run before wait for this one to succeed.
PREVIOUS: Final = "previous"

_PREFIX: Final = ".run"


@dataclass(frozen=True)
class RunFolder:
    """Where a run writes, and where its files are seen in the end.

    A folder that is not there yet appears by one renaming. In one that is there already, the files
    of an earlier run are set aside at once, into ``previous``, so that they never look like those
    of a run that has failed; they go when new ones take their place.
    """

    target: Path
    aside: Path  #: hidden, on the same file system

    @classmethod
    def prepare(cls, target: Path) -> Self:
        """Make sure that files can be written, and set those of an earlier run aside.

        Raises:
            ValueError: The folder cannot be written.
        """
        try:
            place = target if os.path.lexists(target) else target.absolute().parent
            place.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(place)
            prefix = f"{_PREFIX}-{socket.gethostname()}-{os.getpid()}-"
            folder = cls(target, Path(tempfile.mkdtemp(prefix=prefix, dir=place)))
            folder._set_aside()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(
                f"output folder {quoted(str(target))} must be writable: {one_line(reason)}; "
                "choose another --out"
            ) from error
        return folder

    def publish(self) -> None:
        """Let the files appear. A signal waits until all have."""
        umask = os.umask(0)
        os.umask(umask)
        self.aside.chmod(0o777 & ~umask)
        with _undisturbed():
            if self.aside.parent != self.target:
                with suppress(OSError):  # somebody has made a folder there meanwhile
                    self.aside.rename(self.target)
                    return
                self.target.mkdir(exist_ok=True)
            for file in self.aside.iterdir():
                file.replace(self.target / file.name)
            self.abandon()
            self._forget_previous()

    def abandon(self) -> None:
        """Remove what has been written."""
        shutil.rmtree(self.aside, ignore_errors=True)

    @property
    def _previous(self) -> Path:
        return self.target / PREVIOUS

    def _set_aside(self) -> None:
        """Move the files of an earlier run away."""
        for name in FILES:
            with suppress(FileNotFoundError, NotADirectoryError):
                (self.target / name).lstat()
                self._previous.mkdir(exist_ok=True)
                (self.target / name).replace(self._previous / name)

    def _forget_previous(self) -> None:
        """Remove the files that have been set aside, and nothing else."""
        with suppress(OSError):
            for name in FILES:
                (self._previous / name).unlink(missing_ok=True)
            self._previous.rmdir()


def make_writable(folder: Path) -> None:
    """Create a folder in which a run keeps files while it goes on, and make sure that it can.

    Raises:
        ValueError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"output folder {quoted(str(folder))} must be writable: "
            f"{one_line(error.strerror or error)}; choose another --out"
        ) from error


def _remove_leftovers(place: Path) -> None:
    """Remove what killed runs of this machine have left."""
    for folder in place.glob(f"{_PREFIX}-{socket.gethostname()}-*-*"):
        process = folder.name.rsplit("-", 2)[1]
        if process.isdecimal() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep signals waiting."""
    waiting = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, waiting)

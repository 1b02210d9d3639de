"""Where compiled code is kept between runs, and how files get there and are trusted again.

What lies there is executed. So a folder counts only if it is this user's own and no other can write
to it, and a file only if it is what was once written, by its digest.
"""

import atexit
import hashlib
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

_DIGESTS: Final = "digests.txt"
_LOCK: Final = ".lock"


def cache_directory() -> Path:
    """Folder of compiled kernels and forms: ``$XDG_CACHE_HOME/fokkerplanck`` or in ``~/.cache``.

    Where it cannot be trusted or written, a temporary one for this process, with one note.
    """
    return _safe_directory(os.environ.get("XDG_CACHE_HOME", ""))


def publish(path: Path, text: str) -> None:
    """Write a file that other processes see whole or not at all; the first writer wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(text)
    temporary = Path(file.name)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remember(path: Path, text: str) -> None:
    """Write a text with its digest; what stood there before is dropped."""
    path.unlink(missing_ok=True)
    publish(path, f"{_digest(text.encode())}\n{text}")


def recall(path: Path) -> str:
    """Return a text that `remember` has written.

    Raises:
        OSError: There is none.
        ValueError: It is not what was written.
    """
    digest, _, text = path.read_text(encoding="utf-8").partition("\n")
    if digest != _digest(text.encode()):
        raise ValueError(f"{path} must have the digest that it begins with")
    return text


def seal(folder: Path) -> None:
    """Write down the digests of all files of a folder."""
    remember(folder / _DIGESTS, _inventory(folder))


def is_sealed(folder: Path) -> bool:
    """Whether a folder holds the files that it had when it was sealed, and no others."""
    try:
        return recall(folder / _DIGESTS) == _inventory(folder)
    except (OSError, ValueError):
        return False


def clear(folder: Path) -> None:
    """Remove all files of a folder but its lock, which others may hold."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()


@contextmanager
def locked(folder: Path, exclusive: bool) -> Iterator[None]:
    """Make a folder, and keep others from it, or with a shared lock from changing it."""
    import fcntl  # no system without it has the solver

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as file:
        with suppress(OSError):  # a file system without locks; a disturbed cache is made again
            fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


@cache
def _safe_directory(root: str) -> Path:
    """Return a folder that only this user can write."""
    folder = Path(root)
    try:
        # a relative path is to be ignored, says the XDG base directory specification
        folder = (folder if folder.is_absolute() else Path.home() / ".cache") / "fokkerplanck"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = _distrust(folder)
        if not problem:
            with tempfile.TemporaryFile(dir=folder):
                return folder
    except (OSError, ValueError, RuntimeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    temporary = Path(tempfile.mkdtemp(prefix="fokkerplanck-cache-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    logger.warning(
        "fokkerplanck: compiled kernels are kept for this run only: cache folder %r %s",
        str(folder)[-60:],
        problem,
    )
    return temporary


def _distrust(folder: Path) -> str:
    """Say why a folder is not to be trusted, if it is not."""
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        return "must be a folder, and no link to one"
    if facts.st_uid != os.geteuid():
        return "must be this user's own"
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "must not be writable by others; remove it"
    return ""


def _inventory(folder: Path) -> str:
    """List the files of a folder with their digests."""
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            lines.append(f"{path.name} is no file")
        elif path.is_file() and path.name not in (_DIGESTS, _LOCK):
            lines.append(f"{path.relative_to(folder)} {_digest(path.read_bytes())}")
    return "\n".join(lines)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

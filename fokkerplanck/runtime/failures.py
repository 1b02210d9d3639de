"""The last line of defence: what an exception means, in one line and an exit code."""

import platform
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final, NamedTuple

from fokkerplanck.runtime.provenance import commit
from fokkerplanck.runtime.startup import version
from fokkerplanck.runtime.wording import brief, one_line, quoted

_PACKAGE: Final = Path(__file__).parents[1]


class Verdict(NamedTuple):
    """How a run ends."""

    code: int
    line: str
    is_ours: bool = False  #: whether it is an error of this package


def verdict(error: BaseException) -> Verdict:
    """Return what an exception means.

    Refusals are the `ValueError` that this package raises; what it does not raise itself, and is
    no limit of the machine, is an error of its own.
    """
    is_known = type(error).__module__.startswith("fokkerplanck.")
    if isinstance(error, ValueError) and (is_known or _is_raised_here(error)):
        return Verdict(2, f"error: {brief(error)}")
    if is_known or (isinstance(error, ArithmeticError) and _is_raised_here(error)):
        return Verdict(1, brief(error))
    if isinstance(error, MemoryError):
        return Verdict(1, "there is not enough memory; ask for fewer annuli or less accuracy")
    if isinstance(error, OSError) and error.strerror:
        place = f": {quoted(str(error.filename))}" if error.filename else ""
        return Verdict(1, brief(f"{error.strerror}{place}"))
    return Verdict(1, _internal(error), is_ours=True)


def keep(error: BaseException) -> Path | None:
    """Write what to report of an error into a file, if there is a place for it."""
    lines = [
        f"fokkerplanck {version()}, commit {commit()}, Python {platform.python_version()}",
        f"{platform.platform()}, arguments {sys.argv[1:]!r}",
        "",
        *traceback.format_exception(error),
    ]
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="fokkerplanck-crash-",
            suffix=".txt",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as file:
            file.write("\n".join(lines))
    except OSError:
        return None
    return Path(file.name)


def _internal(error: BaseException) -> str:
    """Say what has happened, and where."""
    what = one_line(f"{type(error).__name__}: {error}")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_here(f.filename)]
    last = frames[-1] if frames else None
    where = f" in {Path(last.filename).relative_to(_PACKAGE)}:{last.lineno}" if last else ""
    return f"internal error{where}: {what[:100]}"


def _is_raised_here(error: BaseException) -> bool:
    """Whether a statement of this package raises it, and not a library below."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames and _is_here(frames[-1].filename) and "raise " in (frames[-1].line or ""))


def _is_here(filename: str) -> bool:
    return Path(filename).is_relative_to(_PACKAGE)

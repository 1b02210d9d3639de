"""Tables of TOML files as checked values, by pydantic, with one line for whatever is wrong."""

import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.wording import named, one_line, quoted, unknown

#: Bytes of a file, text or data, that is read.
LARGEST_FILE: Final = 64_000_000

Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Positive = Annotated[Number, Field(gt=0)]
Text = Annotated[str, Strict(), Field(min_length=1)]
Flag = Annotated[bool, Strict()]


class Table(BaseModel):
    """A table of a file: frozen, finite numbers only, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def is_file(path: Path) -> bool:
    """Whether there is an ordinary file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_file(path: Path, what: str) -> bytes:
    """Return what a file holds.

    Args:
        path: An ordinary file; a pipe could make its reader wait for ever.
        what: What it is, for the message.

    Raises:
        ValueError: It cannot be read, or is too large.
    """
    try:
        if not is_file(path):
            raise ValueError("it must be an existing file")
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise ValueError(f"it may have {LARGEST_FILE} bytes, got {size}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{what} {named(path)} cannot be read: {one_line(reason)}") from None


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        ValueError: It cannot be read, or is no TOML file.
    """
    text = read_file(path, what)
    try:
        return parse_toml(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{what} {named(path)} cannot be read: it must be UTF-8, got the byte "
            f"0x{error.object[error.start]:02x} at position {error.start}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{what} {named(path)} is no TOML file: {error}") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        ValueError: The text is no TOML, or nests or counts beyond all reason.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # the message may hold a whole key
        raise ValueError(quoted_tail(str(error))) from None
    except (ValueError, OverflowError):
        raise ValueError("it has a number of too many digits, or a date that is none") from None
    except (RecursionError, MemoryError):
        raise ValueError("its brackets are nested too deeply") from None


def quoted_tail(message: str) -> str:
    """Return a foreign message as one line that is not long: its beginning, and where it was."""
    text, at, place = one_line(message).rpartition(" (at ")
    return f"{text[:100]}{at}{place[:40]}" if at else place[:140]


def numbers(value: Any) -> Array:
    """Return a rectangular array of numbers; text and truth values are none.

    Raises:
        ValueError: It is none.
    """
    try:
        array = np.array(value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "iuf" or _holds_truth(value):
        raise ValueError(f"must be a rectangular array of numbers, got {quoted(value)}")
    return array.astype(np.float64)


def _holds_truth(value: Any) -> bool:
    """Whether a nested list has a truth value among its numbers, which NumPy reads as 0 or 1."""
    if isinstance(value, list | tuple):
        return any(map(_holds_truth, value))
    return isinstance(value, bool)


def check_keys(table: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
    """Check that all keys of a table are known.

    Raises:
        ValueError: One is not.
    """
    for key in table:
        if key not in known:
            raise ValueError(unknown(f"key {where}".strip(), key, known))


def describe(error: ValidationError, tags: Collection[str] = ()) -> str:
    """Describe the first problem that pydantic has found, by its place in the file.

    Args:
        error: What pydantic says.
        tags: Names of the forms of unions, which the file does not have.
    """
    first = error.errors(include_url=False)[0]
    place = _place(first["loc"], tags)
    if first["type"] == "missing":
        return f"{place} is required"
    if first["type"] == "value_error":
        return f"{place} {one_line(first['ctx']['error'])}"
    message = re.sub(r"^\w+ should", "must", one_line(first["msg"]))
    return f"{place} {message[:120]}, got {quoted(first['input'])}"


def _place(path: tuple[int | str, ...], tags: Collection[str]) -> str:
    """Write a place as ``section.key[index]``."""
    parts = [part for part in path if part not in tags]
    words = [
        f"[{part}]"
        if isinstance(part, int)
        else f".{part if part.isidentifier() else quoted(part)}"
        for part in parts
    ]
    return "".join(words).removeprefix(".")

"""One line for whatever is wrong with a study."""

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from fokkerplanck.study.sections import DATA_FORMS, shortened


class StudyError(ValueError):
    """A study asks for what cannot be done; the message is one line."""


@contextmanager
def blame(section: str) -> Iterator[None]:
    """Turn a `ValueError` of the body into a `StudyError` that names the section."""
    try:
        yield
    except ValidationError as error:
        raise StudyError(describe(error)) from error
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError(f"[{section}] {one_line(error)}") from error


def one_line(text: object) -> str:
    """Return a text without line breaks."""
    return " ".join(str(text).split())


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, what it may have meant, and which ones are known."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown {kind} {one_line(name)!r}{hint} (known: {', '.join(choices)})"


def describe(error: ValidationError) -> str:
    """Describe the first problem that pydantic has found, by its place in the file."""
    first = error.errors()[0]
    place = _place(first["loc"])
    if first["type"] == "missing":
        return f"{place} is required"
    if first["type"] == "value_error":
        return f"{place} {one_line(first['ctx']['error'])}"
    message = re.sub(r"^\w+ should", "must", one_line(first["msg"]))
    return f"{place} {message}, got {shortened(first['input'])}"


def _place(path: tuple[int | str, ...]) -> str:
    """Write a place as ``section.key[index]``, without pydantic's tags of unions."""
    parts = [part for part in path if part not in DATA_FORMS]
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts]
    return "".join(words).removeprefix(".")

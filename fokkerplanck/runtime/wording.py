"""How refusals quote what came: one line, escaped, and never long."""

import difflib
import re
import reprlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

#: Characters of a quoted name or value, and of a whole message.
LONGEST_QUOTE: Final = 60
LONGEST_LINE: Final = 270


class _Quoting(reprlib.Repr):
    """Short representations; of integers, too, that have too many digits for `repr`."""

    def repr_int(self, x: int, level: int) -> str:
        """Write an integer, or how long it is."""
        if x.bit_length() <= 200:
            return super().repr_int(x, level)
        return f"an integer of {x.bit_length()} bits"


_REPR: Final = _Quoting(
    maxstring=LONGEST_QUOTE, maxother=LONGEST_QUOTE, maxlist=4, maxtuple=4, maxdict=3, maxlevel=4
)


def quoted(value: Any) -> str:
    """Return a value as Python writes it: printable, one line, at most `LONGEST_QUOTE` long."""
    return _cut(one_line(_REPR.repr(value)), LONGEST_QUOTE)


def named(path: Path) -> str:
    """Return a path, in quotes where it is not plain; of a long one the end, which tells most."""
    text = str(path)
    end = text if len(text) <= LONGEST_QUOTE else f"...{text[3 - LONGEST_QUOTE :]}"
    return end if re.fullmatch(r"[\w./+=:,@~-]+", end, re.ASCII) else quoted(end)


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return the first names of a list, quoted where they are not plain."""
    shown = [name if name.isidentifier() else quoted(name) for name in names[:most]]
    return ", ".join([*shown, *(["..."] if len(names) > most else [])]) or "empty"


def one_line(text: object) -> str:
    """Return a text without line breaks and without characters that steer a terminal."""
    words = " ".join(str(text).split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)


def brief(text: object) -> str:
    """Return one line of at most `LONGEST_LINE` characters."""
    return _cut(one_line(text), LONGEST_LINE)


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, what it may have meant, and which ones are known."""
    choices = sorted(known)
    near = difflib.get_close_matches(name[:LONGEST_QUOTE], choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown {kind} {quoted(name)}{hint} (known: {', '.join(choices)})"


def _cut(text: str, length: int) -> str:
    """Return a text whose end is left out where it is too long."""
    return text if len(text) <= length else f"{text[: length - 3]}..."

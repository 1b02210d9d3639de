"""Standard streams that never stop a run: closed, full, or of few characters."""

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import Final, TextIO

#: What is written for characters that a terminal does not have.
_PLAIN: Final = str.maketrans(
    {
        "θ": "theta", "γ": "gamma", "Λ": "Lambda", "ξ": "xi", "π": "pi", "‖": "||", "·": "*",
        "−": "-", "–": "-", "±": "+-", "√": "sqrt", "≤": "<=", "≥": ">=", "∫": "int ", "→": "->",
        "∞": "inf", "…": "...", "₀": "0", "₁": "1", "₂": "2", "¹": "1", "²": "^2", "÷": "/",
        "\u0303": "~",
    }
)  # fmt: skip


class Unfailing(io.TextIOWrapper):
    """A text stream that remembers the first failure instead of raising it."""

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(ValueError):  # closed
            try:
                return super().write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(ValueError):
            try:
                super().flush()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Let the rest go nowhere: Python would try again at its end."""
        self.failure = self.failure or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def open_missing() -> None:
    """Open the standard descriptors that are closed, lest a file or socket becomes one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def make_unfailing() -> None:
    """Replace the standard streams of Python by such that do not raise."""
    codecs.register_error("plain", _plainly)
    sys.stdout, sys.stderr = (
        _unfailing(stream, descriptor) for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2))
    )


def failure() -> str | None:
    """Why standard output could not be written; a reader that has gone is no failure."""
    problem = getattr(sys.stdout, "failure", None)
    if problem is None or problem.errno == errno.EPIPE:
        return None
    return str(problem.strerror or problem)


def _unfailing(stream: TextIO | None, descriptor: int) -> TextIO:
    """Return an unfailing stream in place of one of Python's own."""
    if stream is None:
        return Unfailing(io.FileIO(os.devnull, "w"), encoding="utf-8")
    if type(stream) is not io.TextIOWrapper:
        return stream
    encoding, buffered = stream.encoding, stream.line_buffering or descriptor == 2
    return Unfailing(stream.detach(), encoding, "plain", line_buffering=buffered)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Write characters that an encoding lacks by others."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end

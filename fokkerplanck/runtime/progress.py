"""What a run says about itself while it works: stages, their seconds, and the first compilation."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, Final, Self, TextIO

import rich.progress
from numba.core import event
from rich.console import Console

#: Seconds between lines where there is no terminal, as behind mpirun.
QUIET: Final = 15.0
COMPILING: Final = "compiling kernels; later runs take them from a cache"


class Progress:
    """Measures stages and says nothing; the base of what speaks, and enough for library use."""

    def __init__(self) -> None:
        """Start with no stages."""
        self.seconds: dict[str, float] = {}  #: per stage, in the order of their first start

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the body under a name; bodies of the same name add up."""
        start = time.perf_counter()
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    def track[T](self, items: Iterable[T], description: str) -> Iterator[T]:
        """Yield the items of a long loop."""
        del description
        yield from items

    def note(self, text: str) -> None:
        """Say a line."""


class TerminalProgress(Progress):
    """Shows the stage and a bar on a terminal; elsewhere a line now and then in a long run.

    Use as a context manager, on one rank.
    """

    def __init__(self, file: TextIO | None = None, quiet: float = QUIET) -> None:
        """Write to a file, by default to stderr, with a line at most every `quiet` seconds."""
        super().__init__()
        self._quiet = quiet
        self._start = self._last = time.perf_counter()
        self._console = Console(file=file or sys.stderr, highlight=False)
        self._display = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=30),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._compilation = _FirstCompilation(self)

    def __enter__(self) -> Self:
        """Begin to listen and to draw."""
        event.register("numba:compile", self._compilation)
        self._display.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop."""
        self._display.stop()
        event.unregister("numba:compile", self._compilation)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the body and show its name."""
        with super().stage(name):
            self._say_now_and_then(name)
            task = self._display.add_task(name, total=None)
            try:
                yield
            finally:
                self._display.remove_task(task)

    def track[T](self, items: Iterable[T], description: str) -> Iterator[T]:
        """Yield the items and show how many are done."""
        total = len(items) if isinstance(items, Sized) else None
        task = self._display.add_task(description, total=total)
        try:
            for count, item in enumerate(items, 1):
                yield item
                self._display.advance(task)
                self._say_now_and_then(f"{description}, {count} of {total or '?'} done")
        finally:
            self._display.remove_task(task)

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(f"fokkerplanck: {text}", markup=False, soft_wrap=True)

    def _say_now_and_then(self, text: str) -> None:
        """Write a line if there is no bar to look at and the last line is long ago."""
        now = time.perf_counter()
        if not self._console.is_terminal and now - self._last > self._quiet:
            self._last = now
            self.note(f"after {now - self._start:.0f} s: {text}")


class _FirstCompilation(event.Listener):
    """Tells the user once that Numba compiles, which it does not do when its cache is warm."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._told = False

    def on_start(self, event: Any) -> None:
        """Say so before the first compilation."""
        if not self._told:
            self._told = True
            self._progress.note(COMPILING)

    def on_end(self, event: Any) -> None:
        """Nothing to say."""

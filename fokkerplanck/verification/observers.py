"""Who hears of each depth when it is measured, while its solutions are at hand."""

from pathlib import Path
from typing import Protocol

from fokkerplanck.difference.measurement import Measurement
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.study.results import GridFunctions
from fokkerplanck.verification.fields import grid_functions, write_solution


class Observer(Protocol):
    """Hears of each depth, the deepest first."""

    def measured(
        self, measurement: Measurement, solutions: tuple[PairSolution, PairSolution]
    ) -> None:
        """Take note of a depth. Collective: every rank is told.

        Args:
            measurement: its numbers.
            solutions: the fine and the coarse one; their large parts go when the next depth begins.
        """


class FieldWriter:
    """Writes the densities of the deepest depth for ParaView.

    Args:
        path: file that ends in ``.vtkhdf``.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is written yet."""
        self._path, self._is_written = path, False

    def measured(
        self, measurement: Measurement, solutions: tuple[PairSolution, PairSolution]
    ) -> None:
        """Write the first solution. Collective."""
        del measurement
        if not self._is_written:
            write_solution(*solutions, self._path)
            self._is_written = True


class Painter:
    """Keeps the densities of the deepest depth on grids, for figures.

    Args:
        progress: what to tell of the stage.
    """

    def __init__(self, progress: Progress) -> None:
        """Nothing is painted yet."""
        self._progress = progress
        self.grid_functions: GridFunctions | None = None

    def measured(
        self, measurement: Measurement, solutions: tuple[PairSolution, PairSolution]
    ) -> None:
        """Evaluate the first solution. Collective."""
        del measurement
        if self.grid_functions is None:
            with self._progress.stage("pictures"):
                self.grid_functions = grid_functions(solutions[0])

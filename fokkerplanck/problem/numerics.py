"""How finely, and by which linear solver: numbers that say nothing of the equation."""

from dataclasses import dataclass, field, replace
from typing import Final, Literal

Method = Literal["auto", "cholesky", "iterative"]

#: Steps of a Krylov basis between two looks at the error estimate, and lag of the comparison.
STRIDE = 5

#: Vectors of a complete cycle are held until the next one has so many: errors are estimated from
#: what the last two strides change.
LAG = 2 * STRIDE

#: Fewest vectors that a bounded basis holds.
FEWEST_VECTORS = 2 * LAG

#: What the coarse companion has less, and what it has more: degrees, shift and tolerance.
_FEWER_DEGREES, COARSER_SHIFT, _LOOSER = 2, 1.3, 3.0


@dataclass(frozen=True)
class SolverOptions:
    """How systems with ``M + K/shift`` are to be solved."""

    method: Method = "auto"  #: by memory, or one of the two
    memory: float | None = None  #: bytes that all ranks together may take; by default what is free
    tolerance: float = 1e-12  #: of the iteration
    vectors: int | None = None  #: pairs of Krylov vectors that may be held; by default what fits


#: The choice by memory.
AUTOMATIC: Final = SolverOptions()


@dataclass(frozen=True)
class Numerics:
    """Resolution in space and time, and the linear solver.

    Raises:
        ValueError: a number is out of range.
    """

    degree: int = 8  #: of the elements
    refinement: float = 1.0  #: factor by which cells are smaller than the rules of meshing ask
    shift: float = 10.0  #: of the shift-and-invert Krylov space, in units of 1/T
    tolerance: float = 1e-10  #: of the Krylov error estimate, relative
    early: float = 0.125  #: part of the horizon at which the estimate must be met, too
    solver: SolverOptions = field(default=AUTOMATIC)

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.degree < 1:
            raise ValueError(f"degree must be at least 1, got {self.degree}")
        for name in ("refinement", "shift", "tolerance", "early"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")

    def coarse(self) -> "Numerics":
        """Those of the companion on the same mesh whose distance tells the error."""
        return replace(
            self,
            degree=max(self.degree - _FEWER_DEGREES, 1),
            shift=COARSER_SHIFT * self.shift,
            tolerance=_LOOSER * self.tolerance,
        )

    def times(self, horizon: float) -> tuple[float, float]:
        """Where the Krylov error estimate must be met."""
        return (self.early * horizon, horizon)

"""What the error of a density is estimated from: other computations of the same density.

A difference of two computations vanishes here and there by accident, where the error does not. So
it is looked at over a whole cell, or integrated without its sign, before it counts as an estimate.
"""

from dataclasses import dataclass

import numpy as np

from fokkerplanck.evolution.errors import SAFETY, krylov_error
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.solution.field import Field

#: A functional of a difference counts for at least this part of the functional of its size: the
#: fine density's error is smaller than the difference by such a factor.
LEAST_PART = 0.03


#: Before the convergence is geometric, Krylov errors are up to so many times the last changes.
_EARLY_FACTOR = 3.0


@dataclass(frozen=True, eq=False)
class Companions:
    """The same density by a coarser space with points of its own, and by smaller Krylov spaces."""

    coarse: Field  #: of mass 1
    earlier: tuple[Field, Field]  #: with one and with two strides of Krylov vectors less
    wall: float  #: largest density at the wall, up to now; 0 if the wall is meant
    rounding: float  #: rounding error, relative
    is_early: bool = False  #: before the Krylov space has been asked to be accurate

    @property
    def fields(self) -> list[Field]:
        """All of them: the coarse one, then the earlier ones."""
        return [self.coarse, *self.earlier]

    def judged(
        self, gaps: tuple[Array, Array, Array], size: Array, reach: Array
    ) -> dict[str, Array]:
        """Parts of an uncertainty.

        Args:
            gaps: sizes of the distance to the coarse density, of the last change by Krylov vectors
                and of the one before.
            size: of the value itself, same shape.
            reach: by how much the value grows where the density grows by 1, same shape.
        """
        distance, change, before = gaps
        return {
            "space": SAFETY * distance,
            "krylov": _EARLY_FACTOR * np.maximum(change, before)
            if self.is_early
            else krylov_error(change, before),
            "truncation": self.wall * reach,
            "rounding": self.rounding * np.abs(size),
        }

    def differences(self, values: Array) -> tuple[Array, Array, Array]:
        """The three differences of values (4, ...) of the density and of `fields`."""
        fine, coarse, first, second = values
        return fine - coarse, fine - first, first - second

    def sizes_at_gauss(self, density: Field) -> tuple[Array, Array, Array]:
        """Absolute values of the three differences at the Gauss points, shape (C, q)."""
        there = self.coarse.in_all_cells(density.space.rule.points)
        first, second = (field.at_gauss for field in self.earlier)
        fine = density.at_gauss
        return np.abs(fine - there), np.abs(fine - first), np.abs(first - second)

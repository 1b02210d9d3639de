"""An operator with its resolvent, and the density that it propagates."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fokkerplanck.evolution.dense_output import Evolution
from fokkerplanck.evolution.krylov import Bound, KrylovSpace
from fokkerplanck.linalg.choice import AUTOMATIC, LinearSolver, SolverOptions
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.numerics import STRIDE

Array = npt.NDArray[np.float64]

#: Most Krylov vectors, in units of the square root of shift times horizon.
_VECTORS = 32.0


def largest_basis(shift: float, horizon: float) -> int:
    """Most Krylov vectors that a horizon may take."""
    return STRIDE * math.ceil(_VECTORS * math.sqrt(shift * horizon) / STRIDE)


@dataclass(frozen=True)
class Propagator:
    """An operator with its resolvent."""

    operator: GibbsOperator
    shift: float  #: s > 0
    options: SolverOptions = AUTOMATIC

    @cached_property
    def _resolvent(self) -> LinearSolver:
        """The resolvent. Collective at first use."""
        return self.options.create(self.operator, self.shift)

    @property
    def description(self) -> str:
        """One line on the linear solver. Collective at first use."""
        return self._resolvent.description

    def solve(self, load: Array) -> Array:
        """``(M + K/s)^{-1}`` applied to a load vector. Collective."""
        return self._resolvent.solve(load)

    def step(self, coefficients: Array) -> Array:
        """The resolvent ``(1 + L/s)^{-1}`` applied to coefficients. Collective."""
        return self.solve(self.operator.apply_mass(coefficients))

    def krylov_space(self, load: Array, horizon: float, bound: Bound | None = None) -> KrylovSpace:
        """The Krylov space of the density with this load vector, its first vector. Collective.

        Args:
            load: ``∫ p_0 φ_i``, owned entries.
            horizon: T > 0; it limits the size.
            bound: of the vectors held at a time; none by default.
        """
        return KrylovSpace(
            self.step,
            self.solve(load),
            self.operator.krylov_weights,
            self.operator.space.domain.comm,
            self.shift,
            largest_basis(self.shift, horizon),
            bound=bound,
        )

    def evolve(
        self, load: Array, times: tuple[float, ...], tolerance: float, bound: Bound | None = None
    ) -> Evolution:
        """``e^{−tL}`` applied to the density with this load vector. Collective.

        Args:
            load: ``∫ p_0 φ_i``, owned entries.
            times: where the Krylov error estimate must meet the tolerance.
            tolerance: relative, in the norm of the basis.
            bound: of the vectors held at a time; none by default.

        Raises:
            KrylovError: the tolerance cannot be met.
        """
        return self.krylov_space(load, max(times), bound).evolve(times, tolerance)

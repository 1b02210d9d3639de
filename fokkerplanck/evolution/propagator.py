"""An operator with its resolvent, and the density that it propagates."""

import math
from dataclasses import dataclass
from functools import cached_property

from fokkerplanck.evolution.dense_output import DenseOutput
from fokkerplanck.evolution.krylov import KrylovSpace, Restart
from fokkerplanck.linalg.choice import LinearSolver, create_solver
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.numerics import AUTOMATIC, STRIDE, SolverOptions
from fokkerplanck.runtime.arrays import Array

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
        return create_solver(self.operator, self.shift, self.options)

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

    def krylov_space(
        self, load: Array, horizon: float, restart: Restart | None = None
    ) -> KrylovSpace:
        """The Krylov space of the density with this load vector, its first vector. Collective.

        Args:
            load: ``∫ p_0 φ_i``, owned entries.
            horizon: T > 0; it limits the size.
            restart: of the vectors held at a time; none by default.
        """
        return KrylovSpace(
            self.step,
            self.solve(load),
            self.operator.krylov_weights,
            self.operator.space.domain.comm,
            self.shift,
            largest_basis(self.shift, horizon),
            restart=restart,
        )

    def evolve(
        self,
        load: Array,
        times: tuple[float, ...],
        tolerance: float,
        restart: Restart | None = None,
    ) -> DenseOutput:
        """``e^{−tL}`` applied to the density with this load vector. Collective.

        Args:
            load: ``∫ p_0 φ_i``, owned entries.
            times: where the Krylov error estimate must meet the tolerance.
            tolerance: relative, in the norm of the basis.
            restart: of the vectors held at a time; none by default.

        Raises:
            KrylovError: the tolerance cannot be met.
        """
        return self.krylov_space(load, max(times), restart).evolve(times, tolerance)

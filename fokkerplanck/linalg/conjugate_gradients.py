"""The resolvent ``(M + K/s)^{-1}`` by conjugate gradients with a multigrid preconditioner.

Conjugate gradients minimise the error in the energy norm, which carries the weight π, and the far
tails, where π is 1e-25, have no part in it. They converge nevertheless: residuals are updated and
never recomputed, so that in each part of the domain they go on falling relative to its own size
when the energy of the error is rounding long since. What stops the iteration must therefore see
the tails, as the norm of the Krylov basis does; at the end rounding errors are small relative to
the local size of the solution everywhere.
"""

from functools import cached_property

import numpy as np

from fokkerplanck.linalg.multigrid import Multigrid
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.compiled import dot, weighted_dot
from fokkerplanck.runtime.ranks import total


class SolverError(RuntimeError):
    """A linear system could not be solved with the memory or the iterations allowed."""


class ConjugateGradientSolver:
    """The solution operator of ``M + K/shift`` with memory proportional to the unknowns.

    Args:
        operator: M and K.
        shift: s > 0.
        tolerance: of the last correction, relative to the solution in the norm of Krylov bases.
        max_iterations: largest number of iterations of one solve.
    """

    def __init__(
        self,
        operator: GibbsOperator,
        shift: float,
        tolerance: float = 1e-12,
        max_iterations: int = 100,
    ) -> None:
        """Set up the preconditioner. Collective."""
        self._operator, self._shift = operator, shift
        self._multigrid = Multigrid(operator, shift)
        self._tolerance, self._max_iterations = tolerance, max_iterations
        self.iterations: list[int] = []  #: of each solve so far

    @property
    def description(self) -> str:
        """One line for people."""
        degrees = " → ".join(str(degree) for degree in self._multigrid.degrees)
        return f"conjugate gradients with multigrid over the degrees {degrees}"

    @property
    def num_bytes(self) -> int:
        """Memory of this rank's operators, in bytes."""
        coarser = sum(level.operator.num_bytes for level in self._multigrid.levels)
        return self._operator.matrix_free.num_bytes + coarser

    @cached_property
    def _weights(self) -> Array:
        return self._operator.krylov_weights

    def solve(self, load: Array) -> Array:
        """Solve for the owned coefficients. Collective.

        Raises:
            SolverError: the tolerance was not met with the largest number of iterations.
        """
        apply, precondition = self._operator.matrix_free.apply, self._multigrid.apply
        u, residual = np.zeros_like(load), load.copy()
        correction = precondition(residual)
        direction, energy = correction, self._dot(residual, correction)
        if energy == 0.0:
            self.iterations.append(0)
            return u
        for iteration in range(1, self._max_iterations + 1):
            image = apply(direction, 1.0, 1.0 / self._shift)
            step = energy / self._dot(direction, image)
            u += step * direction
            residual -= step * image
            correction = precondition(residual)
            if (change := self._ratio(correction, u)) <= self._tolerance:
                self.iterations.append(iteration)
                return u + correction
            previous, energy = energy, self._dot(residual, correction)
            direction = correction + (energy / previous) * direction
        raise SolverError(
            f"conjugate gradients reached a relative change of {change:.1e} in "
            f"{self._max_iterations} iterations, asked {self._tolerance:.1e}; give cells over "
            "which V/D changes less and that are stretched less, or choose the solver 'cholesky'"
        )

    def _ratio(self, correction: Array, u: Array) -> float:
        squares = [self._sum(weighted_dot(self._weights, x, x)) for x in (correction, u)]
        return float(np.sqrt(squares[0] / squares[1]))

    def _dot(self, left: Array, right: Array) -> float:
        return self._sum(dot(left, right))

    def _sum(self, value: float) -> float:
        return total(self._operator.space.domain.comm, value)

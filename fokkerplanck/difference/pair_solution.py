"""The solution of one depth on one discretisation: the densities p, p^N and N(p − p^N)."""

from dataclasses import dataclass, replace

import numpy as np

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.difference.pair import PairOutput
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.solution.field import Field


@dataclass(frozen=True)
class PairSolution:
    """The solution of one depth on one discretisation."""

    discretisation: Discretisation
    depth: float
    pair: PairOutput

    @classmethod
    def compute(cls, discretisation: Discretisation, depth: float) -> "PairSolution":
        """Solve. Collective."""
        return cls(discretisation, depth, discretisation.solve(depth))

    def can_grow(self, steps: int) -> bool:
        """Whether so many more Krylov vectors are allowed."""
        return self.pair.krylov.can_grow(steps)

    def extended(self, steps: int) -> "PairSolution":
        """The same with more Krylov vectors, as many as `can_grow` allows. Collective.

        What was before may be used no longer.
        """
        return replace(self, pair=self.pair.extended(steps))

    def in_ball_arithmetic(self) -> "PairSolution":
        """The same with less rounding far out."""
        return replace(self, pair=self.pair.in_ball_arithmetic())

    @property
    def uses_balls(self) -> bool:
        """Whether `in_ball_arithmetic` has been asked for."""
        return self.pair.uses_balls

    @property
    def dimension(self) -> int:
        """Number of parameters m."""
        return self.discretisation.space.domain.dimension

    @property
    def horizon(self) -> float:
        """T."""
        return self.discretisation.problem.horizon

    def difference(self, time: float) -> Field:
        """``N(p − p^N)``. Collective."""
        return Field(self.pair.perturbed, self.pair.difference(time))

    def limit_density(self, time: float) -> Field:
        """The density p of the limit. Collective."""
        return Field(self.pair.unperturbed, self.pair.density(time))

    def density(self, time: float) -> Array:
        """``p^N`` at the Gauss points, shape (C, q). Collective."""
        return self.limit_density(time).at_gauss - self.difference(time).at_gauss / self.depth

    def nodal_density(self, time: float, fewer: int = 0) -> Field:
        """The function that is ``p^N/π_N`` at the nodes, times π_N. Collective.

        Optionally it is from so many Krylov vectors less.
        """
        pair = self.pair
        size = max(pair.output.size - fewer, 1) if fewer else None
        difference = pair.difference(time, size) / self.depth
        return Field(pair.perturbed, self._ratio * pair.density(time, size) - difference)

    def nodal_rounding(self, time: float) -> Field:
        """Rounding errors of that function. Collective."""
        pair = self.pair
        difference = pair.difference_rounding(time) / self.depth
        return Field(pair.perturbed, self._ratio * pair.density_rounding(time) + difference)

    @property
    def _ratio(self) -> Array:
        """``π/π_N`` at the nodes."""
        pair, gap = self.pair, self.discretisation.tables.differences[self.depth]
        shift = pair.unperturbed.minimum - pair.perturbed.minimum
        log_ratio = shift - self.discretisation.space.interpolate(gap) / self.depth
        return np.asarray(np.exp(log_ratio / pair.unperturbed.diffusion))

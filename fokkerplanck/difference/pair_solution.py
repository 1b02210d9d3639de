"""The solution of one depth on one discretisation, and what is reported of it: numbers."""

from dataclasses import dataclass, field, replace

import numpy as np
from mpi4py import MPI

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.difference.pair import PairOutput
from fokkerplanck.runtime.arrays import Array

#: The error of the fine discretisation is at most this times its distance to the coarse one: it
#: falls by a third or more from one to the other.
SAFETY = 2.0


#: A Krylov error is at most thus many times what geometric convergence would leave, ...
_SLOWER = 3.0

#: ... and at least this part of the last change.
_LEAST_PART = 0.02


def krylov_error(change: Array, before: Array) -> Array:
    """What the next Krylov vectors would change, from the last change and the one before.

    Convergence is geometric or faster, but not steady; without progress it is the last change.
    """
    contraction = change / np.where(before > 0.0, before, np.inf)
    stalled = (before == 0.0) & (change > 0.0)
    return change * np.where(stalled, 1.0, np.clip(_SLOWER * contraction, _LEAST_PART, 1.0))


@dataclass(frozen=True)
class Number:
    """A measured number and the parts of its uncertainty, all absolute."""

    value: float
    time: float  #: when it is taken
    parts: dict[str, float] = field(default_factory=dict)
    #: Krylov errors of both discretisations within the part "space"
    shared_krylov_error: float = 0.0
    #: Times, values and errors of the curve of which this is the supremum, each of shape (n,)
    history: tuple[Array, Array, Array] | None = field(default=None, compare=False, repr=False)

    @property
    def uncertainty(self) -> float:
        """Sum of the parts."""
        return sum(self.parts.values())

    @property
    def dominant(self) -> str:
        """The part that must fall if the uncertainty is to."""
        sizes = dict(self.parts)
        if self.shared_krylov_error > 0.3 * sizes.get("space", 0.0):
            sizes["krylov"] += sizes.pop("space")
        return max(sizes, key=lambda name: sizes[name])


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

    def difference(self, time: float) -> Array:
        """``N(p − p^N)`` at the Gauss points, shape (C, q). Collective."""
        coefficients = self.pair.difference(time)
        return self.pair.perturbed.gibbs * self.discretisation.space.evaluate(coefficients)

    def limit_density(self, time: float) -> Array:
        """P at the Gauss points, shape (C, q). Collective."""
        coefficients = self.pair.density(time)
        return self.pair.unperturbed.gibbs * self.discretisation.space.evaluate(coefficients)

    def density(self, time: float) -> Array:
        """``p^N`` at the Gauss points, shape (C, q). Collective."""
        return self.limit_density(time) - self.difference(time) / self.depth

    def nodal_density(self, time: float) -> Array:
        """Owned coefficients of the function that is ``p^N/π_N`` at the nodes. Collective."""
        pair, gap = self.pair, self.discretisation.tables.differences[self.depth]
        shift = pair.unperturbed.minimum - pair.perturbed.minimum
        log_ratio = (
            shift - self.discretisation.space.interpolate(gap) / self.depth
        ) / pair.unperturbed.diffusion
        return np.exp(log_ratio) * pair.density(time) - pair.difference(time) / self.depth

    def boundary_amplitude(self, density: Array) -> float:
        """Largest absolute value at the Gauss points next to the boundary. Collective.

        No flux leaves the ball, so what should have left it is reflected: the error that this makes
        inside is of the size of the density at the boundary.
        """
        space = self.discretisation.space
        radii = np.linalg.norm(space.points, axis=2)
        outermost = space.domain.comm.allreduce(float(np.max(radii, initial=0.0)), op=MPI.MAX)
        largest = np.max(np.abs(density), where=radii > 0.995 * outermost, initial=0.0)
        return float(space.domain.comm.allreduce(float(largest), op=MPI.MAX))

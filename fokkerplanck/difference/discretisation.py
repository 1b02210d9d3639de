"""One discretisation of a study: potentials, propagators and the solutions per depth."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from fokkerplanck.difference.pair import Functionals, PairOutput, evolve_pair
from fokkerplanck.difference.potentials import PotentialTable
from fokkerplanck.difference.recycling import RecycledBasis, SolvedAnew, Unperturbed
from fokkerplanck.difference.surprise import Surprise
from fokkerplanck.evolution.krylov import Restart
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.choice import num_pairs
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.problem.numerics import Numerics
from fokkerplanck.problem.problem import Problem
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import largest, smallest

#: When densities are looked at, in units of the horizon.
OUTPUT_TIMES = (0.25, 0.5, 1.0)


class Weight(Protocol):
    """The penalty H with its factor γ."""

    @property
    def gamma(self) -> float:
        """Factor γ > 0."""
        ...

    def __call__(self, theta: Array) -> Array:
        """H at points of shape (P, m)."""
        ...


def log_bound_weight(penalty: Weight, points: Array) -> Array:
    """``γH/4``, the logarithm of the weight of (C) and (D), at points (..., m), shape (...)."""
    values = penalty(points.reshape(-1, points.shape[-1]))
    return 0.25 * penalty.gamma * values.reshape(points.shape[:-1])


@dataclass(frozen=True)
class Discretisation:
    """A Galerkin space with the tables of all potentials on it."""

    problem: Problem  #: of V
    penalty: Weight
    space: Space
    tables: PotentialTable
    numerics: Numerics
    surprise: Surprise | None = None  #: what the tables miss; None where nobody has looked
    #: Of V, at infinite depth, and of the V_N that was asked for last
    propagators: dict[float, Propagator] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def shift(self) -> float:
        """Shift s of the Krylov spaces."""
        return self.numerics.shift / self.problem.horizon

    @property
    def output_times(self) -> tuple[float, ...]:
        """When densities are looked at."""
        return tuple(part * self.problem.horizon for part in OUTPUT_TIMES)

    @property
    def unperturbed(self) -> Propagator:
        """Propagator of V. Collective at first use."""
        return self.propagator(math.inf)

    def propagator(self, depth: float) -> Propagator:
        """Propagator of V_N, or of V at infinite depth. Collective.

        Factors are large: those of one finite depth make room for those of the next.
        """
        held = self.propagators
        if depth not in held:
            for other in [N for N in held if math.isfinite(N) and math.isfinite(depth)]:
                del held[other]
            potential = self.tables.perturbed(depth)
            operator = GibbsOperator(self.space, potential, self.problem.diffusion)
            held[depth] = Propagator(operator, self.shift, self.numerics.solver)
        return held[depth]

    def risk_error(self, depth: float) -> float:
        """Estimated error of E_N, absolute, wherever it is; constants do not matter. Collective."""
        values, comm = self.tables.differences[depth], self.space.domain.comm
        return self.tables.errors[depth] * (largest(comm, values) - smallest(comm, values))

    @cached_property
    def load(self) -> Array:
        """Load vector of p_0. Collective at first use."""
        return initial_load(self.space, self.problem.initial)

    @cached_property
    def log_bound_weight(self) -> Array:
        """``γH/4`` at the Gauss points, shape (C, q)."""
        return log_bound_weight(self.penalty, self.space.points)

    def starting_from(self, initial: InitialDensity) -> "Discretisation":
        """The same for another initial density, with the same factors."""
        other = replace(self, problem=replace(self.problem, initial=initial))
        other.propagators.update(self.propagators)
        return other

    @cached_property
    def restart(self) -> Restart | None:
        """Pairs of Krylov vectors held, where memory is short. Collective at first use.

        Raises:
            SolverError: there is not enough memory.
        """
        pairs = num_pairs(self.space, self.numerics.solver)
        return None if pairs is None else Restart(pairs, self.output_times)

    @cached_property
    def recycling(self) -> Unperturbed:
        """The density p, the same for all depths. Collective at first use."""
        if self.restart is not None:
            return SolvedAnew(self.unperturbed, self.load)
        space = self.unperturbed.krylov_space(self.load, self.problem.horizon)
        return RecycledBasis(space, self.space.domain.comm)

    def solve(self, depth: float) -> PairOutput:
        """Solve for p and ``N(p − p^N)``, or for p and q at infinite depth. Collective.

        Its functionals are ``∫ θ_i N(p − p^N)`` and ``N(E[V(θ_t)] − E[V_N(θ^N_t)])``.
        """
        perturbed = self.propagator(depth)
        return evolve_pair(
            self.unperturbed.operator,
            perturbed,
            self.recycling,
            self.tables.gradients[depth],
            self.numerics.times(self.problem.horizon),
            self.numerics.tolerance,
            self._functionals(depth, perturbed.operator),
            self.restart,
        )

    def _functionals(self, depth: float, perturbed: GibbsOperator) -> Functionals:
        """``∫ θ_i π_N z``, and ``∫ E_N π u + ∫ V_N π_N z`` with V_N relative to its minimum.

        This is allowed because ``∫ π_N z = 0``.
        """
        space = self.space
        weights = [*np.moveaxis(space.points, 2, 0), perturbed.potential - perturbed.minimum]
        on_difference = np.stack([space.load(perturbed.gibbs * weight) for weight in weights])
        on_density = np.zeros_like(on_difference)
        on_density[-1] = space.load(
            self.tables.differences[depth] * self.unperturbed.operator.gibbs
        )
        return Functionals(on_density, on_difference)

    def coarser(self, tabulate: Callable[[Space], PotentialTable]) -> "Discretisation":
        """The companion of lower degree, other shift and looser tolerance.

        The two have nothing in common but the mesh, so their distance estimates the error of the
        companion.

        Args:
            tabulate: the potentials at the companion's own Gauss points.
        """
        numerics = self.numerics.coarse()
        space = Space(self.space.domain, numerics.degree)
        return Discretisation(self.problem, self.penalty, space, tabulate(space), numerics)

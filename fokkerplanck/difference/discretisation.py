"""One discretisation of a verification problem: tables, propagators and the solutions per depth."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from fokkerplanck.difference.pair import Functionals, PairOutput, evolve_pair
from fokkerplanck.difference.recycling import RecycledBasis, SolvedAnew, Unperturbed
from fokkerplanck.evolution.krylov import Restart
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.choice import AUTOMATIC, SolverOptions
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.runtime.arrays import Array

#: When densities are looked at, in units of the horizon.
OUTPUT_TIMES = (0.25, 0.5, 1.0)

#: Shift of the companion, in units of the fine discretisation's.
COARSER_SHIFT = 1.3


class Weight(Protocol):
    """The penalty H with its factor γ."""

    @property
    def gamma(self) -> float:
        """Factor γ > 0."""
        ...

    def __call__(self, theta: Array) -> Array:
        """H at points of shape (P, m)."""
        ...


@dataclass(frozen=True)
class PotentialTable:
    """The potentials at the Gauss points of one space.

    With ``E_N = N(V − V_N)``, and ``E_inf = ℓ`` its limit, the potential of depth N is
    ``V_N = V − E_N/N``.
    """

    potential: Array  #: V, shape (C, q)
    differences: dict[float, Array]  #: E_N per depth, shape (C, q)
    gradients: dict[float, Array]  #: ∇E_N per depth, shape (C, q, m)
    errors: dict[float, float]  #: estimated relative error of E_N per depth

    def perturbed(self, depth: float) -> Array:
        """V_N at the Gauss points."""
        if math.isinf(depth):
            return self.potential
        return self.potential - self.differences[depth] / depth

    def interpolated(self, matrix: Array) -> "PotentialTable":
        """The tables at other points of the same cells, by an interpolation matrix (P, q)."""
        return PotentialTable(
            self.potential @ matrix.T,
            {depth: values @ matrix.T for depth, values in self.differences.items()},
            {depth: matrix @ values for depth, values in self.gradients.items()},
            self.errors,
        )


@dataclass(frozen=True)
class Problem:
    """What is solved, whatever the discretisation."""

    penalty: Weight
    initial: InitialDensity
    diffusion: float  #: D
    horizon: float  #: T

    @property
    def times(self) -> tuple[float, float]:
        """Where the Krylov error estimates must be met."""
        return (self.horizon / 4, self.horizon)

    @property
    def output_times(self) -> tuple[float, ...]:
        """When densities are looked at."""
        return tuple(part * self.horizon for part in OUTPUT_TIMES)


@dataclass(frozen=True)
class Discretisation:
    """A Galerkin space with the tables of all potentials on it."""

    problem: Problem
    space: Space
    tables: PotentialTable
    shift: float  #: of the shift-and-invert Krylov space
    tolerance: float  #: of the Krylov error estimate
    solver: SolverOptions = AUTOMATIC

    @cached_property
    def unperturbed(self) -> Propagator:
        """Propagator of V. Collective at first use."""
        return self._propagator(self.tables.potential)

    @cached_property
    def load(self) -> Array:
        """Load vector of p_0. Collective at first use."""
        return initial_load(self.space, self.problem.initial)

    @cached_property
    def log_bound_weight(self) -> Array:
        """``γH/4`` at the Gauss points, shape (C, q)."""
        points = self.space.points
        values = self.problem.penalty(points.reshape(-1, points.shape[-1]))
        return 0.25 * self.problem.penalty.gamma * values.reshape(points.shape[:2])

    def starting_from(self, initial: InitialDensity) -> "Discretisation":
        """The same discretisation for another initial density."""
        return replace(self, problem=replace(self.problem, initial=initial))

    @cached_property
    def restart(self) -> Restart | None:
        """Pairs of Krylov vectors held, where memory is short. Collective at first use.

        Raises:
            SolverError: there is not enough memory.
        """
        pairs = self.solver.num_pairs(self.space)
        return None if pairs is None else Restart(pairs, self.problem.output_times)

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
        limit = math.isinf(depth)
        perturbed = self.unperturbed if limit else self._propagator(self.tables.perturbed(depth))
        return evolve_pair(
            self.unperturbed.operator,
            perturbed,
            self.recycling,
            self.tables.gradients[depth],
            self.problem.times,
            self.tolerance,
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

    def coarser(self) -> "Discretisation":
        """The companion of lower degree, other shift and looser tolerance.

        The two have nothing in common but the mesh, so their distance estimates the error of the
        companion.
        """
        space = Space(self.space.domain, self.space.degree - 2)
        matrix = self.space.gauss_interpolation(space.rule.points)
        return Discretisation(
            self.problem,
            space,
            self.tables.interpolated(matrix),
            COARSER_SHIFT * self.shift,
            3.0 * self.tolerance,
            self.solver,
        )

    def _propagator(self, potential: Array) -> Propagator:
        operator = GibbsOperator(self.space, potential, self.problem.diffusion)
        return Propagator(operator, self.shift, self.solver)

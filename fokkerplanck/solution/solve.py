"""The Fokker–Planck equation of any potential: ``∂_t p = ∇·(D∇p + p∇V)`` on a ball."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import ufl
from mpi4py import MPI

from fokkerplanck.evolution.dense_output import ROUNDING, DenseOutput
from fokkerplanck.evolution.krylov import Restart
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.fitting import fitting_recipe
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.problem.numerics import AUTOMATIC, STRIDE, Numerics, SolverOptions
from fokkerplanck.problem.problem import Boundary, Potential, Problem
from fokkerplanck.solution.companions import Companions
from fokkerplanck.solution.density import Density
from fokkerplanck.solution.field import Field
from fokkerplanck.solution.tabulation import checked, tabulate

#: Parts of a time at which the density at the wall is looked at, too.
_WALL_TIMES = (0.25, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class Evolved:
    """The density on one discretisation, at all times up to the horizon."""

    operator: GibbsOperator
    output: DenseOutput

    @cached_property
    def precise(self) -> "Evolved":
        """The same with coordinates in ball arithmetic, which are accurate far out."""
        return Evolved(self.operator, self.output.in_ball_arithmetic())

    def field(self, time: float, fewer: int = 0) -> Field:
        """The density at a time, with so many Krylov vectors less, scaled to mass 1. Collective."""
        size = max(self.output.size - fewer, 1)
        raw = Field(self.operator, self.output.coefficients(time, size if fewer else None))
        return raw.scaled(1.0 / raw.integral)

    def rounding(self, time: float) -> float:
        """Rounding error of the density in L¹. Collective."""
        space = self.operator.space
        size = np.abs(space.evaluate(self.output.rounding(time)))
        return ROUNDING + space.integrate(self.operator.gibbs * size)


@dataclass(frozen=True, eq=False)
class Solution:
    """The density at all times ``0 < t <= horizon``, and its coarse companion."""

    problem: Problem
    numerics: Numerics
    fine: Evolved
    coarse: Evolved

    @property
    def operator(self) -> GibbsOperator:
        """Operator of the density."""
        return self.fine.operator

    @property
    def horizon(self) -> float:
        """T."""
        return self.problem.horizon

    @property
    def change(self) -> float:
        """Error estimate of the Krylov space, relative, at ``horizon/8`` and at the horizon."""
        return self.fine.output.change

    def density(self, time: float, far: bool = False) -> Density:
        """The density at a time, scaled to mass 1, with what its error is known from. Collective.

        Close to time zero the uncertainty is large, as the Krylov space resolves the horizon; a
        solution with a shorter horizon resolves earlier times.

        Args:
            time: t in ``(0, horizon]``.
            far: keep digits far out, where the density is 1e-30 or less, at many times the cost.

        Raises:
            ValueError: the time does not lie in ``(0, horizon]``, or is not one of those for which
                a bounded Krylov basis was told to keep it.
        """
        if not 0 < time <= self.horizon:
            raise ValueError(f"time must lie in (0, {self.horizon:g}], got {time!r}")
        here, there = self.fine, self.coarse
        if far:
            here, there = here.precise, there.precise
        fine = here.field(time)
        companions = Companions(
            there.field(time),
            (here.field(time, STRIDE), here.field(time, 2 * STRIDE)),
            self._wall(time),
            here.rounding(time),
            time < self.numerics.early * self.horizon,
        )
        return Density(fine.operator, fine.coefficients, companions)

    def _wall(self, time: float) -> float:
        """Largest density at the wall so far, if the ball stands for the whole space. Collective.

        No flux leaves the ball, so what should have left it is reflected: the error that this makes
        inside is of the size of the density at the wall.
        """
        if self.problem.boundary == "reflecting":
            return 0.0
        output = self.fine.output
        times = [part * time for part in _WALL_TIMES] if not output.num_dropped else [time]
        return max(self.fine.field(t).at_wall for t in times)


def solve(
    potential: Potential | ufl.core.expr.Expr,
    initial: InitialDensity,
    horizon: float = 1.0,
    radius: float = 8.0,
    diffusion: float = 1.0,
    domain: Domain | None = None,
    degree: int = 8,
    tolerance: float = 1e-10,
    vectors: int | None = None,
    times: Sequence[float] = (),
    comm: MPI.Comm = MPI.COMM_WORLD,
    *,
    boundary: Boundary = "open",
    solver: SolverOptions = AUTOMATIC,
) -> Solution:
    """Solve ``∂_t p = ∇·(D∇p + p∇V)``, ``p(0) = p_0``, with no flux out of the ball. Collective.

    Args:
        potential: V, a function of points (P, m) that returns values (P,), or a UFL expression on
            the mesh of `domain`.
        initial: p_0; it must lie inside the ball.
        horizon: T > 0.
        radius: of the ball; without a domain.
        diffusion: scalar D > 0.
        domain: the meshed ball; without it a mesh is made to fit V and p_0.
        degree: of the elements, at least 1.
        tolerance: relative, of the Krylov error estimate at ``T/8`` and T.
        vectors: most Krylov vectors to hold at a time, at least 20; all by default. With it the
            density is known at the horizon and at `times` only.
        times: where the density is to be known besides.
        comm: communicator; without a domain.
        boundary: "open" if the ball stands for the whole space, "reflecting" if its wall is meant;
            with the first, what the density has at the wall is a part of its uncertainty.
        solver: of the linear systems.

    Raises:
        ValueError: an argument is out of range, or arguments do not fit together.
        KrylovError: the tolerance cannot be met.
        SolverError: the memory does not suffice.
    """
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"radius must be positive, got {radius!r}")
    is_form = isinstance(potential, ufl.core.expr.Expr)
    if is_form and domain is None:
        raise ValueError("potential is a UFL expression, so its domain must be given")
    problem = Problem(
        potential if is_form else checked(potential, domain.comm if domain else comm),
        initial,
        horizon,
        diffusion,
        boundary,
    )
    numerics = Numerics(degree=degree, tolerance=tolerance, solver=solver)
    restart = None if vectors is None else Restart(vectors, (*times, horizon))
    if domain is None:
        domain = fitting_recipe(problem, radius, degree).build(comm)
    fine = evolved(problem, domain, numerics, restart)
    # Space and tolerance are coarser; it holds what the fine one may hold.
    coarse = evolved(problem, domain, numerics.coarse(), restart)
    return Solution(problem, numerics, fine, coarse)


def evolved(
    problem: Problem, domain: Domain, numerics: Numerics, restart: Restart | None = None
) -> Evolved:
    """Solve on one discretisation. Collective.

    Raises:
        ValueError: the potential cannot be tabulated, or the domain does not hold p_0.
        KrylovError: the tolerance cannot be met.
        SolverError: the memory does not suffice.
    """
    space = Space(domain, numerics.degree)
    load = initial_load(space, problem.initial)
    operator = GibbsOperator(space, tabulate(problem.potential, space), problem.diffusion)
    operator.check_cells()
    propagator = Propagator(operator, numerics.shift / problem.horizon, numerics.solver)
    output = propagator.evolve(load, numerics.times(problem.horizon), numerics.tolerance, restart)
    return Evolved(operator, output)

"""The Fokker–Planck equation of any potential: ``∂_t p = ∇·(D∇p + p∇V)`` on a ball."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem
from mpi4py import MPI

from fokkerplanck.evolution.dense_output import DenseOutput
from fokkerplanck.evolution.krylov import Restart
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.fitting import fitting_recipe
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.solution.density import Density

Potential = Callable[[Array], npt.ArrayLike]

#: Shift of the Krylov space, in units of 1/horizon.
_SHIFT = 10.0

#: The error estimate is also met at this part of the horizon.
_EARLY = 1 / 8


@dataclass(frozen=True, eq=False)
class Solution:
    """The density at all times ``0 < t <= horizon``."""

    operator: GibbsOperator
    output: DenseOutput
    horizon: float

    @property
    def change(self) -> float:
        """Error estimate of the Krylov space, relative, at ``horizon/8`` and at the horizon."""
        return self.output.change

    def density(self, time: float) -> Density:
        """The density at a time, scaled to mass 1 to remove the drift by rounding. Collective.

        The error estimate holds from ``horizon/8`` on; a solution with a shorter horizon resolves
        earlier times.

        Raises:
            ValueError: the time does not lie in ``(0, horizon]``, or is not one of those for which
                a bounded Krylov basis was told to keep it.
        """
        if not 0 < time <= self.horizon:
            raise ValueError(f"time must lie in (0, {self.horizon:g}], got {time!r}")
        raw = Density(self.operator, self.output.coefficients(time))
        return Density(self.operator, raw.coefficients / raw.mass)


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

    Raises:
        ValueError: an argument is out of range, or arguments do not fit together.
        KrylovError: the tolerance cannot be met.
    """
    for name, value in (("horizon", horizon), ("radius", radius), ("diffusion", diffusion)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be positive, got {value!r}")
    if degree < 1:
        raise ValueError(f"degree must be at least 1, got {degree}")
    if initial.dimension > 3:
        raise ValueError(
            f"initial center has {initial.dimension} coordinates; one to three "
            "parameters are possible"
        )
    restart = None if vectors is None else Restart(vectors, (*times, horizon))
    if domain is None:
        if isinstance(potential, ufl.core.expr.Expr):
            raise ValueError("potential is a UFL expression, so its domain must be given")
        recipe = fitting_recipe(
            lambda points: _evaluate(potential, points, comm),
            initial,
            horizon,
            radius,
            diffusion,
            degree,
        )
        domain = recipe.build(comm)
    space = Space(domain, degree)
    load = initial_load(space, initial)
    operator = GibbsOperator(space, tabulate(potential, space), diffusion)
    operator.check_cells()
    propagator = Propagator(operator, _SHIFT / horizon)
    output = propagator.evolve(load, (_EARLY * horizon, horizon), tolerance, restart)
    return Solution(operator, output, horizon)


def tabulate(potential: Potential | ufl.core.expr.Expr, space: Space) -> Array:
    """Values of a potential at the Gauss points of a space, shape (C, q). Collective.

    Raises:
        ValueError: the values have a wrong shape, or the expression lives on another mesh.
    """
    if isinstance(potential, ufl.core.expr.Expr):
        return _tabulate_expression(potential, space)
    points = space.points
    values = _evaluate(potential, points.reshape(-1, points.shape[-1]), space.domain.comm)
    return values.reshape(points.shape[:2])


def _tabulate_expression(potential: ufl.core.expr.Expr, space: Space) -> Array:
    mesh = space.domain.mesh
    home = ufl.domain.extract_unique_domain(potential)
    if home is not None and home != mesh.ufl_domain():
        raise ValueError("potential must be an expression on domain.mesh, got one on another mesh")
    if potential.ufl_shape:
        raise ValueError(f"potential must be a scalar, got the shape {potential.ufl_shape}")
    if home is None:
        potential = fem.Constant(mesh, 1.0) * potential
    cells = np.arange(space.domain.num_owned_cells, dtype=np.int32)
    values = fem.Expression(potential, space.rule.points).eval(mesh, cells)
    return np.asarray(values, dtype=np.float64).reshape(space.points.shape[:2])


def _evaluate(potential: Potential, points: Array, comm: MPI.Comm) -> Array:
    """Values (P,) of a callable potential; all ranks raise together. Collective."""
    values = np.asarray(potential(points), dtype=np.float64)
    shapes = comm.allgather(values.shape if values.shape != (len(points),) else None)
    if wrong := [shape for shape in shapes if shape is not None]:
        raise ValueError(
            f"potential must map points of shape (P, m) to values of shape (P,), got the shape "
            f"{wrong[0]}"
        )
    return values

"""The resolutions that a study climbs until its numbers are as accurate as asked."""

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from mpi4py import MPI

from fokkerplanck.difference.discretisation import (
    Discretisation,
    PotentialTable,
    Problem,
)
from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.choice import SolverOptions
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.mesh.sizing import Surroundings, choose_recipe, outer_radius
from fokkerplanck.risk import RiskError
from fokkerplanck.risk.potential import NetworkPotential
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.study import Study, StudyError
from fokkerplanck.study.errors import blame

#: Resolutions in turn: degree of the elements and refinement of the mesh.
RESOLUTIONS = ((8, 1.0), (10, 1.0), (12, 1.0), (12, 1.5), (12, 2.25))

#: Accuracies from which on the first, the second and the third of them would be in vain.
_FIRST_STEP_BOUNDS = (3e-5, 3e-7, 3e-8)

#: The same for the ball.
BALL_RESOLUTIONS = ((6, 1.0), (8, 1.0), (10, 1.0), (12, 1.0))
_BALL_FIRST_STEP_BOUNDS = (5e-3, 2e-3)

#: Unknowns beyond which the resolution is not raised.
MAX_UNKNOWNS = 200_000

#: Depths up to this one have a say in the choice of the mesh.
_SHALLOW = 8

#: Share of the accuracy that the integration of the Neural ODE may spend.
_RISK_SHARE = 1e-5

#: Smallest tolerance of that integration.
FINEST_RISK = 1e-13

#: Factor by which the ball grows where its end shows, and its largest radius in units of the
#: annuli's.
WIDENING, WIDEST = 1.15, 4.0

#: Share of the accuracy that the iteration of linear solvers may spend, its smallest tolerance, and
#: its largest one, with which the numbers of ranks agree to 1e-8.
_ITERATION_SHARE, FINEST_ITERATION, _COARSEST_ITERATION = 0.1, 1e-12, 3e-6

#: Linear solvers that a depth holds: of V and V_N, on the fine and the coarse discretisation.
_SOLVERS = 4

_GIGABYTE = 1e9

#: Shift of the Krylov space in units of 1/T: at least this, and so many times the exponent of the
#: heat kernel in the farthest annulus, where resolvents must fall faster than the kernel does.
SHIFT, FAR_SHIFT = 40.0, 1.8


class Refinement:
    """Pairs of a fine discretisation and its coarser companion, each better than the last."""

    def __init__(self, study: Study, comm: MPI.Comm, progress: Progress) -> None:
        """Begin before the first step. Collective."""
        self._study, self._comm, self._progress = study, comm, progress
        self._risk_tolerance = max(_RISK_SHARE * study.tolerance, FINEST_RISK)
        self._problem = Problem(study.penalty, study.initial, study.diffusion, study.horizon)
        self._around = Surroundings(
            study.annuli, study.initial, study.diffusion, study.horizon, study.cap.breaks
        )
        self._radius = outer_radius(
            study.penalty, study.penalty.gamma, self._around, study.tolerance
        )
        ball = study.network.num_parameters == 3
        steps = BALL_RESOLUTIONS if ball else RESOLUTIONS
        first = _first_step(
            study.tolerance, _BALL_FIRST_STEP_BOUNDS if ball else _FIRST_STEP_BOUNDS
        )
        self._steps = list(steps[min(first, len(steps) - 1) :])
        self._lowest = self._steps[0][0] - 2
        self._domains: dict[tuple[float, float], Domain] = {}
        section = study.settings.solver
        self._solver = SolverOptions(
            section.method,
            section.memory and _GIGABYTE * section.memory / _SOLVERS,
            float(
                np.clip(_ITERATION_SHARE * study.tolerance, FINEST_ITERATION, _COARSEST_ITERATION)
            ),
            section.vectors,
        )

    def begin(self, depths: Sequence[float]) -> tuple[Discretisation, Discretisation]:
        """The first pair, for these depths. Collective.

        Raises:
            StudyError: the potential cannot be computed on the ball, or leaves double range.
        """
        return self._pair(self._space(), depths)

    def refine(
        self, depths: Sequence[float], limits: Set[str]
    ) -> tuple[Discretisation, Discretisation] | None:
        """The next pair, for these depths, or None at the top. Collective.

        Args:
            depths: that will be asked for.
            limits: parts of the uncertainty that must fall. If none of them is the fault of a
                level there is no better pair.

        Raises:
            StudyError: as `begin`.
        """
        wider = "truncation" in limits and self._radius < WIDEST * self._around.annuli.radius
        finer = not limits.isdisjoint({"space", "quadrature"}) and len(self._steps) > 1
        sharper = "risk" in limits and self._risk_tolerance > FINEST_RISK
        if not (wider or finer or sharper):
            return None
        if wider:
            self._radius *= WIDENING
        if finer:
            del self._steps[0]
        if sharper:
            self._risk_tolerance = max(1e-2 * self._risk_tolerance, FINEST_RISK)
        space = self._space()
        return None if space.num_unknowns > MAX_UNKNOWNS else self._pair(space, depths)

    def _space(self) -> Space:
        degree, refinement = self._steps[0]
        with self._progress.stage("mesh"), blame("annuli"):
            return Space(self._domain(self._radius, refinement), degree)

    def _pair(self, space: Space, depths: Sequence[float]) -> tuple[Discretisation, Discretisation]:
        with self._progress.stage("risk"), blame("annuli"):
            self._announce(space)
            fine = self._discretisation(space, depths)
            coarse = fine.coarser()
            if space.domain.dimension == 3:
                # Cells of the ball are large: what a rough potential does between the Gauss points
                # is seen only by points of the coarse one's own.
                coarse = replace(coarse, tables=self._tables(coarse.space, depths))
            # Both check the potential's range, here where the study can be blamed.
            for discretisation in (fine, coarse):
                discretisation.unperturbed.operator.check_cells()
        return fine, coarse

    def _announce(self, space: Space) -> None:
        """Say what is going to be solved, and how, where this takes long. Collective."""
        if space.domain.dimension > 1:
            chosen, pairs = self._solver.choose(space), self._solver.num_pairs(space)
            held = "" if pairs is None else f"; at most {pairs} pairs of Krylov vectors"
            self._progress.note(
                f"degree {space.degree}, {space.num_unknowns} unknowns; solver "
                f"{chosen.description}{held}"
            )

    def _domain(self, radius: float, refinement: float) -> Domain:
        """The mesh, which several degrees have in common."""
        if (radius, refinement) not in self._domains:
            self._domains = {(radius, refinement): self._build(radius, refinement)}
        return self._domains[radius, refinement]

    def _build(self, radius: float, refinement: float) -> Domain:
        tolerance = self._study.tolerance
        with _refusing_blow_up():
            recipe = choose_recipe(
                self._potentials, self._around, radius, self._lowest, tolerance, refinement
            )
        return recipe.build(self._comm)

    @property
    def _potential(self) -> NetworkPotential:
        study = self._study
        return NetworkPotential(
            study.network, study.data, study.cap, study.penalty, self._risk_tolerance
        )

    def _potentials(self, points: Array) -> Array:
        """V and those V_N that differ most from it, shape (j, P). Collective."""
        depths = [N for N in self._study.depths if N <= _SHALLOW]
        table = self._potential.tabulate(points, depths, self._comm)
        return np.stack([table.value, *(table.value - table.difference[N] / N for N in depths)])

    def _discretisation(self, space: Space, depths: Sequence[float]) -> Discretisation:
        shift = max(SHIFT, FAR_SHIFT * self._around.farthest_exponent) / self._study.horizon
        tolerance = 0.01 * self._study.tolerance
        tables = self._tables(space, depths)
        return Discretisation(self._problem, space, tables, shift, tolerance, self._solver)

    def _tables(self, space: Space, depths: Sequence[float]) -> PotentialTable:
        """Tabulate all potentials at the Gauss points."""
        points = space.points
        cells, count, m = points.shape
        with _refusing_blow_up():
            table = self._potential.tabulate(points.reshape(-1, m), depths, self._comm)
        return PotentialTable(
            table.value.reshape(cells, count),
            {N: values.reshape(cells, count) for N, values in table.difference.items()},
            {N: values.reshape(points.shape) for N, values in table.difference_gradient.items()},
            {N: float(error) for N, error in table.error.items()},
        )


def _first_step(tolerance: float, bounds: Sequence[float]) -> int:
    """Index of the resolution to begin with: higher degrees pay where more digits are asked."""
    return sum(tolerance <= bound for bound in bounds)


@contextmanager
def _refusing_blow_up() -> Iterator[None]:
    """Blame the study for trajectories that leave the double range."""
    try:
        yield
    except RiskError as error:
        raise StudyError(f"[network] {error}") from error

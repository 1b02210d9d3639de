"""The discretisations of a study, refined until its numbers are as accurate as asked."""

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from mpi4py import MPI

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.difference.measurement import Measurement
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.difference.potentials import PotentialTable
from fokkerplanck.difference.surprise import Spots, Surprise, places
from fokkerplanck.fem.cells import geometry_at
from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.choice import choose, num_pairs
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.mesh.sizing import Surroundings, choose_recipe, outer_radius
from fokkerplanck.problem.numerics import Numerics, SolverOptions
from fokkerplanck.problem.problem import Problem
from fokkerplanck.risk import RiskError
from fokkerplanck.risk.kinks import NONE, kinks_on_line
from fokkerplanck.risk.narrow_features import narrow_features
from fokkerplanck.risk.potential import NetworkPotential
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.study import Study, StudyError
from fokkerplanck.study.errors import blame
from fokkerplanck.verification.accuracy import inaccurate, measured
from fokkerplanck.verification.resolution import Resolution

#: Unknowns beyond which the resolution is not raised.
MAX_UNKNOWNS = 200_000

#: Most kinks that the mesh meets; the strongest are taken.
MOST_KINKS = 1000

#: Meshes of the line that are made until nothing narrow is missed any more.
_MOST_LOOKS = 8

#: Depths up to this one have a say in the choice of the mesh.
_SHALLOW = 8

#: Share of the accuracy that the iteration of linear solvers may spend, its smallest tolerance, and
#: its largest one, with which the numbers of ranks agree to 1e-8.
_ITERATION_SHARE, FINEST_ITERATION, _COARSEST_ITERATION = 0.1, 1e-12, 3e-6

#: Share of the accuracy that the Krylov error estimate may spend, and the part of the horizon at
#: which it must be met, too.
_KRYLOV_SHARE, _EARLY = 0.01, 0.25

#: Linear solvers that a depth holds: of V and V_N, on the fine and the coarse discretisation.
_SOLVERS = 4

_GIGABYTE = 1e9

#: Shift of the Krylov space in units of 1/T: at least this, and so many times the exponent of the
#: heat kernel in the farthest annulus, where resolvents must fall faster than the kernel does.
SHIFT, FAR_SHIFT = 40.0, 1.8

Pair = tuple[Discretisation, Discretisation]


class Refinement:
    """Pairs of a fine discretisation and its coarse companion, each better than the last.

    Args:
        study: what is measured.
        comm: all ranks of it work.
        progress: hears of it.

    Raises:
        StudyError: the potential cannot be computed on the ball, or leaves double range.
    """

    def __init__(self, study: Study, comm: MPI.Comm, progress: Progress) -> None:
        """Choose the first resolution. Nothing is computed yet."""
        self._study, self._comm, self._progress = study, comm, progress
        annuli, penalty = study.annuli, study.penalty
        self._problem = Problem(
            NetworkPotential(study.network, study.data, study.cap, penalty),
            study.initial,
            study.horizon,
            study.diffusion,
        )
        self._around = Surroundings(self._problem, annuli, study.cap.breaks)
        radius = outer_radius(penalty, penalty.gamma, self._around, study.tolerance)
        self._resolution = Resolution.first(study.dimension, study.tolerance, radius, annuli.radius)
        self._lowest = self._resolution.degree - 2
        self._domains: dict[tuple[float, float], Domain] = {}
        self._solver = _solver_options(study)
        self._pair: Pair | None = None
        #: On the line: where narrow features may be, and cell ends that some have asked for
        self._narrow, self._ends = np.zeros(0), tuple[float, ...]()

    def pair(self, depths: Sequence[float]) -> Pair:
        """The present pair, made for these depths at first. Collective."""
        if self._pair is None:
            self._pair = self._made(self._space(), depths)
        return self._pair

    def measured(
        self, depth: float, waiting: Sequence[float]
    ) -> tuple[Measurement, tuple[PairSolution, PairSolution]]:
        """Measure a depth, with what limits its numbers improved as long as it can be. Collective.

        Args:
            depth: N, or infinity for the sharp limit.
            waiting: this depth and those that are measured later, for which the pair must do.

        Returns:
            The measurement, and the solutions on both discretisations that it was made from.
        """
        tolerance, progress = self._study.tolerance, self._progress
        found = measured(self.pair(waiting), depth, tolerance, progress)
        while what := bottlenecks(found[0], tolerance):
            if not self._refine(waiting, what):
                return found
            # the old solutions, factors and all, make room for the new ones
            del found
            found = measured(self.pair(waiting), depth, tolerance, progress)
        return found

    def _refine(self, depths: Sequence[float], what: Set[str]) -> bool:
        """Make a better pair for these depths, if there is one. Collective."""
        better = self._resolution.improved(what)
        if better is None:
            return False
        self._resolution = better
        space = self._space()
        if space.num_unknowns > MAX_UNKNOWNS:
            return False
        self._pair = self._made(space, depths)
        return True

    def _space(self) -> Space:
        now = self._resolution
        with self._progress.stage("mesh"), blame("annuli"):
            return Space(self._domain(now.radius, now.refinement), now.degree)

    def _made(self, space: Space, depths: Sequence[float]) -> Pair:
        study, around = self._study, self._around
        with self._progress.stage("risk"), blame("annuli"):
            self._announce(space)
            numerics = Numerics(
                space.degree,
                self._resolution.refinement,
                max(SHIFT, FAR_SHIFT * around.farthest_exponent),
                _KRYLOV_SHARE * study.tolerance,
                _EARLY,
                self._solver,
            )

            space, tables, surprise = self._looked_at(space, depths)
            fine = Discretisation(self._problem, study.penalty, space, tables, numerics, surprise)
            # What a rough potential does between the Gauss points is seen by points of the
            # companion's own.
            coarse = fine.coarser(lambda there: self._tabulated(there, depths))
            # Both check the potential's range, here where the study can be blamed.
            for one in (fine, coarse):
                one.unperturbed.operator.check_cells()
        return fine, coarse

    def _looked_at(
        self, space: Space, depths: Sequence[float]
    ) -> tuple[Space, PotentialTable, Surprise]:
        """Tables, and what they miss; on the line cells end where something narrow is missed.

        Collective.
        """
        for look in range(_MOST_LOOKS):
            tables = self._tabulated(space, depths)
            elsewhere = geometry_at(space.domain, places(space.rule)).points
            surprise = Surprise.between(tables, self._tables(elsewhere, depths), space)
            if self._around.dimension > 1 or not len(self._narrow):
                break
            spots = Spots.of(space, np.union1d(self._narrow, elsewhere))
            there = self._at_spots(spots, depths)
            missed = spots.missed(tables, there, self._problem.diffusion, self._study.tolerance)
            surprise |= Surprise.at(tables, there, spots)
            if not missed or look == _MOST_LOOKS - 1:
                break
            self._ends = (*self._ends, *(point for _, point in missed[:MOST_KINKS]))
            self._domains = {}
            space = self._space()
        return space, tables, surprise

    def _at_spots(self, spots: Spots, depths: Sequence[float]) -> PotentialTable:
        """Potentials of few depths at scattered points: narrow features show in all. Collective."""
        few = sorted({min(depths), max(depths)})
        table = self._tables(spots.points[:, None, None], few)
        return replace(
            table,
            potential=table.potential[:, 0],
            differences={N: values[:, 0] for N, values in table.differences.items()},
        )

    def _announce(self, space: Space) -> None:
        """Say what is going to be solved, and how, where this takes long. Collective."""
        if space.domain.dimension > 1:
            chosen, pairs = choose(space, self._solver), num_pairs(space, self._solver)
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
        with _refusing_blow_up():
            around = replace(self._around, kinks=self._kinks(radius))
            recipe = choose_recipe(
                self._potentials,
                around,
                radius,
                self._lowest,
                self._study.tolerance,
                refinement,
            )
        return recipe.build(self._comm)

    def _kinks(self, radius: float) -> tuple[float, ...]:
        """Where on the line some potential has a kink, which the mesh is to meet; the same on all.

        Kinks that are too many, or that nobody has found, are seen by the uncertainty.
        """
        study, found, narrow = self._study, NONE, np.zeros(0)
        if study.dimension == 1 and self._comm.rank == 0:
            model = study.network, study.data, study.cap
            found = kinks_on_line(*model, study.penalty, study.depths, radius)
            found = found.strongest(MOST_KINKS)
            bounds = radius, study.diffusion, study.tolerance
            narrow = narrow_features(*model, study.depths, *bounds).points
        kinks, self._narrow = self._comm.bcast((found.points.tolist(), narrow))
        return (*kinks, *self._ends)

    @property
    def _potential(self) -> NetworkPotential:
        study = self._study
        return NetworkPotential(
            study.network, study.data, study.cap, study.penalty, self._resolution.risk_tolerance
        )

    def _potentials(self, points: Array) -> Array:
        """V and those V_N that differ most from it, shape (j, P). Collective."""
        depths = [N for N in self._study.depths if N <= _SHALLOW]
        table = self._potential.tabulate(points, depths, self._comm)
        return np.stack([table.value, *(table.value - table.difference[N] / N for N in depths)])

    def _tabulated(self, space: Space, depths: Sequence[float]) -> PotentialTable:
        """All potentials at the Gauss points of a space. Collective."""
        tables = self._tables(space.points, depths)
        if self._study.network.is_smooth:
            return tables
        return tables.with_gradient_of_limit(space)

    def _tables(self, points: Array, depths: Sequence[float]) -> PotentialTable:
        """Tabulate all potentials at points of the cells, shape (C, q, m). Collective."""
        cells, count, m = points.shape
        with _refusing_blow_up():
            table = self._potential.tabulate(points.reshape(-1, m), depths, self._comm)
        return PotentialTable(
            table.value.reshape(cells, count),
            {N: values.reshape(cells, count) for N, values in table.difference.items()},
            {N: values.reshape(points.shape) for N, values in table.difference_gradient.items()},
            {N: float(error) for N, error in table.error.items()},
        )


def bottlenecks(measurement: Measurement, tolerance: float) -> set[str]:
    """Parts that dominate the uncertainties of numbers that are less accurate than asked."""
    return {number.dominant for number in inaccurate(measurement, tolerance).values()}


def _solver_options(study: Study) -> SolverOptions:
    """The linear solver of a study."""
    section = study.settings.solver
    tolerance = np.clip(_ITERATION_SHARE * study.tolerance, FINEST_ITERATION, _COARSEST_ITERATION)
    memory = section.memory and _GIGABYTE * section.memory / _SOLVERS
    return SolverOptions(section.method, memory, float(tolerance), section.vectors)


@contextmanager
def _refusing_blow_up() -> Iterator[None]:
    """Blame the study for trajectories that leave the double range."""
    try:
        yield
    except RiskError as error:
        raise StudyError(f"[network] {error}") from error

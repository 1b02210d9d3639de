"""The driver: from a study to the results, the measured bounds."""

import dataclasses
from collections.abc import Sequence

from mpi4py import MPI

from fokkerplanck.difference.measurement import Measurement, density_numbers
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.study import Study
from fokkerplanck.study.results import Decay, FurtherRadius, Results
from fokkerplanck.verification.accuracy import coincide, measured
from fokkerplanck.verification.annulus_law import decay
from fokkerplanck.verification.checks import check_bounds, check_further_radius
from fokkerplanck.verification.explicit_constants import ExplicitConstants, explicit_constants
from fokkerplanck.verification.observers import Observer, Painter
from fokkerplanck.verification.refinement import Pair, Refinement
from fokkerplanck.verification.summary import (
    further_radius,
    histories,
    limits,
    notes,
    parts,
    sharp_constants,
    smoothed,
    table_rows,
)


def run(
    study: Study,
    comm: MPI.Comm = MPI.COMM_WORLD,
    progress: Progress | None = None,
    observers: Sequence[Observer] = (),
) -> Results:
    """Measure all bounds of a study. Collective.

    The sharp limit comes first, then the depths from large to small. A depth whose numbers miss the
    accuracy is measured again with what limits it improved, and so the shallower ones then begin:
    small depths differ most from the limit and are the hardest.

    Args:
        study: what is measured.
        comm: all ranks of it work.
        progress: hears of stages and depths.
        observers: are handed each depth's numbers and solution.

    Raises:
        StudyError: the study asks for what cannot be computed; the message says what to change.
    """
    progress = progress or Progress()
    refinement = Refinement(study, comm, progress)
    waiting = sorted(study.depths, reverse=True)
    painter = Painter(progress)
    measurements: dict[float, Measurement] = {}
    constants: dict[float, ExplicitConstants] = {}
    decays: tuple[Decay, ...] = ()
    further_radii: tuple[FurtherRadius, ...] = ()
    for depth in progress.track(waiting, "depths"):
        measurement, solutions = refinement.measured(depth, [N for N in waiting if depth >= N])
        pair = refinement.pair(waiting)
        measurements[depth] = measurement
        constants[depth] = explicit_constants(pair[0], depth)
        if depth == waiting[0]:
            with progress.stage("measure"):
                decays = () if coincide(measurement) else _decays(solutions, measurement)
        for observer in (painter, *observers):
            observer.measured(measurement, solutions)
        # The factors of this depth make room for those of the next.
        del solutions
        if depth == waiting[0]:
            further_radii = _further_radii(study, pair, depth, progress)
    measurements = smoothed(measurements)
    results = Results(table_rows(measurements, study))
    return dataclasses.replace(
        results,
        checks=(
            *check_bounds(results.rows, constants, study.tolerance),
            *(check_further_radius(radius) for radius in further_radii),
        ),
        notes=(
            *notes(study, pair[0], measurements, constants[waiting[0]]),
            *limits(measurements, study.tolerance),
        ),
        statements=sharp_constants(results, constants),
        decays=decays,
        further_radii=further_radii,
        histories=histories(measurements),
        grid_functions=painter.grid_functions,
        parts=parts(measurements),
    )


def _decays(
    solutions: tuple[PairSolution, PairSolution], measurement: Measurement
) -> tuple[Decay, ...]:
    """The annulus law at several times, of which the last has been measured. Collective."""
    fine, coarse = solutions
    made_with = fine.discretisation
    numbers = [density_numbers(fine, coarse, time) for time in made_with.output_times[:-1]]
    return tuple(
        decay(part, made_with.space.domain.annuli, made_with.problem, made_with.penalty)
        for part in (*numbers, measurement.density_l1)
    )


def _further_radii(
    study: Study, pair: Pair, depth: float, progress: Progress
) -> tuple[FurtherRadius, ...]:
    """The sharp constants for the further radii of p_0. Collective."""
    found = []
    for initial in study.further_initials:
        fine, coarse = (one.starting_from(initial) for one in pair)
        measurement, _ = measured((fine, coarse), depth, study.tolerance, progress)
        found.append(further_radius(initial, measurement, explicit_constants(fine, depth)))
    return tuple(found)

"""The driver: from a study to the table of measured bounds."""

import dataclasses
from pathlib import Path

from mpi4py import MPI

from fokkerplanck.difference.discretisation import Level
from fokkerplanck.difference.measurement import Measurement, density_numbers
from fokkerplanck.difference.pair_solution import Solution
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.study import Study
from fokkerplanck.study.results import Decay, Picture, Start, Table
from fokkerplanck.verification.accuracy import measured, unmet
from fokkerplanck.verification.annulus_law import decay
from fokkerplanck.verification.checks import check_bounds, check_start
from fokkerplanck.verification.explicit_constants import ExplicitConstants, explicit_constants
from fokkerplanck.verification.fields import picture as picture_of
from fokkerplanck.verification.fields import write_solution
from fokkerplanck.verification.refinement import Ladder
from fokkerplanck.verification.summary import (
    histories,
    limits,
    notes,
    parts,
    smoothed,
    start,
    statements,
    table_rows,
)


def run(study: Study, comm: MPI.Comm, progress: Progress, fields: Path | None = None) -> Table:
    """Measure all bounds of a study. Collective.

    The sharp limit comes first, then the depths from large to small. A depth whose numbers miss the
    accuracy is measured again with what limits it improved, and so the shallower ones then begin:
    small depths differ most from the limit and are the hardest.

    Args:
        study: what is measured.
        comm: all ranks of it work.
        progress: hears of it.
        fields: file that ends in ``.vtkhdf`` for the densities of the deepest depth, by
            `write_solution`; none by default.

    Raises:
        StudyError: the study asks for what cannot be computed; the message says what to change.
    """
    ladder = Ladder(study, comm, progress)
    waiting = sorted(study.depths, reverse=True)
    levels = ladder.begin(waiting)
    measurements: dict[float, Measurement] = {}
    constants: dict[float, ExplicitConstants] = {}
    decays: tuple[Decay, ...] = ()
    starts: tuple[Start, ...] = ()
    picture: Picture | None = None
    for depth in progress.track(waiting, "depths"):
        measurement, solutions = measured(levels, depth, study.tolerance, progress)
        while what := {number.limit for number in unmet(measurement, study.tolerance).values()}:
            if (better := ladder.climb([N for N in waiting if depth >= N], what)) is None:
                break
            levels = better
            measurement, solutions = measured(levels, depth, study.tolerance, progress)
        measurements[depth] = measurement
        constants[depth] = explicit_constants(levels[0], depth)
        if depth == waiting[0]:
            with progress.stage("measure"):
                decays = _decays(solutions, measurement)
            with progress.stage("pictures"):
                picture = picture_of(solutions[0])
            if fields is not None:
                write_solution(solutions[0], fields)
            starts = _starts(study, levels, depth, progress)
        # The factors of this depth make room for those of the next.
        del solutions
    measurements = smoothed(measurements)
    table = Table(table_rows(measurements, study))
    return dataclasses.replace(
        table,
        checks=(
            *check_bounds(table.rows, constants, study.tolerance),
            *(check_start(start) for start in starts),
        ),
        notes=(
            *notes(study, levels[0], measurements[waiting[0]], constants[waiting[0]]),
            *limits(measurements, study.tolerance),
        ),
        statements=statements(table, constants),
        decays=decays,
        starts=starts,
        histories=histories(measurements),
        picture=picture,
        parts=parts(measurements),
    )


def _decays(solutions: tuple[Solution, Solution], measurement: Measurement) -> tuple[Decay, ...]:
    """The annulus law at several times, of which the last has been measured. Collective."""
    fine, coarse = solutions
    problem, annuli = fine.level.problem, fine.level.space.domain.annuli
    numbers = [density_numbers(fine, coarse, time) for time in problem.output_times[:-1]]
    return tuple(decay(part, annuli, problem) for part in (*numbers, measurement.density_l1))


def _starts(
    study: Study, levels: tuple[Level, Level], depth: float, progress: Progress
) -> tuple[Start, ...]:
    """The sharp constants for the further radii of p_0. Collective."""
    found = []
    for initial in study.further_initials:
        others = levels[0].starting_from(initial), levels[1].starting_from(initial)
        measurement, _ = measured(others, depth, study.tolerance, progress)
        found.append(start(initial, measurement, explicit_constants(others[0], depth)))
    return tuple(found)

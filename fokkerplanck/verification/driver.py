"""The driver: from a study to the table of measured bounds."""

import dataclasses
from pathlib import Path

from mpi4py import MPI

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.difference.measurement import Measurement, density_numbers
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.study import Study
from fokkerplanck.study.results import Decay, FurtherRadius, GridFunctions, Results
from fokkerplanck.verification.accuracy import inaccurate, measured
from fokkerplanck.verification.annulus_law import decay
from fokkerplanck.verification.checks import check_bounds, check_further_radius
from fokkerplanck.verification.explicit_constants import ExplicitConstants, explicit_constants
from fokkerplanck.verification.fields import picture as picture_of
from fokkerplanck.verification.fields import write_solution
from fokkerplanck.verification.refinement import Refinement
from fokkerplanck.verification.summary import (
    further_radius,
    histories,
    limits,
    notes,
    parts,
    smoothed,
    statements,
    table_rows,
)


def run(study: Study, comm: MPI.Comm, progress: Progress, fields: Path | None = None) -> Results:
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
    refinement = Refinement(study, comm, progress)
    waiting = sorted(study.depths, reverse=True)
    discretisations = refinement.begin(waiting)
    measurements: dict[float, Measurement] = {}
    constants: dict[float, ExplicitConstants] = {}
    decays: tuple[Decay, ...] = ()
    further_radii: tuple[FurtherRadius, ...] = ()
    picture: GridFunctions | None = None
    for depth in progress.track(waiting, "depths"):
        measurement, solutions = measured(discretisations, depth, study.tolerance, progress)
        while what := {
            number.dominant for number in inaccurate(measurement, study.tolerance).values()
        }:
            if (better := refinement.refine([N for N in waiting if depth >= N], what)) is None:
                break
            discretisations = better
            measurement, solutions = measured(discretisations, depth, study.tolerance, progress)
        measurements[depth] = measurement
        constants[depth] = explicit_constants(discretisations[0], depth)
        if depth == waiting[0]:
            with progress.stage("measure"):
                decays = _decays(solutions, measurement)
            with progress.stage("pictures"):
                picture = picture_of(solutions[0])
            if fields is not None:
                write_solution(solutions[0], fields)
            further_radii = _starts(study, discretisations, depth, progress)
        # The factors of this depth make room for those of the next.
        del solutions
    measurements = smoothed(measurements)
    table = Results(table_rows(measurements, study))
    return dataclasses.replace(
        table,
        checks=(
            *check_bounds(table.rows, constants, study.tolerance),
            *(check_further_radius(further_radius) for further_radius in further_radii),
        ),
        notes=(
            *notes(study, discretisations[0], measurements[waiting[0]], constants[waiting[0]]),
            *limits(measurements, study.tolerance),
        ),
        statements=statements(table, constants),
        decays=decays,
        further_radii=further_radii,
        histories=histories(measurements),
        picture=picture,
        parts=parts(measurements),
    )


def _decays(
    solutions: tuple[PairSolution, PairSolution], measurement: Measurement
) -> tuple[Decay, ...]:
    """The annulus law at several times, of which the last has been measured. Collective."""
    fine, coarse = solutions
    problem, annuli = fine.discretisation.problem, fine.discretisation.space.domain.annuli
    numbers = [density_numbers(fine, coarse, time) for time in problem.output_times[:-1]]
    return tuple(decay(part, annuli, problem) for part in (*numbers, measurement.density_l1))


def _starts(
    study: Study,
    discretisations: tuple[Discretisation, Discretisation],
    depth: float,
    progress: Progress,
) -> tuple[FurtherRadius, ...]:
    """The sharp constants for the further radii of p_0. Collective."""
    found = []
    for initial in study.further_initials:
        others = (
            discretisations[0].starting_from(initial),
            discretisations[1].starting_from(initial),
        )
        measurement, _ = measured(others, depth, study.tolerance, progress)
        found.append(further_radius(initial, measurement, explicit_constants(others[0], depth)))
    return tuple(found)

"""The driver: from a study to the table of measured bounds."""

import dataclasses
import math

from mpi4py import MPI

from fokkerplanck.checks import NEGLIGIBLE, check_bounds
from fokkerplanck.constants import ExplicitConstants, explicit_constants
from fokkerplanck.ladder import Ladder
from fokkerplanck.level import Level
from fokkerplanck.measurement import Measurement, Number, Solution, measure
from fokkerplanck.progress import Progress
from fokkerplanck.results import Row, Table
from fokkerplanck.study import Study


def run(study: Study, comm: MPI.Comm, progress: Progress) -> Table:
    """Measure all bounds of a study. Collective.

    The sharp limit comes first, then the depths from large to small. A depth whose numbers miss the
    accuracy is measured again at the next resolution, with which shallower ones then begin: small
    depths differ most from the limit and are the hardest.

    Raises:
        StudyError: the study asks for what cannot be computed; the message says what to change.
    """
    ladder = Ladder(study, comm, progress)
    waiting = sorted(study.depths, reverse=True)
    levels = ladder.climb(waiting)
    assert levels is not None
    measurements: dict[float, Measurement] = {}
    constants: dict[float, ExplicitConstants] = {}
    for depth in progress.track(waiting, "depths"):
        while True:
            with progress.stage("solve"):
                solutions = [Solution.compute(level, depth) for level in levels]
            with progress.stage("measure"):
                measurements[depth] = measure(*solutions)
            if _is_met(measurements[depth], study.tolerance):
                break
            if (higher := ladder.climb([N for N in waiting if depth >= N])) is None:
                break
            levels = higher
        constants[depth] = explicit_constants(levels[0], depth)
    rows = _rows(_smoothed(measurements), study)
    checks = check_bounds(rows, constants, study.tolerance)
    return Table(rows, checks, _notes(study, levels[0]))


def _is_met(measurement: Measurement, tolerance: float) -> bool:
    """Whether (C) and (D) are as accurate as asked, and (A) and (B) relative to (C)."""
    numbers = measurement.density_l1.values()
    scale = tolerance * measurement.density_l1[""].value
    return all(
        number.uncertainty <= tolerance * number.value
        for number in numbers
        if number.value > NEGLIGIBLE
    ) and all(number.uncertainty <= scale for number in (measurement.mean, measurement.risk))


def _smoothed(measurements: dict[float, Measurement]) -> dict[float, Measurement]:
    """Give each number the largest relative distance of the two levels among neighbouring depths.

    The distance changes sign somewhere between depths, and is small there by accident.
    """
    depths = sorted(measurements)
    smoothed = {}
    for i, depth in enumerate(depths):
        around = [measurements[N].density_l1 for N in depths[max(i - 1, 0) : i + 2]]
        own = measurements[depth].density_l1
        smoothed[depth] = dataclasses.replace(
            measurements[depth],
            density_l1={
                label: _with_space_part(number, [numbers[label] for numbers in around])
                for label, number in own.items()
            },
        )
    return smoothed


def _with_space_part(number: Number, neighbours: list[Number]) -> Number:
    relative = max(other.parts["space"] / other.value for other in neighbours if other.value > 0)
    space = max(number.parts["space"], relative * number.value)
    return dataclasses.replace(number, parts={**number.parts, "space": space})


def _rows(measurements: dict[float, Measurement], study: Study) -> tuple[Row, ...]:
    """The table's rows: the norm of p_0, then the numbers depth by depth."""
    norm = study.initial.l2_norm
    rows = [Row("p0_l2", "", math.inf, 0.0, norm, 1e-12 * norm, 1.0, 1e-12)]
    for depth, measurement in sorted(measurements.items()):
        factor = 1.0 if math.isinf(depth) else depth
        for (quantity, annulus), number in measurement.bounds.items():
            rows.append(
                Row(
                    quantity,
                    annulus,
                    depth,
                    number.time,
                    number.value / factor,
                    number.uncertainty / factor,
                    number.value / norm,
                    number.uncertainty / norm,
                )
            )
        for quantity, number in measurement.properties.items():
            scaled = [factor * x / norm for x in (number.value, number.uncertainty)]
            rows.append(
                Row(quantity, "", depth, number.time, number.value, number.uncertainty, *scaled)
            )
    return tuple(rows)


def _notes(study: Study, level: Level) -> tuple[str, ...]:
    """What a reader of the table should know."""
    space = level.space
    cells = space.domain.mesh.topology.index_map(space.domain.dimension).size_global
    notes = [
        f"finest resolution: degree {space.degree} on {cells} cells, {space.num_unknowns} unknowns,"
        f" ball of radius {space.domain.recipe.radius:.3g}"
    ]
    if not study.network.is_smooth:
        notes.append(
            "the network has kinks: the theory's smoothness assumption does not hold, and the order"
            " that is seen above need not be 1"
        )
    if study.cap.kind == "none":
        notes.append("without a cap the bounds (A)-(D) are not proven")
    return tuple(notes)

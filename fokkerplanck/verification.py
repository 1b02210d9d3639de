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

#: Krylov vectors that are added when they limit the accuracy.
_MORE_VECTORS = 10

#: They must have halved the error after so many additions.
_PATIENCE = 3

#: What the parts of an uncertainty stand for.
LIMITS = {
    "space": "the resolution of the mesh",
    "krylov": "the Krylov space, where rounding ends its convergence",
    "quadrature": "the integration over the cells where the sign changes",
    "truncation": "the end of the ball",
    "risk": "the integration of the Neural ODE and the depth expansion",
    "rounding": "rounding",
}


def run(study: Study, comm: MPI.Comm, progress: Progress) -> Table:
    """Measure all bounds of a study. Collective.

    The sharp limit comes first, then the depths from large to small. A depth whose numbers miss the
    accuracy is measured again with what limits it improved, and so the shallower ones then begin:
    small depths differ most from the limit and are the hardest.

    Raises:
        StudyError: the study asks for what cannot be computed; the message says what to change.
    """
    ladder = Ladder(study, comm, progress)
    waiting = sorted(study.depths, reverse=True)
    levels = ladder.begin(waiting)
    measurements: dict[float, Measurement] = {}
    constants: dict[float, ExplicitConstants] = {}
    for depth in progress.track(waiting, "depths"):
        measurement = _measured(levels, depth, study.tolerance, progress)
        while limits := {number.limit for number in unmet(measurement, study.tolerance).values()}:
            if (better := ladder.climb([N for N in waiting if depth >= N], limits)) is None:
                break
            levels = better
            measurement = _measured(levels, depth, study.tolerance, progress)
        measurements[depth] = measurement
        constants[depth] = explicit_constants(levels[0], depth)
    measurements = _smoothed(measurements)
    rows = _rows(measurements, study)
    checks = check_bounds(rows, constants, study.tolerance)
    return Table(rows, checks, (*_notes(study, levels[0]), *_limits(measurements, study.tolerance)))


def _measured(
    levels: tuple[Level, Level], depth: float, tolerance: float, progress: Progress
) -> Measurement:
    """Measure one depth, with larger Krylov spaces as long as they help. Collective."""
    with progress.stage("solve"):
        fine, coarse = (Solution.compute(level, depth) for level in levels)
    sums = [math.inf] * _PATIENCE
    while True:
        with progress.stage("measure"):
            measurement = measure(fine, coarse)
        excess = [
            number.uncertainty
            for number in unmet(measurement, tolerance).values()
            if number.limit == "krylov"
        ]
        # Rounding ends the convergence, which is geometric before, but not steady.
        if not excess or sum(excess) > 0.5 * sums[-_PATIENCE]:
            return measurement
        sums.append(sum(excess))
        with progress.stage("solve"):
            larger = fine.extended(_MORE_VECTORS), coarse.extended(_MORE_VECTORS)
        if larger[0] is None or larger[1] is None:
            return measurement
        fine, coarse = larger[0], larger[1]


def unmet(measurement: Measurement, tolerance: float) -> dict[tuple[str, str], Number]:
    """Numbers that are less accurate than asked, by quantity and annulus.

    (C) and (D) are to be accurate relative to themselves, (A) and (B) relative to (C).
    """
    scale = measurement.density_l1[""].value
    return {
        (quantity, annulus): number
        for (quantity, annulus), number in measurement.bounds.items()
        if number.value > NEGLIGIBLE or quantity != "density_l1"
        if number.uncertainty > tolerance * (number.value if quantity == "density_l1" else scale)
    }


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


def _limits(measurements: dict[float, Measurement], tolerance: float) -> list[str]:
    """What keeps numbers from being as accurate as asked."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for depth, measurement in measurements.items():
        for name, number in unmet(measurement, tolerance).items():
            found.setdefault((*name, number.limit), []).append(depth)
    return [
        f"{quantity}{annulus and f' in {annulus}'} is less accurate than asked for "
        f"{len(depths)} of {len(measurements)} depths, limited by {LIMITS[limit]}"
        for (quantity, annulus, limit), depths in found.items()
    ]


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

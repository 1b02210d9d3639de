"""From measurements to the table: rows, statements, and notes on what limits the accuracy."""

import dataclasses
import math
from collections.abc import Mapping

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.difference.measurement import Measurement
from fokkerplanck.difference.number import Number
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.study import Study
from fokkerplanck.study.results import FurtherRadius, History, Results, Row, SharpConstant
from fokkerplanck.verification.accuracy import coincide, inaccurate
from fokkerplanck.verification.checks import EXPLICIT, ratio
from fokkerplanck.verification.convergence import fitted_rate, second_coefficient
from fokkerplanck.verification.explicit_constants import ExplicitConstants

#: What the parts of an uncertainty stand for.
LIMITS = {
    "space": "the resolution of the mesh",
    "krylov": "the Krylov space, where rounding ends its convergence",
    "quadrature": "the integration over the cells where the sign changes",
    "truncation": "the end of the ball",
    "risk": "the integration of the Neural ODE and the depth expansion",
    "rounding": "rounding",
    "sampling": "what the potentials do between the points where they are looked at",
}


def smoothed(measurements: Mapping[float, Measurement]) -> dict[float, Measurement]:
    """Give each number the largest relative distance of both discretisations among neighbours.

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
    ratios = (other.parts["space"] / other.value for other in neighbours if other.value > 0)
    relative = max(ratios, default=0.0)
    space = max(number.parts["space"], relative * number.value)
    return dataclasses.replace(number, parts={**number.parts, "space": space})


def table_rows(measurements: Mapping[float, Measurement], study: Study) -> tuple[Row, ...]:
    """The table's rows: the norm of p_0, then the numbers depth by depth."""
    norm, error = study.initial.l2_norm, study.initial.l2_norm_error
    rows = [Row("p0_l2", "", math.inf, 0.0, norm, error, 1.0, error / norm)]
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


def sharp_constants(
    table: Results, constants: Mapping[float, ExplicitConstants]
) -> tuple[SharpConstant, ...]:
    """What is found about each bound; without the limit there is no sharp constant."""
    found = []
    for heading, curve in table.bounds():
        deepest = curve[max(curve)]
        quantity = EXPLICIT.get(heading, "density_l1")
        ratios = [ratio(row.scaled, getattr(constants[N], quantity)) for N, row in curve.items()]
        limit = curve.get(math.inf)
        found.append(
            SharpConstant(
                heading,
                None if limit is None else limit.scaled,
                None if limit is None else limit.scaled_uncertainty,
                fitted_rate(curve),
                second_coefficient(curve),
                getattr(constants[deepest.depth], quantity),
                max(ratios),
            )
        )
    return tuple(found)


def further_radius(
    initial: InitialDensity, measurement: Measurement, constants: ExplicitConstants
) -> FurtherRadius:
    """N·(left side) from one initial density, divided by its norm."""
    norm = initial.l2_norm
    names = {("density_l1", ""): "(C)", ("mean", ""): "(A)", ("risk", ""): "(B)", ("l1", ""): "L¹"}
    found = {
        names.get(name) or (name[1] if name[1] == "core" else f"D_{name[1]}"): number
        for name, number in measurement.bounds.items()
    }
    return FurtherRadius(
        initial.radius,
        norm,
        measurement.depth,
        {name: (number.value / norm, number.uncertainty / norm) for name, number in found.items()},
        {
            name: ratio(found[name].value / norm, getattr(constants, quantity))
            for name, quantity in EXPLICIT.items()
        },
    )


def histories(measurements: Mapping[float, Measurement]) -> tuple[History, ...]:
    """Curves behind the suprema of (A) and (B) for the smallest, a middle and the largest depth."""
    depths = sorted(measurements)
    return tuple(
        History(bound, depth, *number.history)
        for depth in dict.fromkeys((depths[0], depths[len(depths) // 2], depths[-1]))
        for bound, number in (("(A)", measurements[depth].mean), ("(B)", measurements[depth].risk))
        if number.history is not None
    )


def parts(
    measurements: Mapping[float, Measurement],
) -> dict[tuple[str, str, float], dict[str, float]]:
    """Parts of the uncertainty of N·(left side), by quantity, annulus and depth."""
    return {
        (*name, depth): number.parts
        for depth, measurement in sorted(measurements.items())
        for name, number in measurement.bounds.items()
    }


def limits(measurements: Mapping[float, Measurement], tolerance: float) -> tuple[str, ...]:
    """What keeps numbers from being as accurate as asked."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for depth, measurement in measurements.items():
        for name, number in inaccurate(measurement, tolerance).items():
            found.setdefault((*name, number.dominant), []).append(depth)
    return tuple(
        f"{quantity}{annulus and f' in {annulus}'} is less accurate than asked for "
        f"{len(depths)} of {len(measurements)} depths, limited by {LIMITS[limit]}"
        for (quantity, annulus, limit), depths in found.items()
    )


def notes(
    study: Study,
    discretisation: Discretisation,
    measurements: Mapping[float, Measurement],
    constants: ExplicitConstants,
) -> tuple[str, ...]:
    """What a reader of the table should know; the constants are those of the largest depth."""
    deepest = measurements[max(measurements)]
    space = discretisation.space
    cells = space.domain.mesh.topology.index_map(space.domain.dimension).size_global
    found = [
        f"finest resolution: degree {space.degree} on {cells} cells, {space.num_unknowns} unknowns,"
        f" ball of radius {space.domain.recipe.radius:.3g}",
        f"linear systems: {discretisation.unperturbed.description}",
    ]
    # Gradients that jump have no one-sided Lipschitz constant that Gauss points would see.
    if study.network.is_smooth and study.cap.kind != "hard" and math.isfinite(constants.path):
        found.append(
            f"with the same noise sup_t |θ_t − θ^N_t| ≤ {constants.path:.4g}/N, almost surely"
        )
    if not study.network.is_smooth:
        found.append(
            "the network has kinks: the theory's smoothness assumption does not hold, and the order"
            " that is seen above need not be 1"
        )
    if math.isfinite(max(measurements)):
        found.append(
            "without depths.limit = true no sharp constant c* is known, nor whether N·value settles"
        )
    same = [N for N, measurement in measurements.items() if coincide(measurement)]
    if same:
        found.append(
            f"p and p^N are the same for {len(same)} of {len(measurements)} depths: there "
            f"∇(V − V_N) is zero up to rounding"
        )
    elif deepest.mean.value <= deepest.mean.uncertainty:
        found.append("(A) is zero up to its uncertainty, as for a potential and p0 that are even")
    if study.cap.kind == "none":
        found.append("without a cap the bounds (A)-(D) are not proven")
    return tuple(found)

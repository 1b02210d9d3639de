"""Whether measured numbers obey the bounds, settle as N grows, and are as accurate as asked."""

import math
from collections.abc import Mapping, Sequence

from fokkerplanck.study.results import Check, FurtherRadius, Results, Row
from fokkerplanck.verification.convergence import (
    NEGLIGIBLE,
    extrapolated,
    fitted_distances,
    fitted_rate,
    vanishes,
)
from fokkerplanck.verification.explicit_constants import ExplicitConstants

#: Quantities that have an explicit constant of the same name, by heading.
EXPLICIT = {"(A)": "mean", "(B)": "risk", "(C)": "density_l1", "L¹": "l1"}

#: N·value must approach its limit at least like N to the power of minus this.
LEAST_ORDER = 0.5

#: An extrapolation contradicts the limit if it misses it by more than so many times its error.
_CONTRADICTION = 3.0


def check_bounds(
    rows: Sequence[Row], constants: Mapping[float, ExplicitConstants], tolerance: float
) -> tuple[Check, ...]:
    """All checks of a study.

    Args:
        rows: the measured numbers.
        constants: explicit constants by depth.
        tolerance: relative uncertainty asked for in (C) and (D).
    """
    table = Results(tuple(rows))
    return (
        *_explicit_checks(table, constants),
        *_rate_checks(table),
        accuracy_check(table, tolerance),
    )


def check_further_radius(start: FurtherRadius) -> Check:
    """Whether the bounds in ‖p_0‖_2 hold for another initial radius."""
    largest = max(start.ratios, key=lambda heading: start.ratios[heading])
    return Check(
        name=f"radius {start.radius:g} of p_0",
        holds=start.ratios[largest] <= 1.0,
        detail=f"measured/explicit at most {start.ratios[largest]:.3g} ({largest})",
    )


def accuracy_check(table: Results, tolerance: float) -> Check:
    """Whether every number of (C) and (D) that is not negligible is as accurate as asked."""
    same = coinciding(table)
    rows = [
        r
        for r in table.rows
        if r.quantity == "density_l1" and r.value > NEGLIGIBLE and r.depth not in same
    ]
    if not rows:
        largest = max(row.scaled_uncertainty for row in table.curve("density_l1").values())
        return Check("accuracy", True, f"N·(C)/‖p0‖₂ is zero up to {largest:.1e}")
    worst = max(rows, key=lambda row: row.uncertainty / row.value)
    relative = worst.uncertainty / worst.value
    return Check(
        name="accuracy",
        holds=relative <= tolerance,
        detail=f"largest relative uncertainty {relative:.1e} (region {worst.annulus or 'all'}, "
        f"N = {worst.depth:g}), asked {tolerance:.1e}",
    )


def coinciding(table: Results) -> set[float]:
    """Depths at which p and p^N are the same up to rounding."""
    rows = table.curve("density_l1")
    factors = {N: 1.0 if math.isinf(N) else N for N in rows}
    return {
        N for N, r in rows.items() if vanishes(factors[N] * r.value, factors[N] * r.uncertainty)
    }


def _explicit_checks(table: Results, constants: Mapping[float, ExplicitConstants]) -> list[Check]:
    """Compare the measured numbers with their explicit constants at every depth."""
    checks = []
    for heading, quantity in EXPLICIT.items():
        rows = table.curve(quantity)
        bounds = {N: getattr(constants[N], quantity) for N in rows}
        ratios = {N: ratio(row.scaled, bounds[N]) for N, row in rows.items()}
        largest = max(ratios, key=lambda N: ratios[N])
        checks.append(
            Check(
                name=f"{heading} explicit constant",
                holds=all(r.scaled - r.scaled_uncertainty <= bounds[N] for N, r in rows.items()),
                detail=f"measured/explicit at most {ratios[largest]:.3g} (N = {largest:g})",
            )
        )
    return checks


def ratio(value: float, bound: float) -> float:
    """Measured ÷ explicit; 0 where nothing is measured, even if nothing is allowed."""
    if value == 0.0:
        return 0.0
    return value / bound if bound > 0.0 else math.inf


def _rate_checks(table: Results) -> list[Check]:
    """Whether N·value tends to the sharp constant, with the order that is seen."""
    found = (settling(heading, rows) for heading, rows in table.bounds())
    return [check for check in found if check is not None]


def settling(heading: str, rows: Mapping[float, Row]) -> Check | None:
    """Whether N·value tends to the sharp constant; None where no order can be seen.

    It does if distances fall fast enough, beyond doubt. Depths that are not in the asymptotic
    regime yet decide nothing, and neither way: what they extrapolate to has a large error. It does
    not if they extrapolate to something else.
    """
    rate, limit, gaps = fitted_rate(rows), rows.get(math.inf), list(fitted_distances(rows))
    reached = extrapolated(rows)
    if rate is None or limit is None or reached is None:
        return None
    order = (
        f"|N·value − c*| goes like N^{-rate.value:+.3f} ± {rate.error:.3f} over "
        f"N = {gaps[0]:g}..{gaps[-1]:g}"
    )
    name, rule = f"{heading} settles", f"at least N^-{LEAST_ORDER:g} is asked"
    doubt = 2.0 * rate.error
    if rate.value + doubt >= LEAST_ORDER and rate.value - doubt > 0.0:
        return Check(name, True, f"{order}; {rule}")
    distance = abs(reached.value - limit.scaled)
    error = reached.error + limit.scaled_uncertainty
    text = (
        f"the depths extrapolate to {reached.value:.6g} ± {reached.error:.1g}, "
        f"c* = {limit.scaled:.6g}; {order}; {rule}"
    )
    if distance > _CONTRADICTION * error:
        return Check(name, False, text)
    return Check(name, None, f"not yet asymptotic: {text}")

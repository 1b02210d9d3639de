"""Whether measured numbers obey the bounds, settle as N grows, and are as accurate as asked."""

from collections.abc import Mapping, Sequence

from fokkerplanck.study.results import Check, FurtherRadius, Results, Row
from fokkerplanck.verification.convergence import NEGLIGIBLE, fitted_rate
from fokkerplanck.verification.explicit_constants import ExplicitConstants

#: Quantities that have an explicit constant of the same name, by heading.
EXPLICIT = {"(A)": "mean", "(B)": "risk", "(C)": "density_l1", "L¹": "l1"}

#: N·value must approach its limit at least like N to the power of minus this.
LEAST_ORDER = 0.5


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
    rows = [r for r in table.rows if r.quantity == "density_l1" and r.value > NEGLIGIBLE]
    if not rows:
        return Check("accuracy", holds=True, detail="all numbers are negligible")
    worst = max(rows, key=lambda row: row.uncertainty / row.value)
    relative = worst.uncertainty / worst.value
    return Check(
        name="accuracy",
        holds=relative <= tolerance,
        detail=f"largest relative uncertainty {relative:.1e} (region {worst.annulus or 'all'}, "
        f"N = {worst.depth:g}), asked {tolerance:.1e}",
    )


def _explicit_checks(table: Results, constants: Mapping[float, ExplicitConstants]) -> list[Check]:
    """Compare the measured numbers with their explicit constants at every depth."""
    checks = []
    for heading, quantity in EXPLICIT.items():
        rows = table.curve(quantity)
        bounds = {N: getattr(constants[N], quantity) for N in rows}
        largest = max(rows, key=lambda N: rows[N].scaled / bounds[N])
        checks.append(
            Check(
                name=f"{heading} explicit constant",
                holds=all(r.scaled - r.scaled_uncertainty <= bounds[N] for N, r in rows.items()),
                detail=f"measured/explicit at most {rows[largest].scaled / bounds[largest]:.3g} "
                f"(N = {largest:g})",
            )
        )
    return checks


def _rate_checks(table: Results) -> list[Check]:
    """Whether N·value tends to the sharp constant, with the order that is seen."""
    checks = []
    for heading, rows in table.bounds():
        rate = fitted_rate(rows)
        if rate is not None:
            checks.append(
                Check(
                    name=f"{heading} settles",
                    holds=rate.value + 2.0 * rate.error >= LEAST_ORDER,
                    detail=f"|N·value − c*| falls like N^-{rate.value:.3f} ± {rate.error:.3f}",
                )
            )
    return checks

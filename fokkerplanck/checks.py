"""Whether measured numbers obey the bounds, settle as N grows, and are as accurate as asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fokkerplanck.constants import ExplicitConstants
from fokkerplanck.results import Check, Row, Table

#: Numbers below this need not meet the accuracy.
NEGLIGIBLE = 1e-30

#: N·value must approach its limit at least like N to the power of minus this.
LEAST_ORDER = 0.5

_FEWEST_DEPTHS = 3


@dataclass(frozen=True)
class Rate:
    """Fitted order of ``|N·value − c*| ~ N^{−order}`` with its standard error."""

    order: float
    error: float


def check_bounds(
    rows: Sequence[Row], constants: Mapping[float, ExplicitConstants], tolerance: float
) -> tuple[Check, ...]:
    """All checks of a study.

    Args:
        rows: the measured numbers.
        constants: explicit constants by depth.
        tolerance: relative uncertainty asked for in (C) and (D).
    """
    table = Table(tuple(rows))
    return (
        *_explicit_checks(table, constants),
        *_rate_checks(table),
        accuracy_check(table, tolerance),
    )


def accuracy_check(table: Table, tolerance: float) -> Check:
    """Whether every number of (C) and (D) that is not negligible is as accurate as asked."""
    rows = [r for r in table.rows if r.quantity == "density_l1" and r.value > NEGLIGIBLE]
    worst = max(rows, key=lambda row: row.uncertainty / row.value)
    relative = worst.uncertainty / worst.value
    return Check(
        name="accuracy",
        holds=relative <= tolerance,
        detail=f"largest relative uncertainty {relative:.1e} (region {worst.annulus or 'all'}, "
        f"N = {worst.depth:g}), asked {tolerance:.1e}",
    )


def _explicit_checks(table: Table, constants: Mapping[float, ExplicitConstants]) -> list[Check]:
    """Compare (A), (B) and (C) with their explicit constants at every depth."""
    checks = []
    for letter, quantity in (("A", "mean"), ("B", "risk"), ("C", "density_l1")):
        rows = table.curve(quantity)
        ratios = {N: row.scaled / getattr(constants[N], quantity) for N, row in rows.items()}
        proven = {
            N: row.scaled - row.scaled_uncertainty <= getattr(constants[N], quantity)
            for N, row in rows.items()
        }
        largest = max(ratios, key=lambda N: ratios[N])
        checks.append(
            Check(
                name=f"({letter}) explicit constant",
                holds=all(proven.values()),
                detail=f"measured/explicit at most {ratios[largest]:.3g} (N = {largest:g})",
            )
        )
    return checks


def _rate_checks(table: Table) -> list[Check]:
    """Whether N·value tends to the sharp constant, with the order that is seen."""
    checks = []
    for heading, rows in table.bounds():
        rate = fitted_rate(rows)
        if rate is not None:
            checks.append(
                Check(
                    name=f"{heading} settles",
                    holds=rate.order + 2.0 * rate.error >= LEAST_ORDER,
                    detail=f"|N·value − c*| falls like N^-{rate.order:.3f} ± {rate.error:.3f}",
                )
            )
    return checks


def fitted_rate(rows: Mapping[float, Row]) -> Rate | None:
    """Order at which N·value approaches the row at infinite depth.

    Depths whose distance to the limit is not three times its uncertainty are left out, and so is
    the shallower half, where higher powers of 1/N matter. None where fewer than three remain, or
    where there is no limit.
    """
    limit = rows.get(math.inf)
    if limit is None or limit.value <= NEGLIGIBLE:
        return None
    finite = {N: row for N, row in rows.items() if math.isfinite(N)}
    distances = {N: abs(row.scaled - limit.scaled) for N, row in finite.items()}
    gaps = {
        N: distances[N]
        for N, row in finite.items()
        if distances[N] > 3.0 * (row.scaled_uncertainty + limit.scaled_uncertainty)
    }
    deepest = sorted(gaps)[-max(_FEWEST_DEPTHS, len(gaps) // 2) :]
    if len(deepest) < _FEWEST_DEPTHS:
        return None
    x, y = np.log(deepest), np.log([gaps[N] for N in deepest])
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - slope * x - intercept
    spread = np.sum((x - x.mean()) ** 2)
    error = math.sqrt(np.sum(residual**2) / max(len(x) - 2, 1) / spread)
    return Rate(-float(slope), error)

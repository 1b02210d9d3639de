"""A table with the shape of real ones and numbers that are easy to check."""

import math

from fokkerplanck.study.results import (
    Check,
    Decay,
    Estimate,
    Fit,
    FurtherRadius,
    Results,
    Row,
    SharpConstant,
)

NORM = 0.8
LIMITS = {"": 0.07, "core": 0.05, "0": 0.02, "1": 1.25e-6}
DEPTHS = (1, 2, 4, math.inf)


def bound(quantity: str, annulus: str, depth: float, limit: float) -> Row:
    """A row whose scaled value is ``limit (1 + 0.3/N)``."""
    scaled = limit * (1 + 0.3 / depth)
    factor = NORM if math.isinf(depth) else NORM / depth
    error = 2e-5 * limit
    return Row(quantity, annulus, depth, 1.0, scaled * factor, error * factor, scaled, error)


def example(holds: bool = True) -> Results:
    """A table of depths 1, 2, 4 and the limit, with two annuli."""
    rows = [bound("density_l1", name, n, c) for n in DEPTHS for name, c in LIMITS.items()]
    rows += [bound(name, "", n, 0.3) for n in DEPTHS for name in ("mean", "risk", "l1")]
    rows += [Row("mass_defect", "", n, 1.0, -1e-15, 0.0, math.nan, math.nan) for n in DEPTHS]
    rows += [Row("density_min", "", n, 1.0, -1e-25, 0.0, math.nan, math.nan) for n in DEPTHS]
    rows += [Row("p0_l2", "", math.inf, 0.0, NORM, 1e-15, math.nan, math.nan)]
    checks = (Check("settles", holds, "N·(C) within 1e-6"), Check("mass", True, "1e-15"))
    return Results(
        tuple(rows),
        checks,
        ("a note with [brackets]",),
        statements=(
            SharpConstant(
                "(C)", 0.07, 3e-10, Estimate(1.002, 0.001), Estimate(0.021, 2e-6), 1.4, 0.065
            ),
            SharpConstant("(A)", 0.3, math.inf, None, None, math.inf, 0.0),
        ),
        decays=(
            Decay(0.25, (0.02, 1.25e-6), (1e-9, 1.0), (Fit("4^k", 0.5, 0.01, 0.2),), 0.3, ("1",)),
        ),
        further_radii=(FurtherRadius(0.5, 1.6, math.inf, {"(C)": (0.05, 1e-9)}, {"(C)": 0.03}),),
        parts={("density_l1", "", math.inf): {"space": 7e-10, "krylov": 7e-12}},
    )

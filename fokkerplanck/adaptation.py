"""Measuring one depth, with a Krylov space that grows until it is no longer what limits."""

import math

from fokkerplanck.level import Level
from fokkerplanck.measurement import Measurement, measure
from fokkerplanck.progress import Progress
from fokkerplanck.rates import NEGLIGIBLE
from fokkerplanck.solution import Number, Solution

#: Krylov vectors that are added when they limit the accuracy.
_MORE_VECTORS = 10

#: They must have halved the error after so many additions.
_PATIENCE = 3


def measured(
    levels: tuple[Level, Level], depth: float, tolerance: float, progress: Progress
) -> tuple[Measurement, tuple[Solution, Solution]]:
    """Measure one depth, with larger Krylov spaces as long as they help. Collective.

    Args:
        levels: the fine one and its companion.
        depth: N, or infinity for the sharp limit.
        tolerance: relative uncertainty asked for.
        progress: what to tell of the stages.

    Returns:
        The measurement, and the solutions on both levels that it was made from.
    """
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
            return measurement, (fine, coarse)
        sums.append(sum(excess))
        with progress.stage("solve"):
            larger = fine.extended(_MORE_VECTORS), coarse.extended(_MORE_VECTORS)
        if larger[0] is None or larger[1] is None:
            return measurement, (fine, coarse)
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

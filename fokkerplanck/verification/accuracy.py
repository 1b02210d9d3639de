"""Measuring one depth, with a Krylov space that grows until it is no longer what limits."""

import math

from fokkerplanck.difference.discretisation import COARSER_SHIFT, Discretisation
from fokkerplanck.difference.measurement import Measurement, measure
from fokkerplanck.difference.pair_solution import Number, PairSolution
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.verification.convergence import NEGLIGIBLE

#: Krylov vectors that are added when they limit the accuracy.
_MORE_VECTORS = 10

#: They must have halved the error after so many additions.
_PATIENCE = 3

#: Numbers too small to need the accuracy are told to this one if it takes Krylov vectors alone, and
#: down to this size.
_NEGLIGIBLE_ACCURACY, SMALLEST = 1e-3, 1e-220

#: For them bases grow to this part of shift times horizon, then by this part of themselves, and up
#: to this size, where exponentials take many seconds.
_LEAST, _LARGER, _LARGEST = 0.7, 0.2, 700


def measured(
    discretisations: tuple[Discretisation, Discretisation],
    depth: float,
    tolerance: float,
    progress: Progress,
) -> tuple[Measurement, tuple[PairSolution, PairSolution]]:
    """Measure one depth, with larger Krylov spaces as long as they help. Collective.

    Args:
        discretisations: the fine one and its coarse companion.
        depth: N, or infinity for the sharp limit.
        tolerance: relative uncertainty asked for.
        progress: what to tell of the stages.

    Returns:
        The measurement, and the solutions on both discretisations that it was made from.
    """
    with progress.stage("solve"):
        fine, coarse = (
            PairSolution.compute(discretisation, depth) for discretisation in discretisations
        )
    sums = [math.inf] * _PATIENCE
    while True:
        with progress.stage("measure"):
            measurement = measure(fine, coarse)
        numbers = list(inaccurate(measurement, tolerance).values())
        negligible = _negligible(measurement) if fine.dimension == 1 else []
        if not fine.uses_balls and (negligible or _dominated_by(numbers, "rounding")):
            fine, coarse = fine.in_ball_arithmetic(), coarse.in_ball_arithmetic()
            continue
        excess = [number.uncertainty for number in _dominated_by(numbers, "krylov")]
        # Rounding ends the convergence, which is geometric before, but not steady.
        if excess and sum(excess) <= 0.5 * sums[-_PATIENCE]:
            sums.append(sum(excess))
            steps = _MORE_VECTORS
        else:
            steps = _steps_for_negligible(fine, negligible)
        if not steps:
            return measurement, (fine, coarse)
        # the coarse one's shift is larger, so that it needs more of them.
        more = _MORE_VECTORS * math.ceil(steps * COARSER_SHIFT / _MORE_VECTORS)
        if not (fine.can_grow(steps) and coarse.can_grow(more)):
            return measurement, (fine, coarse)
        with progress.stage("solve"):
            fine, coarse = fine.extended(steps), coarse.extended(more)


def _steps_for_negligible(solution: PairSolution, negligible: list[Number]) -> int:
    """Krylov vectors to add for numbers far out, or 0.

    They need about as many as shift times horizon, the steps in which resolvents come to the
    horizon; before, the last change of a number far out tells nothing of its error.
    """
    size, steps = solution.pair.output.size, solution.discretisation.shift * solution.horizon
    helps = (negligible and size < steps) or _dominated_by(negligible, "krylov")
    if size >= _LARGEST or not helps:
        return 0
    wanted = max(_LEAST * steps, (1.0 + _LARGER) * size)
    return _MORE_VECTORS * math.ceil((min(wanted, _LARGEST) - size) / _MORE_VECTORS)


def _dominated_by(numbers: list[Number], part: str) -> list[Number]:
    """Those whose uncertainty is made of one part above all."""
    return [number for number in numbers if number.dominant == part]


def _negligible(measurement: Measurement) -> list[Number]:
    """Numbers of (D) that need no accuracy but are not known, and those not known at all."""
    return [
        number
        for number in measurement.density_l1.values()
        if number.value > SMALLEST
        and number.uncertainty
        > (_NEGLIGIBLE_ACCURACY if number.value <= NEGLIGIBLE else 1.0) * number.value
    ]


def inaccurate(measurement: Measurement, tolerance: float) -> dict[tuple[str, str], Number]:
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

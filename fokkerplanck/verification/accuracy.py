"""Measuring one depth, with a Krylov space that grows until it is no longer what limits."""

import math
from dataclasses import dataclass, field

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.difference.measurement import Measurement, measure
from fokkerplanck.difference.number import Number
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.problem.numerics import COARSER_SHIFT
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.verification.convergence import NEGLIGIBLE, VANISHING, vanishes

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


@dataclass(frozen=True)
class Basis:
    """The Krylov space of a solution, in numbers."""

    size: int  #: vectors
    steps: float  #: shift times horizon, in which resolvents come to the horizon
    uses_balls: bool  #: whether rounding far out has been dealt with
    resolves_far: bool  #: whether numbers that need no accuracy are to be known, too

    @classmethod
    def of(cls, solution: PairSolution) -> "Basis":
        """That of a solution; on the line unknowns cost nothing, so all is to be known."""
        steps = solution.discretisation.numerics.shift
        return cls(solution.pair.output.size, steps, solution.uses_balls, solution.dimension == 1)


@dataclass
class Growth:
    """Decides what of a Krylov space is improved, until it is no longer what limits.

    | dominant | remedy | cost |
    |---|---|---|
    | rounding, or far numbers unknown | coordinates in ball arithmetic, once | a small matrix |
    | krylov, as long as it helps | ten vectors | ten solves |
    | krylov, of numbers far out | as many as they take | many solves |
    """

    tolerance: float  #: relative uncertainty asked for
    sums: list[float] = field(default_factory=lambda: [math.inf] * _PATIENCE)

    def wants_balls(self, measurement: Measurement, basis: Basis) -> bool:
        """Whether coordinates should be computed in ball arithmetic."""
        if basis.uses_balls:
            return False
        numbers = list(inaccurate(measurement, self.tolerance).values())
        return bool(self._far(measurement, basis) or _dominated_by(numbers, "rounding"))

    def vectors(self, measurement: Measurement, basis: Basis) -> int:
        """How many Krylov vectors to add; none where they would be in vain."""
        numbers = list(inaccurate(measurement, self.tolerance).values())
        excess = sum(number.uncertainty for number in _dominated_by(numbers, "krylov"))
        # Rounding ends the convergence, which is geometric before, but not steady.
        if 0.0 < excess <= 0.5 * self.sums[-_PATIENCE]:
            self.sums.append(excess)
            return _MORE_VECTORS
        return _vectors_far_out(self._far(measurement, basis), basis)

    @staticmethod
    def _far(measurement: Measurement, basis: Basis) -> list[Number]:
        return _unknown(measurement) if basis.resolves_far else []


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
        fine, coarse = (PairSolution.compute(one, depth) for one in discretisations)
    growth = Growth(tolerance)
    while True:
        with progress.stage("measure"):
            measurement = measure(fine, coarse)
        if growth.wants_balls(measurement, Basis.of(fine)):
            fine, coarse = fine.in_ball_arithmetic(), coarse.in_ball_arithmetic()
            continue
        steps = growth.vectors(measurement, Basis.of(fine))
        # the coarse one's shift is larger, so that it needs more of them
        more = _MORE_VECTORS * math.ceil(steps * COARSER_SHIFT / _MORE_VECTORS)
        if not steps or not (fine.can_grow(steps) and coarse.can_grow(more)):
            return measurement, (fine, coarse)
        with progress.stage("solve"):
            fine, coarse = fine.extended(steps), coarse.extended(more)


def _vectors_far_out(unknown: list[Number], basis: Basis) -> int:
    """Krylov vectors to add for numbers far out, or 0.

    They need about as many as shift times horizon, the steps in which resolvents come to the
    horizon; before, the last change of a number far out tells nothing of its error.
    """
    helps = (unknown and basis.size < basis.steps) or _dominated_by(unknown, "krylov")
    if basis.size >= _LARGEST or not helps:
        return 0
    wanted = max(_LEAST * basis.steps, (1.0 + _LARGER) * basis.size)
    return _MORE_VECTORS * math.ceil((min(wanted, _LARGEST) - basis.size) / _MORE_VECTORS)


def _dominated_by(numbers: list[Number], part: str) -> list[Number]:
    """Those whose uncertainty is made of one part above all."""
    return [number for number in numbers if number.dominant == part]


def _unknown(measurement: Measurement) -> list[Number]:
    """Numbers of (D) that need no accuracy but are not known, and those not known at all."""
    return [
        number
        for number in measurement.density_l1.values()
        if number.value > SMALLEST
        and number.uncertainty
        > (_NEGLIGIBLE_ACCURACY if number.value <= NEGLIGIBLE else 1.0) * number.value
    ]


def coincide(measurement: Measurement) -> bool:
    """Whether p and p^N are the same up to rounding."""
    whole = measurement.density_l1[""]
    return vanishes(whole.value, whole.uncertainty)


def inaccurate(measurement: Measurement, tolerance: float) -> dict[tuple[str, str], Number]:
    """Numbers that are less accurate than asked, by quantity and annulus.

    (C) and (D) are to be accurate relative to themselves, (A) and (B) relative to (C). Where p and
    p^N are the same only (B) is left, which then is to be accurate relative to itself.
    """
    if coincide(measurement):
        risk, error = measurement.risk, measurement.risk.uncertainty
        missed = error > max(tolerance * risk.value, VANISHING)
        return {("risk", ""): risk} if missed else {}
    scale = measurement.density_l1[""].value
    return {
        (quantity, annulus): number
        for (quantity, annulus), number in measurement.bounds.items()
        if number.value > NEGLIGIBLE or quantity != "density_l1"
        if number.uncertainty > tolerance * (number.value if quantity == "density_l1" else scale)
    }

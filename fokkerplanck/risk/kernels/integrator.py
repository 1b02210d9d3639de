"""Adaptive integration of ``z' = g(z, θ)`` for a block of samples at once.

The work space ``w`` of a block is flat. With ``n`` states, its rows of ``block`` samples are the
states z (n rows), the slopes of the 13 stages (13 n), the states at the end of the step (n) and
the two error estimates (2 n).
"""

# mypy: disallow-untyped-defs=False

from typing import Final

import numpy as np
from numba import njit

from fokkerplanck.risk.kernels.dormand_prince import NUM_STAGES
from fokkerplanck.runtime.compiled import COMPILED, INLINED

END: Final = NUM_STAGES + 2  #: where the states at the end of a step stand in the work space
WORK_ROWS: Final = END + 3  #: rows of the work space per state

MAX_STEPS: Final = 20_000
# what a jump of the slope does within it is below rounding
SMALLEST_STEP: Final = 1e-15
FIRST_STEP: Final = 0.1
TINY: Final = 1e-300
# the result of order 8 is far better than the estimate of order 5 to 7 that controls it
SAFETY: Final = 10.0


def make_integrate(field, advance, square_sum):
    """Return ``integrate``, which moves the states of a block over a unit of time.

    Args:
        field: Leaf function ``field(theta, z, slopes)``.
        advance: Leaf function ``advance(theta, w, h)``, one step with its error estimates.
        square_sum: Leaf function ``square_sum(w, start)`` over one row of the work space.
    """
    local_error = make_local_error(square_sum)

    @njit(**INLINED)
    def integrate(theta, w, direction, first_step, tolerance, block):
        """Take steps that keep the local error below a tolerance.

        Args:
            theta: Parameters, shape ``(m,)``.
            w: Work space of the block; its states are moved.
            direction: 1.0 for forward and -1.0 for backward in time.
            first_step: Size of the first step that is tried.
            tolerance: Error to aim at, relative to each component.
            block: Samples per block.

        Returns:
            The time that was reached, below 1 where the trajectory blows up, and the last step.
        """
        size = w.size // WORK_ROWS
        time, step = 0.0, first_step
        field(theta, w[:size], w[size : 2 * size])
        for _ in range(MAX_STEPS):
            remaining = 1.0 - time
            h = remaining if step >= remaining else min(step, 0.5 * remaining)
            advance(theta, w, direction * h)
            error = local_error(w, size, block) / (SAFETY * tolerance)
            factor = 6.0 if error < 1e-7 else 0.9 * error**-0.125
            # at a kink sensitivities have jumps in their slopes, which no step is small enough for;
            # where a trajectory blows up, the next steps lead to infinity
            is_jump = h <= SMALLEST_STEP and error < np.inf
            if error <= 1.0 or is_jump:
                w[:size] = w[END * size : (END + 1) * size]
                w[size : 2 * size] = w[(END - 1) * size : END * size]
                if error <= 1.0:
                    step = max(h * min(6.0, factor), step if h < step else 0.0)
                if h >= remaining:
                    return 1.0, step
                time += h
            else:
                if h <= SMALLEST_STEP:
                    break
                step = h * max(0.1, factor) if error < np.inf else 0.1 * h
                step = max(step, SMALLEST_STEP)
        return time, step

    return integrate


def make_local_error(square_sum):
    """Return ``local_error(w, size, block)``, relative to the size of each component.

    Errors and sizes are root mean squares over the block; the size is that at either end of the
    step. The two embedded estimates e5 and e3 are joined to ``e5² / sqrt(e5² + e3²/100)``, of
    the order of the method [HNW93, II.10], and the largest over the components is returned. It is
    infinite where a state is not finite.

    Args:
        square_sum: Leaf function ``square_sum(w, start)`` over one row of the work space.
    """

    @njit(**COMPILED)
    def local_error(w, size, block):
        fifth, third = 0.0, 0.0
        for a in range(0, size, block):
            scale = TINY + square_sum(w, a) + square_sum(w, END * size + a)
            e5 = square_sum(w, (END + 1) * size + a) / scale
            e3 = square_sum(w, (END + 2) * size + a) / scale
            if not np.isfinite(e5 + e3):
                return np.inf
            fifth, third = max(fifth, e5), max(third, e3)
        return fifth / np.sqrt(fifth + 0.01 * third + TINY)

    return local_error

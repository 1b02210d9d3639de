"""Adaptive integration of ``z' = g(z, θ)`` for a block of samples at once."""

import numpy as np
from numba import njit

from fokkerplanck.risk.dormand_prince import ERRORS, NUM_STAGES, STAGES
from fokkerplanck.risk.functions import COMPILED

MAX_STEPS = 20_000
SMALLEST_STEP = 1e-10
FIRST_STEP = 0.1
TINY = 1e-300


@njit(**COMPILED)
def combine(z, slopes, row, h, out):
    """Set ``out = z + h Σ_k row[k] slopes[k]``, skipping zero coefficients."""
    for i in range(z.size):
        out[i] = z[i]
    for k in range(row.size):
        factor = h * row[k]
        if factor != 0.0:
            slope = slopes[k]
            for i in range(z.size):
                out[i] += factor * slope[i]


@njit(**COMPILED)
def estimate(z, trial, slopes, h, block, work):
    """Return the local error, the largest over components, relative to each component's size.

    The two embedded estimates e5 and e3 are joined to ``e5² / sqrt(e5² + e3²/100)``, of the
    order of the method [HNW93, II.10]. The size of a component is its largest absolute value in
    the block, at either end of the step.
    """
    fifth, third = 0.0, 0.0
    zero = work[0]
    zero[:] = 0.0
    combine(zero, slopes, ERRORS[0], h, work[1])
    combine(zero, slopes, ERRORS[1], h, work[2])
    for start in range(0, z.size, block):
        scale, e5, e3 = TINY, 0.0, 0.0
        for i in range(start, start + block):
            scale = max(scale, abs(z[i]), abs(trial[i]))
            e5 = max(e5, abs(work[1, i]))
            e3 = max(e3, abs(work[2, i]))
            if not np.isfinite(trial[i] + work[1, i] + work[2, i]):
                return np.inf
        fifth, third = max(fifth, e5 / scale), max(third, e3 / scale)
    if fifth == 0.0:
        return 0.0
    return fifth * fifth / np.sqrt(fifth * fifth + 0.01 * third * third)


def make_integrate(field):
    """Return ``integrate``, which moves the states of a block over a unit of time.

    Args:
        field: Leaf function ``field(theta, z, slopes)``.
    """

    @njit(**COMPILED)
    def integrate(theta, z, direction, first_step, tolerance, block, slopes, work):
        """Take steps that keep the local error below a tolerance.

        Args:
            theta: Parameters, shape ``(m,)``.
            z: States of the block, ``n`` rows of ``block`` samples, flat; overwritten.
            direction: 1.0 for forward and -1.0 for backward in time.
            first_step: Size of the first step that is tried.
            tolerance: Bound for the local error relative to each component.
            block: Samples per block.
            slopes: Work space, shape ``(13, n * block)``.
            work: Work space, shape ``(4, n * block)``.

        Returns:
            The time that was reached, below 1 where the trajectory blows up, and the last step.
        """
        time, step = 0.0, first_step
        trial = work[3]
        field(theta, z, slopes[0])
        for _ in range(MAX_STEPS):
            remaining = 1.0 - time
            h = remaining if step >= remaining else min(step, 0.5 * remaining)
            for s in range(1, NUM_STAGES):
                combine(z, slopes, STAGES[s, :s], direction * h, trial)
                field(theta, trial, slopes[s])
            combine(z, slopes, STAGES[NUM_STAGES], direction * h, trial)
            field(theta, trial, slopes[NUM_STAGES])
            error = estimate(z, trial, slopes, h, block, work) / tolerance
            factor = 6.0 if error < 1e-7 else 0.9 * error**-0.125
            if error <= 1.0:
                z[:] = trial
                slopes[0, :] = slopes[NUM_STAGES]
                step = max(h * min(6.0, factor), step if h < step else 0.0)
                if h >= remaining:
                    return 1.0, step
                time += h
            else:
                step = h * max(0.1, factor)
                if step < SMALLEST_STEP:
                    break
        return time, step

    return integrate

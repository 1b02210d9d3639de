"""Regula falsi with the Illinois modification, for kernels that evaluate their own function.

A bracket is two places between which the function changes sign, and its values there. The second
place is the newest one; where it does not move for a second time, the value at the first is halved,
lest one end of the bracket stay for ever.
"""

from numba import njit

from fokkerplanck.runtime.compiled import EXACT


@njit(**EXACT)
def secant(bracket):
    """Where the chord of a bracket ``(low, at_low, high, at_high)`` vanishes."""
    low, at_low, high, at_high = bracket
    return high - at_high * (high - low) / (at_high - at_low)


@njit(**EXACT)
def narrowed(bracket, x, at_x):
    """The bracket with its newest place at x, and the step from the one before."""
    low, at_low, high, at_high = bracket
    if (at_x > 0.0) == (at_high > 0.0):
        return (low, 0.5 * at_low, x, at_x), abs(x - high)
    return (high, at_high, x, at_x), abs(x - high)

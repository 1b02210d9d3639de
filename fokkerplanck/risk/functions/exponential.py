"""The exponential function and its quotients."""

import math
from typing import Final

from numba import njit

from fokkerplanck.risk.functions.bits import ROUND, ROUND_BITS, from_bits, scaled, to_bits
from fokkerplanck.risk.options import OPTIONS

LOG2_E: Final = 1.4426950408889634
LN2_HIGH: Final = 6.93147180369123816490e-01  # the low 21 bits are zero, so k times it is exact
LN2_LOW: Final = 1.90821492927058770002e-10
TWICE_LOG2_E: Final = 2 * LOG2_E
HALF_LN2_HIGH: Final = 0.5 * LN2_HIGH
HALF_LN2_LOW: Final = 0.5 * LN2_LOW


@njit(**OPTIONS)
def expm1_reduced(r):
    """Return ``exp(r) - 1`` for ``|r| <= ln(2)/2``, by a minimax polynomial of degree 11."""
    q = 2.510038549551032e-08
    q = q * r + 2.7620088445409746e-07
    q = q * r + 2.7557268459997064e-06
    q = q * r + 2.4801521295954376e-05
    q = q * r + 1.9841269863053618e-04
    q = q * r + 1.3888888917213717e-03
    q = q * r + 8.333333333330062e-03
    q = q * r + 4.166666666662413e-02
    q = q * r + 1.6666666666666669e-01
    q = q * r + 0.5
    return q * (r * r) + r


@njit(**OPTIONS)
def exp(x):
    """Return the exponential function, reduced to ``2^k`` times that of a small argument."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    return scaled(1.0 + expm1_reduced(r), to_bits(shifted) - ROUND_BITS)


@njit(**OPTIONS)
def tanh(x):
    """Return ``tanh(k ln(2)/2 + y) = ((s - 1) + (s + 1) T) / ((s + 1) + (s - 1) T)``.

    Here ``s = 2^k`` and ``T = tanh(y)`` for ``|y| <= ln(2)/4``, by a minimax polynomial of
    degree 13. For k = 0 the quotient is ``2 T / 2``, without rounding. For larger k the part 5/16,
    and later 1, is taken out of it, so that its rounding counts less.
    """
    a = abs(x)
    a = 22.0 if a > 22.0 else a
    shifted = a * TWICE_LOG2_E + ROUND
    k = shifted - ROUND
    y = (a - k * HALF_LN2_HIGH) - k * HALF_LN2_LOW
    z = y * y
    q = 0.0034637924300781496
    q = q * z - 0.008858927700294618
    q = q * z + 0.021869421627089054
    q = q * z - 0.053968253497737116
    q = q * z + 0.13333333333212213
    q = q * z - 0.3333333333333328
    t = y + y * (z * q)
    s = from_bits((to_bits(shifted) - ROUND_BITS + 1023) << 52)
    rest = 0.6875 if k > 0.5 else 1.0
    rest = 0.0 if k > 3.5 else rest
    u, v = rest * s, 2.0 - rest
    quotient = ((u - v) + (u + v) * t) / ((s + 1.0) + (s - 1.0) * t)
    return math.copysign((1.0 - rest) + quotient, x)


@njit(**OPTIONS)
def sigmoid(x):
    """Return ``1 / (1 + exp(-x))``, with the small exponential of the two on top for x < 0."""
    e = exp(-abs(x))
    total = 1.0 + e
    lost = e - (total - 1.0)
    quotient = (e if x < 0.0 else 1.0) / total
    inverse = 1.0 - quotient if x < 0.0 else quotient
    return quotient - quotient * inverse * lost

"""The exponential function and its quotients."""

import math
from typing import Final

from numba import njit

from fokkerplanck.risk.functions.bits import ROUND, ROUND_BITS, from_bits, scaled, to_bits
from fokkerplanck.runtime.compiled import OPTIONS

LOG2_E: Final = 1.4426950408889634
LN2_HIGH: Final = 6.93147180369123816490e-01  # the low 21 bits are zero, so k times it is exact
LN2_LOW: Final = 1.90821492927058770002e-10
TWICE_LOG2_E: Final = 2 * LOG2_E
HALF_LN2: Final = 0.34657359027997264
ONE_BITS: Final = 1023 << 52  # of the double 1


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
    """Return the exponential function."""
    return exp_parts(x, -0.0)


@njit(**OPTIONS)
def exp_parts(x, low):
    """Return ``exp(x + low)`` for small ``low``, as ``2^k`` times that of a small argument."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = ((x - k * LN2_HIGH) - k * LN2_LOW) + low
    return scaled(1.0 + expm1_reduced(r), to_bits(shifted) - ROUND_BITS)


@njit(**OPTIONS)
def tanh(x):
    """Return ``tanh(k ln(2)/2 + y) = c + ((3 - 1/s) T - c) / ((s - 1) T + (s + 1))``.

    Here ``s = 2^k``, ``c = 1 - 1/s``, and ``T = tanh(y)`` for ``-ln(2)/8 <= y <= 3 ln(2)/8``, by a
    minimax polynomial of degree 15. For k = 0 the result is ``2 T / 2``; the asymmetric range of y
    keeps the terms from cancelling for k = 1, and taking c out makes the quotient, whose rounding
    counts, small for larger k.
    """
    a = abs(x)
    a = 22.0 if a > 22.0 else a
    shifted = (a * TWICE_LOG2_E - 0.25) + ROUND
    y = a - (shifted - ROUND) * HALF_LN2
    z = y * y
    q = -0.0013077416796566026
    q = q * z + 0.0035764266853106786
    q = q * z - 0.008862363501568698
    q = q * z + 0.021869461808013205
    q = q * z - 0.05396825352923512
    q = q * z + 0.13333333332991099
    q = q * z - 0.3333333333333243
    t = y + (y * z) * q
    exponent = to_bits(shifted) << 52
    s, inverse = from_bits(ONE_BITS + exponent), from_bits(ONE_BITS - exponent)
    c = 1.0 - inverse
    return math.copysign(c + ((3.0 - inverse) * t - c) / ((s - 1.0) * t + (s + 1.0)), x)


@njit(**OPTIONS)
def sigmoid(x):
    """Return ``1 / (1 + exp(-x))``, with the small exponential of the two on top for x < 0."""
    e = exp(-abs(x))
    total = 1.0 + e
    lost = e - (total - 1.0)
    quotient = (e if x < 0.0 else 1.0) / total
    inverse = 1.0 - quotient if x < 0.0 else quotient
    return quotient - quotient * inverse * lost

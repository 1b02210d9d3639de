"""The bits of doubles, exact products and exact sums."""

from typing import Final

import numpy as np
from numba import njit

from fokkerplanck.runtime.compiled import EXACT, OPTIONS

ROUND: Final = 6755399441055744.0  # 1.5 * 2**52: adding and subtracting it rounds to an integer
ROUND_BITS: Final = 0x4338000000000000
SPLIT: Final = 134217729.0  # 2**27 + 1


@njit(**OPTIONS)
def from_bits(bits):
    """Return the double with the given 64 bits."""
    return np.int64(bits).view(np.float64)


@njit(**OPTIONS)
def to_bits(x):
    """Return the 64 bits of a double."""
    return np.float64(x).view(np.int64)


@njit(**OPTIONS)
def scaled(x, exponent):
    """Return ``x * 2**exponent`` for normal x, in two steps, so that subnormals round once."""
    half = exponent >> 1
    return (x * from_bits((half + 1023) << 52)) * from_bits((exponent - half + 1023) << 52)


@njit(**EXACT)
def product_error(a, b, product):
    """Return ``a b - product`` exactly, by Dekker's splitting; ``product`` is ``a * b`` rounded."""
    c, d = SPLIT * a, SPLIT * b
    a_high, b_high = c - (c - a), d - (d - b)
    a_low, b_low = a - a_high, b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit(**EXACT)
def sum_parts(a, b):
    """Return ``a + b`` rounded and its rounding error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)

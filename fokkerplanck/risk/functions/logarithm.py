"""The logarithm and what is built on it."""

import math
from typing import Final

import numpy as np
from numba import njit

from fokkerplanck.risk.functions.bits import from_bits, product_error, sum_parts, to_bits
from fokkerplanck.risk.functions.exponential import LN2_HIGH, LN2_LOW, exp, exp_parts
from fokkerplanck.runtime.compiled import OPTIONS

SMALLEST_NORMAL: Final = 2.2250738585072014e-308
LARGEST: Final = 1.7976931348623157e308
TWO_54: Final = 18014398509481984.0
SQRT_HALF_BITS: Final = 0x3FE6A09E667F3BCD  # of sqrt(1/2)
FRACTION_MASK: Final = 0x000FFFFFFFFFFFFF


@njit(**OPTIONS)
def log1p_reduced(f):
    """Return ``log(1 + f) - f`` for ``1 + f`` between 1/sqrt(2) and sqrt(2) [Sun's fdlibm]."""
    s = f / (2.0 + f)
    z = s * s
    q = 1.479819860511658591e-01
    q = q * z + 1.531383769920937332e-01
    q = q * z + 1.818357216161805012e-01
    q = q * z + 2.222219843214978396e-01
    q = q * z + 2.857142874366239149e-01
    q = q * z + 3.999999999940941908e-01
    q = q * z + 6.666666666666735130e-01
    half_square = 0.5 * f * f
    return s * (half_square + z * q) - half_square


@njit(**OPTIONS)
def log(x):
    """Return the natural logarithm as ``k ln 2 + ln(1 + f)``."""
    subnormal = x < SMALLEST_NORMAL
    bits = to_bits(x * TWO_54 if subnormal else x)
    # the fraction above sqrt(2) is halved, so that f stays small
    shifted = bits - SQRT_HALF_BITS
    k = shifted >> 52
    f = from_bits((shifted & FRACTION_MASK) + SQRT_HALF_BITS) - 1.0
    n = np.float64(k) - (54.0 if subnormal else 0.0)
    result = n * LN2_HIGH + (f + (log1p_reduced(f) + n * LN2_LOW))
    result = x if x == np.inf else result
    result = -np.inf if x == 0.0 else result
    return result if x >= 0.0 else np.nan


@njit(**OPTIONS)
def softplus(x):
    """Return ``log(1 + exp(x)) = max(x, 0) + log(1 + u)`` with ``u = exp(-|x|)``."""
    u = exp(-abs(x))
    halved = u > 0.41421356237309503
    f = 0.5 * (u - 1.0) if halved else u
    tail = LN2_HIGH + (f + (log1p_reduced(f) + LN2_LOW)) if halved else f + log1p_reduced(f)
    return tail if x < 0.0 else x + tail


@njit(**OPTIONS)
def log_parts(x):
    """Return ``log(x)`` in two parts, good to 1e-17, for positive normal finite x."""
    shifted = to_bits(x) - SQRT_HALF_BITS
    n = np.float64(shifted >> 52)
    f = from_bits((shifted & FRACTION_MASK) + SQRT_HALF_BITS) - 1.0
    high, low = sum_parts(n * LN2_HIGH, f)
    return sum_parts(high, low + (log1p_reduced(f) + n * LN2_LOW))


@njit(**OPTIONS)
def power(x, y):
    """Return ``x ** y`` to 2 ulp for ``|y| <= 8``, and to ``|y|/4`` ulp beyond, for finite y.

    The logarithm and its product with y are carried in two parts; subnormal x count as zero.
    """
    a = abs(x)
    high, low = log_parts(min(max(a, SMALLEST_NORMAL), LARGEST))
    product = high * y
    rest = product_error(high, y, product) + low * y
    value = exp_parts(product, rest)
    edge = a < SMALLEST_NORMAL or a > LARGEST
    # at zero and infinity only the signs of log(x) and y count
    limit = np.inf if (a > 1.0) == (y > 0.0) else 0.0
    value = limit if edge else value
    whole, odd = np.floor(y) == y, np.floor(0.5 * y) != 0.5 * y
    value = -value if math.copysign(1.0, x) < 0.0 and whole and odd else value
    value = np.nan if -np.inf < x < 0.0 and not whole else value
    value = value if x == x and y == y else np.nan
    return 1.0 if y == 0.0 else value

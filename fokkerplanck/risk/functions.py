"""Elementary functions that LLVM can vectorise: no branches, no calls, no tables.

Each is a scalar function, inlined into the sample loops of the kernels.
"""

import math
from typing import Any, Final

import numpy as np
from numba import njit

OPTIONS: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "fastmath": {"contract"},
    "forceinline": True,
}
EXACT: Final[dict[str, Any]] = {"error_model": "numpy", "forceinline": True}
COMPILED: Final[dict[str, Any]] = {"error_model": "numpy", "fastmath": {"contract"}}
REASSOCIATED: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc"},
}
INLINED: Final[dict[str, Any]] = {**COMPILED, "inline": "always"}
ENTRY: Final[dict[str, Any]] = {**COMPILED, "cache": True, "nogil": True}

LOG2_E: Final = 1.4426950408889634
LN2_HIGH: Final = 6.93147180369123816490e-01  # the low 21 bits are zero, so k times it is exact
LN2_LOW: Final = 1.90821492927058770002e-10
TWICE_LOG2_E: Final = 2 * LOG2_E
HALF_LN2_HIGH: Final = 0.5 * LN2_HIGH
HALF_LN2_LOW: Final = 0.5 * LN2_LOW
ROUND: Final = 6755399441055744.0  # 1.5 * 2**52: adding and subtracting it rounds to an integer
ROUND_BITS: Final = 0x4338000000000000
TWO_OVER_PI: Final = 0.6366197723675814
HALF_PI_1: Final = 1.5707963267341256
HALF_PI_2: Final = 6.077100506303966e-11
HALF_PI_3: Final = 2.0222662487111665e-21
HALF_PI_4: Final = 8.4784276603689e-32
WIDEST: Final = 1048576.0  # 2**20, up to which angles are reduced exactly
SPLIT: Final = 134217729.0  # 2**27 + 1
SMALLEST_NORMAL: Final = 2.2250738585072014e-308
TWO_54: Final = 18014398509481984.0
SQRT_HALF_BITS: Final = 0x3FE6A09E667F3BCD  # of sqrt(1/2)
FRACTION_MASK: Final = 0x000FFFFFFFFFFFFF
C0: Final = 0.45345520027112796
C0_LOW: Final = -1.1100382291250616e-17


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
def gaussian_ratio(t):
    """Return ``t q(t)`` such that ``0.4534... + t q(t) = (1 + a) Q(a) exp(a²/2)``.

    Here Q is the upper tail of the standard normal law, ``0 <= a <= 41`` and
    ``t = (a - 6) / (a + 6)``; the polynomial is minimax to 3e-18.
    """
    q = 1.5721659469029447e-09
    q = q * t + 2.9484043057991126e-09
    q = q * t - 1.5645557441395064e-08
    q = q * t - 2.004836927327461e-08
    q = q * t + 1.3236875723104058e-07
    q = q * t - 3.994523930871493e-10
    q = q * t - 9.99582033238338e-07
    q = q * t + 1.7837883259748471e-06
    q = q * t + 4.412394967738401e-06
    q = q * t - 2.635338265929732e-05
    q = q * t + 3.7794907076200445e-05
    q = q * t + 0.00011948965254445339
    q = q * t - 0.0008689946673296198
    q = q * t + 0.0029356555184863404
    q = q * t - 0.007059819420752868
    q = q * t + 0.013246864153950346
    q = q * t - 0.019766479220002863
    q = q * t + 0.022592467062786725
    q = q * t - 0.01614151733219569
    q = q * t - 0.004373386779593331
    q = q * t + 0.03981142456242979
    q = q * t - 0.08502536230577072
    return q * t


@njit(**OPTIONS)
def gaussian_tail(a):
    """Return the upper tail ``Q(a)`` of the standard normal law for ``0 <= a <= 41``.

    Rounding errors of the leading terms are carried along, so that the result is good to 0.6 ulp.

    Returns:
        The leading part, its correction and the power of two to multiply both with.
    """
    square = a * a
    x, x_low = -0.5 * square, -0.5 * product_error(a, a, square)
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = (x - k * LN2_HIGH) + (x_low - k * LN2_LOW)
    e = expm1_reduced(r)
    p, p_low = sum_parts(1.0, e)
    g, g_low = sum_parts(C0, gaussian_ratio((a - 6.0) / (a + 6.0)))
    d, d_low = sum_parts(a, 1.0)
    top = p * g
    top_low = product_error(p, g, top) + (p * (g_low + C0_LOW) + p_low * g)
    inverse = 1.0 / d
    quotient = top * inverse
    back = quotient * d
    rest = ((top - back) - product_error(quotient, d, back)) + (top_low - quotient * d_low)
    return quotient, rest * inverse, to_bits(shifted) - ROUND_BITS


@njit(**EXACT)
def sum_parts(a, b):
    """Return ``a + b`` rounded and its rounding error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@njit(**OPTIONS)
def gaussian_cdf(x):
    """Return the standard normal distribution function."""
    a = abs(x)
    high, low, exponent = gaussian_tail(40.0 if a > 40.0 else a)
    tail = scaled(high + low, exponent)
    return tail if x < 0.0 else 1.0 - tail


@njit(**OPTIONS)
def gelu(x):
    """Return ``x Φ(x) = max(x, 0) - |x| Q(|x|)``; the scaling comes last, for subnormal results."""
    a = abs(x)
    a = 40.0 if a > 40.0 else a
    high, low, exponent = gaussian_tail(a)
    product = -a * high
    tail = scaled(product + (product_error(-a, high, product) - a * low), exponent)
    return tail if x < 0.0 else x + tail


@njit(**OPTIONS)
def relu(x):
    """Return ``max(x, 0)``."""
    return 0.0 if x < 0.0 else x


@njit(**OPTIONS)
def step(x):
    """Return 1 for positive x and 0 otherwise."""
    return 1.0 if x > 0.0 else 0.0


@njit(**OPTIONS)
def reduced_angle(x):
    """Return ``x - n π/2`` in two parts and n, whose two lowest bits count, for |x| <= WIDEST.

    π/2 is subtracted in three parts of 33 bits, whose products with n are exact, and a rest.
    """
    shifted = x * TWO_OVER_PI + ROUND
    n = shifted - ROUND
    r, lost = sum_parts(x - n * HALF_PI_1, -(n * HALF_PI_2))
    r, more = sum_parts(r, -(n * HALF_PI_3))
    r, low = sum_parts(r, (lost + more) - n * HALF_PI_4)
    return r, low, to_bits(shifted)


@njit(**OPTIONS)
def sin_or_cos(r, low, quadrant):
    """Return sine or cosine of ``r + low``, ``|r| <= π/4``, by the quadrant [Sun's fdlibm]."""
    z = r * r
    p = 1.58969099521155010221e-10
    p = p * z - 2.50507602534068634195e-08
    p = p * z + 2.75573137070700676789e-06
    p = p * z - 1.98412698298579493134e-04
    p = p * z + 8.33333333332248946124e-03
    cube = z * r
    sine = r - ((z * (0.5 * low - cube * p) - low) + 1.66666666666666324348e-01 * cube)
    q = -1.13596475577881948265e-11
    q = q * z + 2.08757232129817482790e-09
    q = q * z - 2.75573143513906633035e-07
    q = q * z + 2.48015872894767294178e-05
    q = q * z - 1.38888888888741095749e-03
    q = q * z + 4.16666666666666019037e-02
    half = 0.5 * z
    w = 1.0 - half
    cosine = w + (((1.0 - w) - half) + (z * z * q - r * low))
    value = cosine if quadrant & 1 else sine
    return -value if quadrant & 2 else value


@njit(**OPTIONS)
def bounded_sin(x):
    """Return ``sin(x)`` for |x| <= WIDEST."""
    r, low, quadrant = reduced_angle(x)
    return x if abs(x) < 1e-9 else sin_or_cos(r, low, quadrant)


@njit(**OPTIONS)
def bounded_cos(x):
    """Return ``cos(x)`` for |x| <= WIDEST."""
    r, low, quadrant = reduced_angle(x)
    return sin_or_cos(r, low, quadrant + 1)


@njit(**OPTIONS)
def sin(x):
    """Return ``sin(x)``; the branch for huge arguments keeps loops from vectorising."""
    return bounded_sin(x) if abs(x) <= WIDEST else np.sin(x)


@njit(**OPTIONS)
def cos(x):
    """Return ``cos(x)``; the branch for huge arguments keeps loops from vectorising."""
    return bounded_cos(x) if abs(x) <= WIDEST else np.cos(x)


@njit(**OPTIONS)
def arctan(x):
    """Return the inverse tangent."""
    return math.atan(x)


@njit(**OPTIONS)
def sqrt(x):
    """Return the square root."""
    return np.sqrt(x)


@njit(**OPTIONS)
def sign(x):
    """Return -1, 0 or 1."""
    return np.sign(x)


@njit(**OPTIONS)
def power(x, y):
    """Return ``x ** y``."""
    return x**y

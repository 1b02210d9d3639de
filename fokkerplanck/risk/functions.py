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
COMPILED: Final[dict[str, Any]] = {"error_model": "numpy", "fastmath": {"contract"}}
REASSOCIATED: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc"},
}
ENTRY: Final[dict[str, Any]] = {**COMPILED, "cache": True, "nogil": True}

LOG2_E: Final = 1.4426950408889634
LN2_HIGH: Final = 6.93147180369123816490e-01  # the low 21 bits are zero, so k times it is exact
LN2_LOW: Final = 1.90821492927058770002e-10
ROUND: Final = 6755399441055744.0  # 1.5 * 2**52: adding and subtracting it rounds to an integer
ROUND_BITS: Final = 0x4338000000000000


@njit(**OPTIONS)
def from_bits(bits):
    """Return the double with the given 64 bits."""
    return np.int64(bits).view(np.float64)


@njit(**OPTIONS)
def to_bits(x):
    """Return the 64 bits of a double."""
    return np.float64(x).view(np.int64)


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
    """Return ``exp(x)``, as ``2^k exp(r)`` with the scaling in two steps for subnormal results."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = 1.0 + expm1_reduced(r)
    exponent = to_bits(shifted) - ROUND_BITS
    half = exponent >> 1
    return (p * from_bits((half + 1023) << 52)) * from_bits((exponent - half + 1023) << 52)


@njit(**OPTIONS)
def tanh(x):
    """Return ``tanh(x) = E / (E + 2)`` with ``E = exp(2|x|) - 1``, and the sign of x."""
    t = 2.0 * abs(x)
    t = 44.0 if t > 44.0 else t
    shifted = t * LOG2_E + ROUND
    k = shifted - ROUND
    r = (t - k * LN2_HIGH) - k * LN2_LOW
    scale = from_bits((to_bits(shifted) - ROUND_BITS + 1023) << 52)
    e = scale * expm1_reduced(r) + (scale - 1.0)
    return math.copysign(e / (e + 2.0), x)


@njit(**OPTIONS)
def sigmoid(x):
    """Return ``1 / (1 + exp(-x))``."""
    return 1.0 / (1.0 + exp(-x))


@njit(**OPTIONS)
def softplus(x):
    """Return ``log(1 + exp(x))``."""
    return max(x, 0.0) + math.log1p(exp(-abs(x)))


@njit(**OPTIONS)
def gaussian_cdf(x):
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x * 0.7071067811865476)


@njit(**OPTIONS)
def gelu(x):
    """Return ``x Φ(x)``."""
    return x * gaussian_cdf(x)


@njit(**OPTIONS)
def relu(x):
    """Return ``max(x, 0)``."""
    return 0.0 if x < 0.0 else x


@njit(**OPTIONS)
def step(x):
    """Return 1 for positive x and 0 otherwise."""
    return 1.0 if x > 0.0 else 0.0


@njit(**OPTIONS)
def sin(x):
    """Return ``sin(x)``."""
    return math.sin(x)


@njit(**OPTIONS)
def cos(x):
    """Return ``cos(x)``."""
    return math.cos(x)


@njit(**OPTIONS)
def log(x):
    """Return the natural logarithm."""
    return np.log(x)


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

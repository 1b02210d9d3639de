"""The standard normal distribution function and the Gaussian error linear unit."""

from typing import Final

from numba import njit

from fokkerplanck.risk.functions.bits import (
    ROUND,
    ROUND_BITS,
    product_error,
    scaled,
    sum_parts,
    to_bits,
)
from fokkerplanck.risk.functions.exponential import LN2_HIGH, LN2_LOW, LOG2_E, expm1_reduced
from fokkerplanck.runtime.compiled import OPTIONS

C0: Final = 0.45345520027112796
C0_LOW: Final = -1.1100382291250616e-17


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

"""Sine, cosine and inverse tangent."""

import math
from typing import Final

import numpy as np
from numba import njit

from fokkerplanck.risk.functions.bits import ROUND, sum_parts, to_bits
from fokkerplanck.runtime.compiled import OPTIONS

TWO_OVER_PI: Final = 0.6366197723675814
HALF_PI_1: Final = 1.5707963267341256
HALF_PI_2: Final = 6.077100506303966e-11
HALF_PI_3: Final = 2.0222662487111665e-21
HALF_PI_4: Final = 8.4784276603689e-32
HALF_PI: Final = 1.5707963267948966
HALF_PI_LOW: Final = 6.123233995736766e-17
TANGENT_LOW: Final = 0.41421356237309503  # tan(π/8)
TANGENT_HIGH: Final = 2.414213562373095  # tan(3π/8)
WIDEST: Final = 1048576.0  # 2**20, up to which angles are reduced exactly


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
    """Return the inverse tangent.

    It is that of ``t = a``, or π/4 more than that of ``t = (a - 1) / (a + 1)``, or π/2 more than
    that of ``t = -1 / a``, so that ``|t| <= sqrt(2) - 1``; the polynomial of degree 21 is minimax
    to 4e-17.
    """
    a = abs(x)
    middle, far = a > TANGENT_LOW, a > TANGENT_HIGH
    top = -1.0 if far else (a - 1.0 if middle else a)
    bottom = a if far else (a + 1.0 if middle else 1.0)
    t = top / bottom
    z = t * t
    q = 0.021278524283238582
    q = q * z - 0.043606945803826805
    q = q * z + 0.05693120057750752
    q = q * z - 0.0664123782120505
    q = q * z + 0.07690082402729956
    q = q * z - 0.09090783462698977
    q = q * z + 0.11111106700816908
    q = q * z - 0.1428571419646266
    q = q * z + 0.19999999999103937
    q = q * z - 0.3333333333333022
    base = HALF_PI if far else (0.5 * HALF_PI if middle else 0.0)
    low = HALF_PI_LOW if far else (0.5 * HALF_PI_LOW if middle else 0.0)
    return math.copysign(base + (t + ((t * z) * q + low)), x)

"""Sine, cosine and inverse tangent."""

import math
from typing import Final

import numpy as np
from numba import njit

from fokkerplanck.risk.functions.bits import ROUND, sum_parts, to_bits
from fokkerplanck.risk.options import OPTIONS

TWO_OVER_PI: Final = 0.6366197723675814
HALF_PI_1: Final = 1.5707963267341256
HALF_PI_2: Final = 6.077100506303966e-11
HALF_PI_3: Final = 2.0222662487111665e-21
HALF_PI_4: Final = 8.4784276603689e-32
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
    """Return the inverse tangent."""
    return math.atan(x)

"""Roots, signs and functions with kinks."""

import numpy as np
from numba import njit

from fokkerplanck.runtime.compiled import OPTIONS


@njit(**OPTIONS)
def relu(x):
    """Return ``max(x, 0)``."""
    return 0.0 if x < 0.0 else x


@njit(**OPTIONS)
def step(x):
    """Return 1 for positive x and 0 otherwise."""
    return 1.0 if x > 0.0 else 0.0


@njit(**OPTIONS)
def sqrt(x):
    """Return the square root."""
    return np.sqrt(x)


@njit(**OPTIONS)
def sign(x):
    """Return -1, 0 or 1."""
    return np.sign(x)

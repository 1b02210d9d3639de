"""Compiled inner products; those of BLAS would start threads."""

from numba import njit

_COMPILED = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}, "cache": True}


@njit(**_COMPILED)
def dot(left, right):
    """``Σ x y``."""
    total = 0.0
    for k in range(left.size):
        total += left[k] * right[k]
    return total


@njit(**_COMPILED)
def weighted_dot(weights, left, right):
    """``Σ w x y``."""
    total = 0.0
    for k in range(weights.size):
        total += weights[k] * left[k] * right[k]
    return total

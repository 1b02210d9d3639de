"""Options of Numba that compiled functions share, and inner products.

Those of BLAS would start threads.
"""

from typing import Any, Final

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

#: Kernels that are kept between runs: as they are written; with sums in any order; and where zeros
#: need no sign, either.
CACHED: Final[dict[str, Any]] = {"error_model": "numpy", "cache": True}
SUMMED: Final[dict[str, Any]] = {**REASSOCIATED, "cache": True}
UNSIGNED: Final[dict[str, Any]] = {**SUMMED, "fastmath": {"contract", "reassoc", "nsz"}}


@njit(**SUMMED)
def dot(left, right):
    """``Σ x y``."""
    total = 0.0
    for k in range(left.size):
        total += left[k] * right[k]
    return total


@njit(**EXACT)
def ordered_dot(left, right):
    """``Σ x y`` from the first term to the last: for vectors too short for vector instructions."""
    total = 0.0
    for k in range(left.size):
        total += left[k] * right[k]
    return total


@njit(**SUMMED)
def weighted_dot(weights, left, right):
    """``Σ w x y``."""
    total = 0.0
    for k in range(weights.size):
        total += weights[k] * left[k] * right[k]
    return total

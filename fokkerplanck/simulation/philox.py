"""Random normals that are addressed by seed, stream, path and step, whoever asks and in any order.

Philox4x32-10 is a keyed bijection of 128-bit counters: it has no state, so a path gets the same
noise on any rank, in any block, after any interruption [SMDS11]. Box and Muller's method makes
normals of its bits with the functions that LLVM vectorises, at 3.4 ns each.
"""

import math
from typing import Final

import numpy as np
from numba import njit

from fokkerplanck.risk.functions import bounded_cos, bounded_sin, log
from fokkerplanck.runtime.compiled import COMPILED, INLINED

#: Pairs of normals that one stream may ask for at one step.
MOST_PAIRS: Final = 1024

#: Bounds of the words of a counter.
MOST_STREAMS: Final = 2**22
MOST_STEPS: Final = 2**32
MOST_PATHS: Final = 2**63

_U32, _U64 = np.uint32, np.uint64
_MULTIPLIERS: Final = (_U64(0xD2511F53), _U64(0xCD9E8D57))
_WEYL: Final = (_U32(0x9E3779B9), _U32(0xBB67AE85))
_LOW, _HALF = _U64(0xFFFFFFFF), _U64(32)


@njit(**INLINED)
def philox(c0, c1, c2, c3, k0, k1):
    """Return four words of 32 bits for a counter of four words and a key of two."""
    for _ in range(10):
        p0, p1 = _MULTIPLIERS[0] * _U64(c0), _MULTIPLIERS[1] * _U64(c2)
        c0, c1, c2, c3 = (
            _U32(p1 >> _HALF) ^ c1 ^ k0,
            _U32(p1 & _LOW),
            _U32(p0 >> _HALF) ^ c3 ^ k1,
            _U32(p0 & _LOW),
        )
        k0, k1 = _U32(k0 + _WEYL[0]), _U32(k1 + _WEYL[1])
    return c0, c1, c2, c3


@njit(**INLINED)
def uniform(high, low):
    """Return the middle of one of 2^52 equal parts of (0, 1), so that logarithms are finite."""
    bits = (_U64(high) << _U64(20)) | (_U64(low) >> _U64(12))
    return (np.float64(np.int64(bits)) + 0.5) * 2.0**-52


@njit(**COMPILED, cache=True)
def fill_normals(key, stream, paths, step, out):
    """Fill ``out`` with standard normals, rows ``2 q`` and ``2 q + 1`` from one counter.

    Args:
        key: seed, below 2^64.
        stream: number of the stream, below `MOST_STREAMS`.
        paths: numbers of the paths, shape (P,).
        step: number of the step, below `MOST_STEPS`.
        out: result, shape (2 Q, P).
    """
    k0, k1 = _U32(_U64(key) & _LOW), _U32(_U64(key) >> _HALF)
    for q in range(out.shape[0] // 2):
        tag = _U32(stream * MOST_PAIRS + q)
        for i in range(paths.size):
            path = _U64(paths[i])
            a, b, c, d = philox(_U32(path & _LOW), _U32(path >> _HALF), _U32(step), tag, k0, k1)
            radius = math.sqrt(-2.0 * log(uniform(a, b)))
            angle = 2.0 * math.pi * (uniform(c, d) - 0.5)
            out[2 * q, i] = radius * bounded_cos(angle)
            out[2 * q + 1, i] = radius * bounded_sin(angle)


@njit(**COMPILED, cache=True)
def words(counter, key):
    """Return the four words of one counter, all as arrays of uint32."""
    return np.array(
        philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1]), dtype=np.uint32
    )

"""Compiled substitutions with many small triangular factors."""

from numba import njit

from fokkerplanck.runtime.compiled import SUMMED


@njit(**SUMMED)
def forward(factors, vectors):
    """Overwrite each vector (C, n) by ``L^{-1}`` times it, L lower triangular of (C, n, n)."""
    for cell in range(len(factors)):
        for i in range(vectors.shape[1]):
            total = vectors[cell, i]
            for j in range(i):
                total -= factors[cell, i, j] * vectors[cell, j]
            vectors[cell, i] = total / factors[cell, i, i]


@njit(**SUMMED)
def backward(factors, vectors):
    """Overwrite each vector (C, n) by ``L^{-T}`` times it, L lower triangular of (C, n, n)."""
    for cell in range(len(factors)):
        for i in range(vectors.shape[1] - 1, -1, -1):
            value = vectors[cell, i] / factors[cell, i, i]
            vectors[cell, i] = value
            for j in range(i):
                vectors[cell, j] -= factors[cell, i, j] * value

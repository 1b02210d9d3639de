"""Lagrange interpolation on a line, by the barycentric formula."""

import numpy as np
from numba import njit

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.compiled import CACHED


def barycentric_weights(nodes: Array) -> Array:
    """Barycentric weights of interpolation nodes, largest magnitude 1, shape (n,)."""
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1.0)
    weights = 1.0 / np.prod(gaps, axis=1)
    return weights / np.max(np.abs(weights))


def lagrange_basis(x: Array, nodes: Array, barycentric: Array | None = None) -> Array:
    """Lagrange polynomials of `nodes` at x of shape (P,), shape (P, n).

    Args:
        x: where they are wanted.
        nodes: shape (n,).
        barycentric: their barycentric weights, where these are known already.
    """
    weights = barycentric_weights(nodes) if barycentric is None else barycentric
    gaps = x[:, None] - nodes
    exact = gaps == 0.0
    terms = weights / np.where(exact, 1.0, gaps)
    terms = np.where(exact.any(axis=1, keepdims=True), exact, terms)
    return terms / terms.sum(axis=1, keepdims=True)


def differentiation_matrix(nodes: Array) -> Array:
    """Derivatives at the nodes of the Lagrange polynomials, ``D[i, j] = ℓ_j'(x_i)``, (n, n)."""
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1.0)
    weights = 1.0 / np.prod(gaps, axis=1)
    matrix = weights / weights[:, None] / gaps
    # constants have no slope
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


@njit(**CACHED)
def write_lagrange_basis(x, nodes, barycentric, out):  # type: ignore[no-untyped-def]
    """Write the Lagrange polynomials of `nodes` at one x: `lagrange_basis` for kernels."""
    total = 0.0
    for i in range(nodes.size):
        gap = x - nodes[i]
        if gap == 0.0:
            out[:] = 0.0
            out[i] = 1.0
            return
        out[i] = barycentric[i] / gap
        total += out[i]
    out /= total

"""Compiled sum factorisation of ``∫ π φ_i φ_j`` and ``∫ D π ∇φ_i·∇φ_j`` on tensor-product cells.

With the basis ``φ_abc = φ_a φ_b φ_c`` and a tensor Gauss rule, values at the Gauss points are one
small matrix along each axis in turn, so that a cell costs ``O(n^(m+1))`` instead of ``O(n^2m)``.
Gradients are taken between Gauss points. `LANES` cells are worked on together, the cell being the
contiguous axis, so that every operation is on whole vectors whatever the degree. After the first
axis all is done slab by slab, in the nearest cache.

Both nodes and Gauss points are symmetric: a matrix maps even vectors to even ones and odd to odd
ones (a derivative swaps them), which halves the products. Such a matrix is given by its halves,
the even and then the odd one in a flat array.

The numbers of nodes n, of Gauss points q per direction and of axes arrive as the lengths of
tuples, which the compiler knows.
"""

import numpy as np
from numba import njit

from fokkerplanck.operators.vector_instructions import (
    LANES,
    differentiate_line,
    differentiate_line_adding,
    interpolate_line,
    multiply_point,
)
from fokkerplanck.runtime.compiled import UNSIGNED


@njit(**UNSIGNED)
def _interpolate(x, s, y, t, halves, rows, columns, before, after):
    """Apply a matrix along one axis of x[s:], (before, columns, after, LANES), to y[t:]."""
    stride = after * LANES
    for i in range(before):
        for j in range(after):
            begin = s + i * len(columns) * stride + j * LANES
            end = t + i * len(rows) * stride + j * LANES
            interpolate_line(x, begin, stride, y, end, stride, halves, rows, columns)


@njit(**UNSIGNED)
def _differentiate(x, s, y, t, halves, gauss, before, after):
    """The same with the derivative at the Gauss points."""
    stride = after * LANES
    for i in range(before):
        for j in range(after):
            k = i * len(gauss) * stride + j * LANES
            differentiate_line(x, s + k, stride, y, t + k, stride, halves, gauss, gauss)


@njit(**UNSIGNED)
def _differentiate_adding(x, s, y, t, halves, gauss, before, after):
    """Add to y[t:] the transpose of the derivative, applied to x[s:]."""
    stride = after * LANES
    for i in range(before):
        for j in range(after):
            k = i * len(gauss) * stride + j * LANES
            differentiate_line_adding(x, s + k, stride, y, t + k, stride, halves, gauss, gauss)


@njit(**UNSIGNED)
def _interpolate_all(x, y, spare, halves, rows, columns, axes):
    """Apply a matrix along all axes of x to y."""
    r, c = len(rows), len(columns)
    slabs, slab = (
        spare[: r * c ** (len(axes) - 1) * LANES],
        spare[r * c ** (len(axes) - 1) * LANES :],
    )
    _interpolate(x, 0, slabs, 0, halves, rows, columns, 1, c ** (len(axes) - 1))
    for i in range(r):
        if len(axes) == 3:
            _interpolate(slabs, i * c * c * LANES, slab, 0, halves, rows, columns, 1, c)
            _interpolate(slab, 0, y, i * r * r * LANES, halves, rows, columns, r, 1)
        else:
            _interpolate(slabs, i * c * LANES, y, i * r * LANES, halves, rows, columns, 1, 1)


@njit(**UNSIGNED)
def _multiply(factors, scales, a, b, w, first, others, halves, halves_transposed, gauss, axes):
    """Replace u at the Gauss points by what ``a M + b K`` makes of it there.

    The first derivatives are taken on the whole cell, the others slab by slab.

    Args:
        factors: of one batch, as in `apply_gibbs`.
        scales: of one batch.
        a: factor of M.
        b: factor of K.
        w: u at the Gauss points, and the result.
        first: space for the first derivatives.
        others: space for the others of one slab.
        halves: of the derivative.
        halves_transposed: of its transpose.
        gauss: tuple of length q.
        axes: tuple of length m.
    """
    q, m = len(gauss), len(axes)
    points = q ** (m - 1)
    size = points * LANES
    _differentiate(w, 0, first, 0, halves, gauss, 1, points)
    for i in range(q):
        for k in range(m - 1):
            before, after = q**k, q ** (m - 2 - k)
            _differentiate(w, i * size, others, k * size, halves, gauss, before, after)
        for j in range(points):
            p = i * size + j * LANES
            multiply_point(
                factors, p, q * size, scales, a, b, w, p, first, others, j * LANES, size, axes
            )
        for k in range(m - 1):
            before, after = q**k, q ** (m - 2 - k)
            _differentiate_adding(
                others, k * size, w, i * size, halves_transposed, gauss, before, after
            )
    _differentiate_adding(first, 0, w, 0, halves_transposed, gauss, 1, points)


@njit(**UNSIGNED)
def _weigh(weights, scales, a, w):
    """The same without K."""
    for p in range(0, w.size, LANES):
        for k in range(LANES):
            w[p + k] *= a * scales[k] * weights[p + k]


@njit(**UNSIGNED)
def _gather(dofs, u, x):
    for i in range(dofs.size):
        x[i] = u[dofs[i]]


@njit(**UNSIGNED)
def _scatter(dofs, x, v):
    for i in range(dofs.size):
        v[dofs[i]] += x[i]


@njit(**UNSIGNED)
def _workspace(few, many, axes):
    """Arrays for the values at few nodes and at many, and for what lies between."""
    n, q, m = len(few), len(many), len(axes)
    spare = max(n, q) ** m + max(n, q) ** 2
    return np.empty(n**m * LANES), np.empty(q**m * LANES), np.empty(spare * LANES)


@njit(**UNSIGNED)
def apply_gibbs(dofs, factors, scales, a, b, u, v, nodes, gauss, axes, matrices):
    """Add ``(a M + b K) u`` to v.

    Args:
        dofs: degrees of freedom, shape (batches, N * LANES), nodes in tensor order.
        factors: ``π w det J`` and the upper triangle of ``D π w det J J^{-1} J^{-T}``, shape
            (batches, 1 + m(m+1)/2, Q * LANES), Gauss points in tensor order.
        scales: what the factors of a cell are to be multiplied by, shape (batches, LANES).
        a: factor of M.
        b: factor of K; 0 leaves it out.
        u: local coefficients, ghosts too.
        v: result, same shape.
        nodes: tuple of length n.
        gauss: tuple of length q.
        axes: tuple of length m, 2 or 3.
        matrices: halves of: basis at Gauss points, its transpose, derivative, its transpose.
    """
    basis, basis_transposed, derivative, derivative_transposed = matrices
    q, m = len(gauss), len(axes)
    x, w, spare = _workspace(nodes, gauss, axes)
    first, others = np.empty(w.size), np.empty((m - 1) * q ** (m - 1) * LANES)
    for batch in range(len(dofs)):
        _gather(dofs[batch], u, x)
        _interpolate_all(x, w, spare, basis, gauss, nodes, axes)
        if b != 0.0:
            _multiply(
                factors[batch], scales[batch], a, b, w, first, others,
                derivative, derivative_transposed, gauss, axes,
            )  # fmt: skip
        else:
            _weigh(factors[batch, 0], scales[batch], a, w)
        _interpolate_all(w, x, spare, basis_transposed, nodes, gauss, axes)
        _scatter(dofs[batch], x, v)


@njit(**UNSIGNED)
def apply_drift(dofs, factors, u, v, nodes, gauss, axes, matrices):
    """Add ``∫ π u b·∇φ_i`` to v; `factors` are ``π w det J J^{-1} b``, (batches, m, Q * LANES)."""
    basis, basis_transposed, _, derivative_transposed = matrices
    q, m = len(gauss), len(axes)
    x, w, spare = _workspace(nodes, gauss, axes)
    flux, total = np.empty(w.size), np.empty(w.size)
    for batch in range(len(dofs)):
        _gather(dofs[batch], u, x)
        _interpolate_all(x, w, spare, basis, gauss, nodes, axes)
        total[:] = 0.0
        for axis in range(m):
            weights = factors[batch, axis]
            for k in range(w.size):
                flux[k] = weights[k] * w[k]
            before, after = q**axis, q ** (m - 1 - axis)
            _differentiate_adding(flux, 0, total, 0, derivative_transposed, gauss, before, after)
        _interpolate_all(total, x, spare, basis_transposed, nodes, gauss, axes)
        _scatter(dofs[batch], x, v)


@njit(**UNSIGNED)
def transfer(dofs_from, dofs_to, u, v, nodes_from, nodes_to, axes, halves):
    """Add to v, cell by cell, a matrix along all axes times the coefficients u of the cell.

    Args:
        dofs_from: degrees of freedom, shape (batches, N_from * LANES), nodes in tensor order.
        dofs_to: those of the result, shape (batches, N_to * LANES).
        u: local coefficients, ghosts too.
        v: result.
        nodes_from: tuple as long as there are nodes per direction.
        nodes_to: the same, of the result.
        axes: tuple of length m, 2 or 3.
        halves: even and odd half of the matrix.
    """
    x, y, spare = _workspace(nodes_from, nodes_to, axes)
    for batch in range(len(dofs_from)):
        _gather(dofs_from[batch], u, x)
        _interpolate_all(x, y, spare, halves, nodes_to, nodes_from, axes)
        _scatter(dofs_to[batch], y, v)


@njit(**UNSIGNED)
def relax(load, image, inverse_diagonal, step, u, keep, gain):
    """Replace a step by ``keep`` times it plus ``gain`` times the scaled residual; add it to u.

    The image of u is left zero, for the next application. Arrays may hold ghosts, too.
    """
    for k in range(load.size):
        step[k] = keep * step[k] + gain * inverse_diagonal[k] * (load[k] - image[k])
        u[k] += step[k]
        image[k] = 0.0

"""Compiled sum factorisation of ``∫ π φ_i φ_j`` and ``∫ D π ∇φ_i·∇φ_j`` on tensor-product cells.

With the basis ``φ_abc = φ_a φ_b φ_c`` and a tensor Gauss rule, values at the Gauss points are one
small matrix along each axis in turn, so that a cell costs ``O(n^(m+1))`` instead of ``O(n^2m)``.
Gradients are taken between Gauss points. `LANES` cells are worked on together, the cell being the
contiguous axis, so that every loop over lanes is wide whatever the degree.

Both nodes and Gauss points are symmetric: a matrix maps even vectors to even ones and odd to odd
ones (a derivative swaps them), which halves the products. Such a matrix is given by its halves.

The numbers of nodes n and of Gauss points q per direction arrive as the lengths of tuples, which
the compiler knows; it unrolls the inner products.
"""

import numpy as np
from numba import njit

#: Cells that are worked on together. A power of two would let strides collide in the caches.
LANES = 24

_COMPILED = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}, "cache": True}


@njit(**_COMPILED)
def _along(x, y, halves, rows, columns, sign, before, after, add, even, odd):
    """Apply a matrix along one axis of x, of shape ``(before, columns, after, LANES)``, to y.

    Args:
        x: values, flat.
        y: result of shape ``(before, rows, after, LANES)``, flat.
        halves: even and odd half of the matrix.
        rows: tuple as long as the matrix has rows.
        columns: tuple as long as the matrix has columns.
        sign: 1 where the matrix keeps parity, -1 where it swaps it.
        before: entries of the axes before.
        after: entries of the axes after.
        add: whether to add to y.
        even: work, at least (columns + 1)/2 * LANES entries.
        odd: work, the same.
    """
    num_rows, num_columns = len(rows), len(columns)
    half, middle = num_columns // 2, (num_columns + 1) // 2
    stride = after * LANES
    for i in range(before):
        for j in range(after):
            s = i * num_columns * stride + j * LANES
            t = i * num_rows * stride + j * LANES
            for a in range(half):
                for k in range(LANES):
                    low, high = x[s + a * stride + k], x[s + (num_columns - 1 - a) * stride + k]
                    even[a * LANES + k] = low + high
                    odd[a * LANES + k] = low - high
            if num_columns % 2:
                for k in range(LANES):
                    even[half * LANES + k] = x[s + half * stride + k]
            for b in range((num_rows + 1) // 2):
                first, last = t + b * stride, t + (num_rows - 1 - b) * stride
                for k in range(LANES):
                    symmetric, skew = 0.0, 0.0
                    for a in range(middle):
                        symmetric += halves[0][b, a] * even[a * LANES + k]
                    for a in range(half):
                        skew += halves[1][b, a] * odd[a * LANES + k]
                    if add:
                        y[first + k] += symmetric + skew
                        if first != last:
                            y[last + k] += sign * (symmetric - skew)
                    else:
                        y[first + k] = symmetric + skew
                        if first != last:
                            y[last + k] = sign * (symmetric - skew)


@njit(**_COMPILED)
def _along_all(x, y, halves, rows, columns, dimension, work):
    """Apply a matrix along all axes; returns the array with the result, and the other one."""
    r, c = len(rows), len(columns)
    even, odd = work
    if dimension == 2:
        _along(x, y, halves, rows, columns, 1.0, 1, c, False, even, odd)
        _along(y, x, halves, rows, columns, 1.0, r, 1, False, even, odd)
        return x, y
    _along(x, y, halves, rows, columns, 1.0, 1, c * c, False, even, odd)
    _along(y, x, halves, rows, columns, 1.0, r, c, False, even, odd)
    _along(x, y, halves, rows, columns, 1.0, r * r, 1, False, even, odd)
    return y, x


@njit(**_COMPILED)
def _differentiate(values, gradient, halves, gauss, dimension, work):
    """Gradient at the Gauss points, shape (m, Q * LANES), of values there."""
    q = len(gauss)
    even, odd = work
    for axis in range(dimension):
        before, after = q**axis, q ** (dimension - 1 - axis)
        _along(values, gradient[axis], halves, gauss, gauss, -1.0, before, after, False, even, odd)


@njit(**_COMPILED)
def _differentiate_transposed(flux, values, halves, gauss, dimension, work):
    """Add the transpose of the gradient, applied to a flux of shape (m, Q * LANES), to values."""
    q = len(gauss)
    even, odd = work
    for axis in range(dimension):
        before, after = q**axis, q ** (dimension - 1 - axis)
        _along(flux[axis], values, halves, gauss, gauss, -1.0, before, after, True, even, odd)


@njit(**_COMPILED)
def _multiply(factors, scale, gradient, dimension):
    """Replace gradients by ``scale G ∇u``; G is given by its upper triangle, row by row."""
    if dimension == 2:
        xx, xy, yy = factors[0], factors[1], factors[2]
        for k in range(xx.size):
            x, y = scale * gradient[0, k], scale * gradient[1, k]
            gradient[0, k] = xx[k] * x + xy[k] * y
            gradient[1, k] = xy[k] * x + yy[k] * y
    else:
        xx, xy, xz = factors[0], factors[1], factors[2]
        yy, yz, zz = factors[3], factors[4], factors[5]
        for k in range(xx.size):
            x, y, z = scale * gradient[0, k], scale * gradient[1, k], scale * gradient[2, k]
            gradient[0, k] = xx[k] * x + xy[k] * y + xz[k] * z
            gradient[1, k] = xy[k] * x + yy[k] * y + yz[k] * z
            gradient[2, k] = xz[k] * x + yz[k] * y + zz[k] * z


@njit(**_COMPILED)
def _gather(dofs, u, x):
    for i in range(dofs.size):
        x[i] = u[dofs[i]]


@njit(**_COMPILED)
def _scatter(dofs, x, v):
    for i in range(dofs.size):
        v[dofs[i]] += x[i]


@njit(**_COMPILED)
def _workspace(nodes, gauss, dimension):
    """Two arrays of values, one of gradients, and the halves of one line."""
    largest = max(len(nodes), len(gauss))
    size = largest**dimension * LANES
    work = np.empty(largest * LANES), np.empty(largest * LANES)
    return (
        np.empty(size),
        np.empty(size),
        np.empty((dimension, len(gauss) ** dimension * LANES)),
        work,
    )


@njit(**_COMPILED)
def apply_gibbs(dofs, factors, a, b, u, v, nodes, gauss, dimension, matrices):
    """Add ``(a M + b K) u`` to v.

    Args:
        dofs: degrees of freedom, shape (batches, N * LANES), nodes in tensor order.
        factors: ``π w det J`` and the upper triangle of ``D π w det J J^{-1} J^{-T}``, shape
            (batches, 1 + m(m+1)/2, Q * LANES), Gauss points in tensor order.
        a: factor of M; 0 leaves it out.
        b: factor of K; 0 leaves it out.
        u: local coefficients, ghosts too.
        v: result, same shape.
        nodes: tuple of length n.
        gauss: tuple of length q.
        dimension: m, 2 or 3.
        matrices: halves of: basis at Gauss points, its transpose, derivative, its transpose.
    """
    basis, basis_transposed, derivative, derivative_transposed = matrices
    x, y, gradient, work = _workspace(nodes, gauss, dimension)
    for batch in range(len(dofs)):
        _gather(dofs[batch], u, x)
        x, y = _along_all(x, y, basis, gauss, nodes, dimension, work)
        if b != 0.0:
            _differentiate(x, gradient, derivative, gauss, dimension, work)
            _multiply(factors[batch, 1:], b, gradient, dimension)
        weights = factors[batch, 0]
        for k in range(weights.size):
            x[k] *= a * weights[k]
        if b != 0.0:
            _differentiate_transposed(gradient, x, derivative_transposed, gauss, dimension, work)
        x, y = _along_all(x, y, basis_transposed, nodes, gauss, dimension, work)
        _scatter(dofs[batch], x, v)


@njit(**_COMPILED)
def apply_drift(dofs, factors, u, v, nodes, gauss, dimension, matrices):
    """Add ``∫ π u b·∇φ_i`` to v; `factors` are ``π w det J J^{-1} b``, (batches, m, Q * LANES)."""
    basis, basis_transposed, _, derivative_transposed = matrices
    x, y, flux, work = _workspace(nodes, gauss, dimension)
    for batch in range(len(dofs)):
        _gather(dofs[batch], u, x)
        x, y = _along_all(x, y, basis, gauss, nodes, dimension, work)
        for axis in range(dimension):
            for k in range(flux.shape[1]):
                flux[axis, k] = factors[batch, axis, k] * x[k]
        x[:] = 0.0
        _differentiate_transposed(flux, x, derivative_transposed, gauss, dimension, work)
        x, y = _along_all(x, y, basis_transposed, nodes, gauss, dimension, work)
        _scatter(dofs[batch], x, v)

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
def _along(x, y, halves, rows, columns, sign, before, after):
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
    """
    num_rows, num_columns = len(rows), len(columns)
    half, middle = num_columns // 2, (num_columns + 1) // 2
    stride = after * LANES
    # new here, so that the compiler sees that they overlap with nothing
    even, odd = np.empty(middle * LANES), np.empty(middle * LANES)
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
            for b in range(num_rows // 2):
                first, last = t + b * stride, t + (num_rows - 1 - b) * stride
                for k in range(LANES):
                    symmetric, skew = 0.0, 0.0
                    for a in range(middle):
                        symmetric += halves[0][b, a] * even[a * LANES + k]
                    for a in range(half):
                        skew += halves[1][b, a] * odd[a * LANES + k]
                    y[first + k] = symmetric + skew
                    y[last + k] = sign * (symmetric - skew)
            if num_rows % 2:
                b = num_rows // 2
                for k in range(LANES):
                    total = 0.0
                    for a in range(middle):
                        total += halves[0][b, a] * even[a * LANES + k]
                    for a in range(half):
                        total += halves[1][b, a] * odd[a * LANES + k]
                    y[t + b * stride + k] = total


@njit(**_COMPILED)
def _along_all(x, y, halves, rows, columns, dimension):
    """Apply a matrix along all axes; returns the array with the result, and the other one."""
    r, c = len(rows), len(columns)
    if dimension == 2:
        _along(x, y, halves, rows, columns, 1.0, 1, c)
        _along(y, x, halves, rows, columns, 1.0, r, 1)
        return x, y
    _along(x, y, halves, rows, columns, 1.0, 1, c * c)
    _along(y, x, halves, rows, columns, 1.0, r, c)
    _along(x, y, halves, rows, columns, 1.0, r * r, 1)
    return y, x


@njit(**_COMPILED)
def _differentiate(values, gradient, halves, gauss, dimension):
    """Gradient at the Gauss points, shape (m, Q * LANES), of values there."""
    q = len(gauss)
    for axis in range(dimension):
        before, after = q**axis, q ** (dimension - 1 - axis)
        _along(values, gradient[axis], halves, gauss, gauss, -1.0, before, after)


@njit(**_COMPILED)
def _differentiate_transposed(flux, values, spare, halves, gauss, dimension):
    """Add the transpose of the gradient, applied to a flux of shape (m, Q * LANES), to values."""
    q = len(gauss)
    for axis in range(dimension):
        before, after = q**axis, q ** (dimension - 1 - axis)
        _along(flux[axis], spare, halves, gauss, gauss, -1.0, before, after)
        for k in range(flux.shape[1]):
            values[k] += spare[k]


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
    """Two arrays of values and one of gradients."""
    size = max(len(nodes), len(gauss)) ** dimension * LANES
    gradient = np.empty((dimension, len(gauss) ** dimension * LANES))
    return np.empty(size), np.empty(size), gradient


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
    x, y, gradient = _workspace(nodes, gauss, dimension)
    for batch in range(len(dofs)):
        _gather(dofs[batch], u, x)
        x, y = _along_all(x, y, basis, gauss, nodes, dimension)
        if b != 0.0:
            _differentiate(x, gradient, derivative, gauss, dimension)
            _multiply(factors[batch, 1:], b, gradient, dimension)
        weights = factors[batch, 0]
        for k in range(weights.size):
            x[k] *= a * weights[k]
        if b != 0.0:
            _differentiate_transposed(gradient, x, y, derivative_transposed, gauss, dimension)
        x, y = _along_all(x, y, basis_transposed, nodes, gauss, dimension)
        _scatter(dofs[batch], x, v)


@njit(**_COMPILED)
def apply_drift(dofs, factors, u, v, nodes, gauss, dimension, matrices):
    """Add ``∫ π u b·∇φ_i`` to v; `factors` are ``π w det J J^{-1} b``, (batches, m, Q * LANES)."""
    basis, basis_transposed, _, derivative_transposed = matrices
    x, y, flux = _workspace(nodes, gauss, dimension)
    for batch in range(len(dofs)):
        _gather(dofs[batch], u, x)
        x, y = _along_all(x, y, basis, gauss, nodes, dimension)
        for axis in range(dimension):
            for k in range(flux.shape[1]):
                flux[axis, k] = factors[batch, axis, k] * x[k]
        x[:] = 0.0
        _differentiate_transposed(flux, x, y, derivative_transposed, gauss, dimension)
        x, y = _along_all(x, y, basis_transposed, nodes, gauss, dimension)
        _scatter(dofs[batch], x, v)


@njit(**_COMPILED)
def transfer(dofs_from, dofs_to, u, v, nodes_from, nodes_to, dimension, halves):
    """Add to v, cell by cell, a matrix along all axes times the coefficients u of the cell.

    Args:
        dofs_from: degrees of freedom, shape (batches, N_from * LANES), nodes in tensor order.
        dofs_to: those of the result, shape (batches, N_to * LANES).
        u: local coefficients, ghosts too.
        v: result.
        nodes_from: tuple as long as there are nodes per direction.
        nodes_to: the same, of the result.
        dimension: m, 2 or 3.
        halves: even and odd half of the matrix.
    """
    x, y, _ = _workspace(nodes_from, nodes_to, dimension)
    for batch in range(len(dofs_from)):
        _gather(dofs_from[batch], u, x)
        x, y = _along_all(x, y, halves, nodes_to, nodes_from, dimension)
        _scatter(dofs_to[batch], x, v)

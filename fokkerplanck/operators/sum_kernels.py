"""Compiled sum factorisation of ``∫ π φ_i φ_j`` and ``∫ D π ∇φ_i·∇φ_j`` on tensor-product cells.

With the basis ``φ_abc = φ_a φ_b φ_c`` and a tensor Gauss rule, values at the Gauss points are one
small matrix along each axis in turn, so that a cell costs ``O(n^(m+1))`` instead of ``O(n^2m)``.
Gradients are taken between Gauss points. `LANES` cells are worked on together, the cell being the
contiguous axis, so that every operation is on whole vectors whatever the degree. After the first
axis all is done slab by slab, in the nearest cache.

Arrays are flat. Values of a cell batch are a C-ordered tensor (n, ..., n, LANES), so that along
one axis they are (before, n, after, LANES): a line of nodes begins at ``(i n after + j) LANES`` and
goes on in strides of ``after LANES``::

    first axis of three     before = 1,  after = n²     whole cell: strides over slabs
    second axis             before = 1,  after = n      in a slab, n² nodes that lie together
    third axis              before = n,  after = 1      in a slab

Both nodes and Gauss points are symmetric: a matrix maps even vectors to even ones and odd to odd
ones (a derivative swaps them). This even–odd decomposition halves the products. A matrix is given
by its even and then its odd part in one flat array, `even_odd`.

The numbers of nodes n, of Gauss points q per direction and of axes m arrive as the lengths of the
tuples `nodes`, `gauss` and `axes`, which the compiler knows; `rows` and `columns` are such tuples
of a matrix.
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
def _interpolate(x, x_begin, y, y_begin, even_odd, rows, columns, before, after):
    """Apply a matrix along one axis of x, (before, columns, after, LANES); the result is y."""
    stride = after * LANES
    for i in range(before):
        for j in range(after):
            source = x_begin + i * len(columns) * stride + j * LANES
            target = y_begin + i * len(rows) * stride + j * LANES
            interpolate_line(x, source, stride, y, target, stride, even_odd, rows, columns)


@njit(**UNSIGNED)
def _differentiate(x, x_begin, y, y_begin, even_odd, gauss, before, after):
    """The same with the derivative at the Gauss points."""
    stride = after * LANES
    for i in range(before):
        for j in range(after):
            k = i * len(gauss) * stride + j * LANES
            source, target = x_begin + k, y_begin + k
            differentiate_line(x, source, stride, y, target, stride, even_odd, gauss, gauss)


@njit(**UNSIGNED)
def _differentiate_adding(x, x_begin, y, y_begin, even_odd, gauss, before, after):
    """Add to y the transpose of the derivative, applied to x."""
    stride = after * LANES
    for i in range(before):
        for j in range(after):
            k = i * len(gauss) * stride + j * LANES
            source, target = x_begin + k, y_begin + k
            differentiate_line_adding(x, source, stride, y, target, stride, even_odd, gauss, gauss)


@njit(**UNSIGNED)
def _interpolate_all(x, y, spare, even_odd, rows, columns, axes):
    """Apply a matrix along all axes of x to y."""
    r, c = len(rows), len(columns)
    slabs, slab = (
        spare[: r * c ** (len(axes) - 1) * LANES],
        spare[r * c ** (len(axes) - 1) * LANES :],
    )
    _interpolate(x, 0, slabs, 0, even_odd, rows, columns, 1, c ** (len(axes) - 1))
    for i in range(r):
        if len(axes) == 3:
            _interpolate(slabs, i * c * c * LANES, slab, 0, even_odd, rows, columns, 1, c)
            _interpolate(slab, 0, y, i * r * r * LANES, even_odd, rows, columns, r, 1)
        else:
            _interpolate(slabs, i * c * LANES, y, i * r * LANES, even_odd, rows, columns, 1, 1)


@njit(**UNSIGNED)
def _multiply_gauss(factors, scales, a, b, w, first, others, derivative, transposed, gauss, axes):
    """Replace u at the Gauss points by what ``a M + b K`` makes of it there.

    Derivatives along the first axis are taken on the whole cell, the others slab by slab::

        w        slab 0 | slab 1 | ... | slab q − 1     q^(m−1) points of LANES numbers each: `size`
        first    the same of ∂_1 u
        others   ∂_2 u, then ∂_3 u, of the slab that is worked on

    Args:
        factors: of one batch, as in `apply_gibbs`.
        scales: of one batch.
        a: factor of M.
        b: factor of K.
        w: u at the Gauss points, and the result.
        first: space for the first derivatives.
        others: space for the others of one slab.
        derivative: at the Gauss points, along one axis, even–odd.
        transposed: its transpose.
        gauss: tuple of length q.
        axes: tuple of length m.
    """
    q, m = len(gauss), len(axes)
    points = q ** (m - 1)
    size = points * LANES
    _differentiate(w, 0, first, 0, derivative, gauss, 1, points)
    for i in range(q):
        for k in range(m - 1):
            before, after = q**k, q ** (m - 2 - k)
            _differentiate(w, i * size, others, k * size, derivative, gauss, before, after)
        for j in range(points):
            p = i * size + j * LANES
            multiply_point(
                factors, p, q * size, scales, a, b, w, p, first, others, j * LANES, size, axes
            )
        for k in range(m - 1):
            before, after = q**k, q ** (m - 2 - k)
            _differentiate_adding(others, k * size, w, i * size, transposed, gauss, before, after)
    _differentiate_adding(first, 0, w, 0, transposed, gauss, 1, points)


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
        matrices: basis at Gauss points, its transpose, derivative, its transpose, each `even_odd`.
    """
    basis, basis_transposed, derivative, derivative_transposed = matrices
    q, m = len(gauss), len(axes)
    x, w, spare = _workspace(nodes, gauss, axes)
    first, others = np.empty(w.size), np.empty((m - 1) * q ** (m - 1) * LANES)
    for batch in range(len(dofs)):
        _gather(dofs[batch], u, x)
        _interpolate_all(x, w, spare, basis, gauss, nodes, axes)
        if b != 0.0:
            _multiply_gauss(
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
def transfer(dofs_from, dofs_to, u, v, nodes_from, nodes_to, axes, even_odd):
    """Add to v, cell by cell, a matrix along all axes times the coefficients u of the cell.

    Args:
        dofs_from: degrees of freedom, shape (batches, N_from * LANES), nodes in tensor order.
        dofs_to: those of the result, shape (batches, N_to * LANES).
        u: local coefficients, ghosts too.
        v: result.
        nodes_from: tuple as long as there are nodes per direction.
        nodes_to: the same, of the result.
        axes: tuple of length m, 2 or 3.
        even_odd: the matrix.
    """
    x, y, spare = _workspace(nodes_from, nodes_to, axes)
    for batch in range(len(dofs_from)):
        _gather(dofs_from[batch], u, x)
        _interpolate_all(x, y, spare, even_odd, nodes_to, nodes_from, axes)
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

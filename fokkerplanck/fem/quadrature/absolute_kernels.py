"""Compiled integrals of ``e^φ |z|`` over cells where z changes sign.

φ and z are tensor polynomials on the unit interval, square or cube, by values at Gauss points.
Along a line the roots of z are found and the pieces between them integrated by Gauss' rule. Over a
box the lines are integrated in turn; the integral over a line is smooth in the other variable
except where a root enters or leaves through a side, so the outer integral is split there too. Both
orders of integration are done; where they differ, at turning points of the nodal curve, the box is
split. Over a cube the slices across its first axis are integrated in turn.
"""

import numpy as np
from numba import njit

from fokkerplanck.fem.lagrange import write_lagrange_basis
from fokkerplanck.fem.quadrature.regula_falsi import narrowed, secant
from fokkerplanck.runtime.compiled import CACHED, EXACT, ordered_dot

#: A box is split at most this often; each time its error falls about eightfold.
MAX_SPLITS = 10

#: Where, as a part of its width, a box is cut for the second order of integration.
_CUT = 0.37

#: The first axis of a cube is bisected at most this often.
MAX_BISECTIONS = 6

#: Steps of the root finder, about ten of which are needed, and the last one's length.
_MAX_ITERATIONS, _STEP = 60, 1e-15


@njit(**EXACT)
def _value(x, values, nodes, barycentric, basis):
    """Value at x of the polynomial through `values`; `basis` is work space."""
    write_lagrange_basis(x, nodes, barycentric, basis)
    return ordered_dot(basis, values)


@njit(**CACHED)
def _root(bracket, values, nodes, barycentric, basis):
    """Where the polynomial through `values` changes sign in a bracket."""
    left, right = bracket[0], bracket[2]
    for _ in range(_MAX_ITERATIONS):
        x = secant(bracket)
        at_x = _value(x, values, nodes, barycentric, basis)
        bracket, step = narrowed(bracket, x, at_x)
        if at_x == 0.0 or step < _STEP:
            break
    return min(max(bracket[2], left), right)


@njit(**CACHED)
def _find_roots(a, b, values, nodes, barycentric, roots):
    """Write the sign changes in (a, b) of the polynomial through `values`; return their number."""
    basis = np.empty(nodes.size)
    samples = 2 * nodes.size
    count = 0
    left, at_left = a, _value(a, values, nodes, barycentric, basis)
    for i in range(1, samples + 1):
        right = a + (b - a) * i / samples
        at_right = _value(right, values, nodes, barycentric, basis)
        if (at_left > 0.0) != (at_right > 0.0) and count < roots.size:
            bracket = (left, at_left, right, at_right)
            roots[count] = _root(bracket, values, nodes, barycentric, basis)
            count += 1
        left, at_left = right, at_right
    return count


@njit(**CACHED)
def line_integral(a, b, z, phi, nodes, weights, barycentric):
    """``∫_a^b e^φ |z|`` for polynomials on (0, 1) with the values `z`, `phi` at the Gauss nodes."""
    roots = np.empty(2 * nodes.size + 1)
    basis = np.empty(nodes.size)
    count = _find_roots(a, b, z, nodes, barycentric, roots)
    roots[count] = b
    total = 0.0
    start = a
    for piece in range(count + 1):
        length = roots[piece] - start
        for q in range(nodes.size):
            write_lagrange_basis(start + length * nodes[q], nodes, barycentric, basis)
            height = np.exp(ordered_dot(basis, phi))
            total += length * weights[q] * height * abs(ordered_dot(basis, z))
        start = roots[piece]
    return total


@njit(**CACHED)
def _box_integral(a, b, c, d, z, phi, nodes, weights, barycentric):
    """``∫_c^d ∫_a^b e^φ |z|``: the first axis of `z` and `phi` is the inner variable."""
    n = nodes.size
    basis = np.empty(n)
    ends = np.empty(4 * n + 1)
    write_lagrange_basis(a, nodes, barycentric, basis)
    count = _find_roots(c, d, basis @ z, nodes, barycentric, ends[: 2 * n])
    write_lagrange_basis(b, nodes, barycentric, basis)
    count += _find_roots(c, d, basis @ z, nodes, barycentric, ends[count : count + 2 * n])
    ends[count] = d
    ends = np.sort(ends[: count + 1])
    total = 0.0
    start = c
    for end in ends:
        length = end - start
        for q in range(n):
            if length > 0.0:
                write_lagrange_basis(start + length * nodes[q], nodes, barycentric, basis)
                line = line_integral(a, b, z @ basis, phi @ basis, nodes, weights, barycentric)
                total += length * weights[q] * line
        start = end
    return total


@njit(**CACHED)
def cell_integral(z, phi, tolerance, nodes, weights, barycentric):
    """``∫ e^φ |z|`` over the unit square, and an estimate of its error.

    Args:
        z: values at the tensor Gauss points, shape (n, n).
        phi: the same of φ.
        tolerance: absolute; boxes whose two orders of integration agree to it are not split.
        nodes: Gauss points of (0, 1), shape (n,).
        weights: their weights.
        barycentric: their barycentric weights.
    """
    z_turned = np.ascontiguousarray(z.T)
    phi_turned = np.ascontiguousarray(phi.T)
    stack = np.empty((3 * MAX_SPLITS + 1, 5))
    stack[0] = np.array([0.0, 1.0, 0.0, 1.0, 0.0])
    waiting = 1
    total = error = 0.0
    while waiting > 0:
        waiting -= 1
        a, b, c, d, level = stack[waiting]
        first = _box_integral(a, b, c, d, z, phi, nodes, weights, barycentric)
        # Cut off the middle, lest both orders err alike where z is symmetric in its variables.
        x = a + _CUT * (b - a)
        second = _box_integral(c, d, a, x, z_turned, phi_turned, nodes, weights, barycentric)
        second += _box_integral(c, d, x, b, z_turned, phi_turned, nodes, weights, barycentric)
        gap = abs(first - second)
        if gap <= tolerance or level >= MAX_SPLITS:
            total += 0.5 * (first + second)
            error += gap
            continue
        x, y = 0.5 * (a + b), 0.5 * (c + d)
        stack[waiting] = np.array([a, x, c, y, level + 1.0])
        stack[waiting + 1] = np.array([x, b, c, y, level + 1.0])
        stack[waiting + 2] = np.array([a, x, y, d, level + 1.0])
        stack[waiting + 3] = np.array([x, b, y, d, level + 1.0])
        waiting += 4
    return total, error


@njit(**CACHED)
def _slab_integral(a, b, z, phi, tolerance, nodes, weights, barycentric):
    """``∫_a^b`` over the first axis of the integrals over slices, and the sum of their errors."""
    n = nodes.size
    basis = np.empty(n)
    total = error = 0.0
    for q in range(n):
        write_lagrange_basis(a + (b - a) * nodes[q], nodes, barycentric, basis)
        flat_z = (basis @ z).reshape(n, n)
        flat_phi = (basis @ phi).reshape(n, n)
        weight = (b - a) * weights[q]
        value, gap = cell_integral(flat_z, flat_phi, tolerance, nodes, weights, barycentric)
        total += weight * value
        error += weight * gap
    return total, error


@njit(**CACHED)
def volume_integral(z, phi, tolerance, nodes, weights, barycentric):
    """``∫ e^φ |z|`` over the unit cube, and an estimate of its error.

    The integral over a slice is a smooth function of its place but where the nodal surface touches
    the slice or leaves the cube; there the first axis is bisected.

    Args:
        z: values at the tensor Gauss points, shape (n, n²).
        phi: the same of φ.
        tolerance: absolute; intervals whose halves change the integral less are not bisected.
        nodes: Gauss points of (0, 1), shape (n,).
        weights: their weights.
        barycentric: their barycentric weights.
    """
    args = (z, phi, tolerance, nodes, weights, barycentric)
    stack = np.empty((MAX_BISECTIONS + 2, 4))
    whole, _ = _slab_integral(0.0, 1.0, *args)
    stack[0] = np.array([0.0, 1.0, whole, 0.0])
    waiting = 1
    total = error = 0.0
    while waiting > 0:
        waiting -= 1
        a, b, value, level = stack[waiting]
        middle = 0.5 * (a + b)
        first, first_error = _slab_integral(a, middle, *args)
        second, second_error = _slab_integral(middle, b, *args)
        gap = abs(first + second - value)
        if gap <= tolerance or level >= MAX_BISECTIONS:
            total += first + second
            error += gap + first_error + second_error
            continue
        stack[waiting] = np.array([a, middle, first, level + 1.0])
        stack[waiting + 1] = np.array([middle, b, second, level + 1.0])
        waiting += 2
    return total, error

"""Compiled search for the places where a sphere cuts lines of curved cells.

A cell's map is a tensor of Legendre coefficients over three axes, *outer*, *base* and *line*; with
fewer parameters the first ones are trivial, of one node. The tensor is contracted to a plane of
constant outer place, then to a line. The sphere is ``g = |x − c|² − R² = 0``, given by the centre
and the squared radius in one array.
"""

import numpy as np
from numba import njit

from fokkerplanck.fem.quadrature.regula_falsi import narrowed, secant
from fokkerplanck.runtime.compiled import SUMMED

#: Samples between which the sphere is looked for on a line, and the most of its crossings.
_SAMPLES, _MAX_CROSSINGS = 12, 32

#: Steps of the root finder, about ten of which are needed, and the last one's length.
_MAX_ITERATIONS, _STEP = 60, 1e-16


@njit(**SUMMED)
def legendre(x, values, slopes):
    """Write the Legendre polynomials of ``2x − 1`` and their derivatives."""
    t = 2.0 * x - 1.0
    values[0], slopes[0] = 1.0, 0.0
    if values.size > 1:
        values[1], slopes[1] = t, 2.0
    for k in range(1, values.size - 1):
        values[k + 1] = ((2 * k + 1) * t * values[k] - k * values[k - 1]) / (k + 1)
        slopes[k + 1] = slopes[k - 1] + 2.0 * (2 * k + 1) * values[k]


@njit(**SUMMED)
def to_plane(tensor, basis, plane):
    """Contract a tensor (m, a, b, c) with the outer axis: (m, b, c)."""
    m, a, b, c = tensor.shape
    plane[:] = 0.0
    for r in range(m):
        for i in range(a):
            for j in range(b):
                for k in range(c):
                    plane[r, j, k] += basis[i] * tensor[r, i, j, k]


@njit(**SUMMED)
def to_line(plane, basis, line):
    """Contract a plane (m, b, c) with the base axis: (m, c)."""
    m, b, c = plane.shape
    line[:] = 0.0
    for r in range(m):
        for j in range(b):
            for k in range(c):
                line[r, k] += basis[j] * plane[r, j, k]


@njit(**SUMMED)
def _to_side(plane, basis, line):
    """Contract a plane (m, b, c) with the line axis: (m, b)."""
    m, b, c = plane.shape
    for r in range(m):
        for j in range(b):
            total = 0.0
            for k in range(c):
                total += basis[k] * plane[r, j, k]
            line[r, j] = total


@njit(**SUMMED)
def _level(line, x, sphere):
    """Value of g at x on a line of Legendre coefficients (m, n)."""
    m, n = line.shape
    t = 2.0 * x - 1.0
    total = -sphere[m]
    for r in range(m):
        # Clenshaw's recurrence.
        later = last = 0.0
        for k in range(n - 1, 0, -1):
            now = line[r, k] + (2 * k + 1) / (k + 1) * t * last - (k + 1) / (k + 2) * later
            later, last = last, now
        offset = line[r, 0] + t * last - 0.5 * later - sphere[r]
        total += offset * offset
    return total


@njit(**SUMMED)
def _root(line, low, high, sphere):
    """Where g changes sign, by regula falsi."""
    bracket = (low, _level(line, low, sphere), high, _level(line, high, sphere))
    for _ in range(_MAX_ITERATIONS):
        x = secant(bracket)
        at_x = _level(line, x, sphere)
        bracket, step = narrowed(bracket, x, at_x)
        if at_x == 0.0 or step <= _STEP:
            break
    return min(max(bracket[2], low), high)


@njit(**SUMMED)
def _add_crossings(line, low, high, sphere, ends, count):
    """Append the crossings of a line to `ends`; return how many entries are in use."""
    width = (high - low) / (_SAMPLES - 1)
    levels = np.empty(_SAMPLES)
    for i in range(_SAMPLES):
        levels[i] = _level(line, low + width * i, sphere)
    for i in range(_SAMPLES - 1):
        left, right = low + width * i, low + width * (i + 1)
        if (levels[i] <= 0.0) != (levels[i + 1] <= 0.0):
            ends[count] = _root(line, left, right, sphere)
            count += 1
        elif i > 0 and (levels[i - 1] <= 0.0) == (levels[i] <= 0.0):
            # Where a parabola has its vertex, g may have the other sign.
            slope = 0.5 * (levels[i + 1] - levels[i - 1])
            bend = levels[i + 1] - 2.0 * levels[i] + levels[i - 1]
            if abs(slope) < abs(bend):
                vertex = left - width * slope / bend
                if (_level(line, vertex, sphere) <= 0.0) != (levels[i] <= 0.0):
                    ends[count] = _root(line, left - width, vertex, sphere)
                    ends[count + 1] = _root(line, vertex, right, sphere)
                    count += 2
    return count


@njit(**SUMMED)
def outer_ends(tensor, low, high, sphere):
    """Ends of the pieces of the outer axis, split where the sphere crosses edges along it."""
    m, a, b, c = tensor.shape
    ends = np.empty(2 + 4 * _MAX_CROSSINGS)
    ends[0], ends[1] = low[0], high[0]
    count = 2
    if a > 1:
        base, along, spare = np.empty(b), np.empty(c), np.empty(max(b, c))
        edge = np.empty((m, a))
        for y in (low[1], high[1]):
            legendre(y, base, spare[:b])
            for z in (low[2], high[2]):
                legendre(z, along, spare[:c])
                edge[:] = 0.0
                for r in range(m):
                    for i in range(a):
                        for j in range(b):
                            for k in range(c):
                                edge[r, i] += base[j] * along[k] * tensor[r, i, j, k]
                count = _add_crossings(edge, low[0], high[0], sphere, ends, count)
    return np.sort(ends[:count])


@njit(**SUMMED)
def base_ends(plane, low, high, sides, sphere):
    """Ends of the pieces of the base axis, split where the sphere leaves through a side."""
    m, b, _ = plane.shape
    ends = np.empty(2 + 2 * _MAX_CROSSINGS)
    ends[0], ends[1] = low[1], high[1]
    count = 2
    if b > 1:
        side = np.empty((m, b))
        for basis in sides:
            _to_side(plane, basis, side)
            count = _add_crossings(side, low[1], high[1], sphere, ends, count)
    return np.sort(ends[:count])


@njit(**SUMMED)
def inner_part(line, low, high, sphere):
    """Start and length of the part of a line inside the sphere; g is monotone on the line."""
    in_low, in_high = _level(line, low, sphere) <= 0.0, _level(line, high, sphere) <= 0.0
    if in_low and in_high:
        return low, high - low
    if not in_low and not in_high:
        return low, 0.0
    root = _root(line, low, high, sphere)
    return (low, root - low) if in_low else (root, high - root)

"""Compiled sums over Gauss points in boxes of curved cells that a sphere may cut.

A box has the three axes *outer*, *base* and *line* of `crossings`. Lines end at the sphere. Planes
and the outer axis are split where it leaves through a side or an edge of the box, so that what is
summed there is smooth. Sums along a line, over the lines of a plane and over the planes follow one
after the other.
"""

import numpy as np
from numba import njit

from fokkerplanck.fem.quadrature.crossings import (
    base_ends,
    inner_part,
    legendre,
    outer_ends,
    to_line,
    to_plane,
)
from fokkerplanck.runtime.compiled import SUMMED, dot


@njit(**SUMMED)
def _tabulate(start, length, nodes, values, slopes):
    """Write the polynomials and derivatives at points of an interval, by degree, then point."""
    point, slope = np.empty(len(values)), np.empty(len(values))
    for q in range(nodes.size):
        legendre(start + length * nodes[q], point, slope)
        values[:, q] = point
        slopes[:, q] = slope


@njit(**SUMMED)
def _measure(line, values, slopes, sphere, distances, volumes):
    """Write squared distances from the centre and Jacobian determinants at the points of a line.

    Args:
        line: Legendre coefficients of the map, its base and its outer derivative, (3, m, n).
        values: Legendre polynomials at the points, shape (n, q).
        slopes: their derivatives.
        sphere: ``(c, R²)``.
        distances: shape (q,).
        volumes: shape (q,).
    """
    _, m, n = line.shape
    count = distances.size
    J = np.zeros((4, 3, count))
    distances[:] = 0.0
    for r in range(m):
        for k in range(n):
            x, base, outer = line[0, r, k], line[1, r, k], line[2, r, k]
            for q in range(count):
                J[0, r, q] += x * values[k, q]
                J[1, r, q] += x * slopes[k, q]
                J[2, r, q] += base * values[k, q]
                J[3, r, q] += outer * values[k, q]
        for q in range(count):
            distances[q] += (J[0, r, q] - sphere[r]) ** 2
    for q in range(count):
        if m == 1:
            volumes[q] = abs(J[1, 0, q])
        elif m == 2:
            volumes[q] = abs(J[1, 0, q] * J[2, 1, q] - J[1, 1, q] * J[2, 0, q])
        else:
            volumes[q] = abs(
                J[1, 0, q] * (J[2, 1, q] * J[3, 2, q] - J[2, 2, q] * J[3, 1, q])
                + J[1, 1, q] * (J[2, 2, q] * J[3, 0, q] - J[2, 0, q] * J[3, 2, q])
                + J[1, 2, q] * (J[2, 0, q] * J[3, 1, q] - J[2, 1, q] * J[3, 0, q])
            )


@njit(**SUMMED)
def _grown(rows):
    """The rows, with room for as many again."""
    larger = np.empty((2 * len(rows), rows.shape[1]))
    larger[: len(rows)] = rows
    return larger


@njit(**SUMMED)
def _composite(ends, rule, factor):
    """Points of a rule on all intervals between ends, and weights times a factor, shape (n, 2)."""
    nodes, weights = rule
    points = np.empty(((ends.size - 1) * nodes.size, 2))
    for i in range(len(points)):
        piece, node = divmod(i, nodes.size)
        width = ends[piece + 1] - ends[piece]
        points[i, 0] = ends[piece] + width * nodes[node]
        points[i, 1] = factor * width * weights[node]
    return points


@njit(**SUMMED)
def _cut_at(tensor, x, outer, plane):
    """Write the plane of a map at an outer place, and the outer derivative there."""
    legendre(x, outer[0], outer[1])
    to_plane(tensor, outer[0], plane[0])
    to_plane(tensor, outer[1], plane[1])


@njit(**SUMMED)
def place_points(maps, low, high, is_cut, sphere, rules):
    """Place Gauss points in boxes: on the outer axis, on the base axes of planes, and on lines.

    A plane of a box, whose lower right corner lies inside the sphere, with two base places in each
    piece of its base axis::

              line
        high ┌─────────┬─────────┐
             │         │╲        │      the sphere ends lines
             │  ·   ·  │  ·╲     │
             │  ·   ·  │  · ·╲   │
             │  ·   ·  │  · · ·╲ │
        low  └─────────┴─────────┘ base
                      cut: here the sphere leaves through a side

    Left of the cut lines are whole; right of it they are shorter and shorter, and so smooth a
    function of the base place that Gauss' rule sees no edge. The outer axis is cut alike, where the
    sphere crosses an edge of the box.

    Args:
        maps: Legendre coefficients of the map of each box's cell, shape (B, m, a, b, c).
        low: lower ends of the boxes on their three axes, shape (B, 3).
        high: upper ends.
        is_cut: whether the sphere may cut the boxes; else they count as inside.
        sphere: ``(c, R²)``, shape (m + 1,).
        rules: Gauss points on (0, 1) and weights of the three axes.

    Returns:
        Lines, shape (L, 6): box, outer place, base place, start, length, weight; and squared
        distances from the centre and Jacobian determinants at their points, shape (L, q).
    """
    _, m, a, b, c = maps.shape
    outer_rule, base_rule, (nodes, _) = rules
    outer, base, sides, spare = np.empty((2, a)), np.empty((2, b)), np.empty((2, c)), np.empty(c)
    plane, curve = np.empty((2, m, b, c)), np.empty((3, m, c))
    values, slopes = np.empty((c, nodes.size)), np.empty((c, nodes.size))
    room = len(maps) * outer_rule[0].size * base_rule[0].size + 1
    lines = np.empty((room, 6))
    distances, volumes = np.empty((room, nodes.size)), np.empty((room, nodes.size))
    count, tabulated = 0, (np.nan, np.nan)
    for box in range(len(maps)):
        begin, end = low[box], high[box]
        legendre(begin[2], sides[0], spare)
        legendre(end[2], sides[1], spare)
        whole = np.array([begin[0], end[0]])
        ends = outer_ends(maps[box], begin, end, sphere) if is_cut else whole
        planes = _composite(ends, outer_rule, 1.0)
        for i in range(len(planes)):
            x, outer_weight = planes[i]
            _cut_at(maps[box], x, outer, plane)
            whole = np.array([begin[1], end[1]])
            ends_of_plane = base_ends(plane[0], begin, end, sides, sphere) if is_cut else whole
            bases = _composite(ends_of_plane, base_rule, outer_weight)
            for j in range(len(bases)):
                y, weight = bases[j]
                legendre(y, base[0], base[1])
                to_line(plane[0], base[0], curve[0])
                start, length = begin[2], end[2] - begin[2]
                if is_cut:
                    start, length = inner_part(curve[0], begin[2], end[2], sphere)
                if length * weight <= 0.0:
                    continue
                to_line(plane[0], base[1], curve[1])
                to_line(plane[1], base[0], curve[2])
                if (start, length) != tabulated:
                    _tabulate(start, length, nodes, values, slopes)
                    tabulated = (start, length)
                if count == len(lines):
                    lines, distances, volumes = _grown(lines), _grown(distances), _grown(volumes)
                lines[count] = np.array([box, x, y, start, length, weight * length])
                _measure(curve, values, slopes, sphere, distances[count], volumes[count])
                count += 1
    return lines[:count], distances[:count], volumes[:count]


@njit(**SUMMED)
def add_moments(lines, values, nodes, moments):
    """Add ``Σ w f P_i P_j P_k`` of values at the points of lines to the moments of their boxes.

    Args:
        lines: as `place_points` returns them, shape (L, 6).
        values: of f times the weights along the line, shape (L, q).
        nodes: Gauss points of the lines on (0, 1), shape (q,).
        moments: shape (B, a, b, c).
    """
    _, a, b, c = moments.shape
    outer, base, spare = np.empty(a), np.empty(b), np.empty(max(a, b))
    table, slopes = np.empty((c, nodes.size)), np.empty((c, nodes.size))
    sheet, tabulated = np.zeros((b, c)), (np.nan, np.nan)
    for line in range(len(lines)):
        box, x, y, start, length, weight = lines[line]
        if (start, length) != tabulated:
            _tabulate(start, length, nodes, table, slopes)
            tabulated = (start, length)
        legendre(y, base, spare[:b])
        for k in range(c):
            total = 0.0
            for q in range(nodes.size):
                total += table[k, q] * values[line, q]
            total *= weight
            for j in range(b):
                sheet[j, k] += base[j] * total
        last = line + 1 == len(lines)
        if last or lines[line + 1, 0] != box or lines[line + 1, 1] != x:
            legendre(x, outer, spare[:a])
            for i in range(a):
                for j in range(b):
                    for k in range(c):
                        moments[int(box), i, j, k] += outer[i] * sheet[j, k]
            sheet[:] = 0.0


@njit(**SUMMED)
def sample_ranges(maps, low, high, samples, sphere):
    """Ranges of g and of its derivatives over the extents of boxes, on a grid of samples.

    Args:
        maps: as in `place_points`.
        low: as in `place_points`.
        high: as in `place_points`.
        samples: samples on (0, 1), those of both ends included, shape (s,).
        sphere: ``(c, R²)``.

    Returns:
        Least and largest values, shape (B, 2, 4): of g, then of its derivatives along the axes.
    """
    _, m, a, b, c = maps.shape
    ranges = np.empty((len(maps), 2, 4))
    ranges[:, 0], ranges[:, 1] = np.inf, -np.inf
    outer, base, along = np.empty((2, a)), np.empty((2, b)), np.empty((2, c))
    plane, lines = np.empty((2, m, b, c)), np.empty((3, m, c))
    numbers = np.empty(4)
    for box in range(len(maps)):
        extent = high[box] - low[box]
        for x in samples[: samples.size if a > 1 else 1]:
            _cut_at(maps[box], low[box, 0] + extent[0] * x, outer, plane)
            for y in samples[: samples.size if b > 1 else 1]:
                legendre(low[box, 1] + extent[1] * y, base[0], base[1])
                to_line(plane[0], base[0], lines[0])
                to_line(plane[0], base[1], lines[1])
                to_line(plane[1], base[0], lines[2])
                for z in samples:
                    legendre(low[box, 2] + extent[2] * z, along[0], along[1])
                    numbers[:] = 0.0
                    for r in range(m):
                        offset = dot(lines[0, r], along[0]) - sphere[r]
                        numbers[0] += offset * offset
                        numbers[1] += 2.0 * offset * extent[0] * dot(lines[2, r], along[0])
                        numbers[2] += 2.0 * offset * extent[1] * dot(lines[1, r], along[0])
                        numbers[3] += 2.0 * offset * extent[2] * dot(lines[0, r], along[1])
                    numbers[0] -= sphere[m]
                    for k in range(4):
                        ranges[box, 0, k] = min(ranges[box, 0, k], numbers[k])
                        ranges[box, 1, k] = max(ranges[box, 1, k], numbers[k])
    return ranges

"""Kernels of the drift table: a piecewise polynomial seen through the cap, value and gradient.

A row of coefficients is one explicit vector, which stays in registers through Horner's rule; the
compiler, left to itself, goes through memory after every step.
"""

import math
from typing import Any, Final

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from fokkerplanck.risk.functions import tanh
from fokkerplanck.runtime.compiled import COMPILED, INLINED

#: Coefficients in one direction: degree 15.
LANES: Final = 16

#: Numbers of the caps in `ratio_and_slope`.
CAPS: Final = {"none": 0, "smooth": 1, "tanh": 2, "hard": 3}

_SHORT, _LONG = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_FLAGS = ("contract",)


def _indices(numbers: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_SHORT, len(numbers)), numbers)


class _Builder:
    """Arithmetic on vectors of `LANES` numbers."""

    def __init__(self, builder: Any, data: Any) -> None:
        self.builder, self.data = builder, data
        self.ones = ir.Constant(_VECTOR, [1.0] * LANES)

    def row(self, offset: Any, number: int) -> Any:
        """Row of coefficients."""
        start = self.builder.add(offset, ir.Constant(_LONG, number * LANES))
        place = self.builder.gep(self.data, [start])
        vector = self.builder.load(self.builder.bitcast(place, _VECTOR.as_pointer()))
        vector.align = 8
        return vector

    def multiply(self, left: Any, right: Any) -> Any:
        return self.builder.fmul(left, right, flags=_FLAGS)

    def add(self, left: Any, right: Any) -> Any:
        return self.builder.fadd(left, right, flags=_FLAGS)

    def all(self, number: Any) -> Any:
        """Vector whose lanes are all the same."""
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        single = self.builder.insert_element(nothing, number, ir.Constant(_SHORT, 0))
        return self.builder.shuffle_vector(single, single, _indices([0] * LANES))

    def powers(self, number: Any) -> Any:
        """Vector whose lane k is the k-th power, by repeated squaring."""
        result, square = self.ones, number
        for bit in range(LANES.bit_length() - 1):
            chosen = _indices([LANES + k if k >> bit & 1 else k for k in range(LANES)])
            factor = self.builder.shuffle_vector(self.ones, self.all(square), chosen)
            result, square = self.multiply(result, factor), self.builder.fmul(square, square)
        return result

    def slopes(self, powers: Any) -> Any:
        """Derivatives of the powers: lane k is ``k y^(k-1)``."""
        lower = self.builder.shuffle_vector(powers, powers, _indices([0, *range(LANES - 1)]))
        return self.multiply(lower, ir.Constant(_VECTOR, [float(k) for k in range(LANES)]))

    def total(self, vector: Any) -> Any:
        """Sum of the lanes, by halves."""
        count = LANES
        while count > 2:
            count //= 2
            halves = [
                self.builder.shuffle_vector(vector, vector, _indices(list(range(s, s + count))))
                for s in (0, count)
            ]
            vector = self.add(*halves)
        lanes = [self.builder.extract_element(vector, ir.Constant(_SHORT, k)) for k in (0, 1)]
        return self.add(*lanes)


@intrinsic
def _polynomial(context, table, offset, x, y):
    """Return ``Σ c_kl x^k y^l`` and its two derivatives; row k of the table holds ``c_k0 ...``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        v = _Builder(builder, data)
        across, along = v.all(arguments[2]), ir.Constant(_VECTOR, [0.0] * LANES)
        row = v.row(arguments[1], LANES - 1)
        for k in reversed(range(LANES - 1)):  # Horner's rule on all columns at once
            along = v.add(v.multiply(along, across), row)
            row = v.add(v.multiply(row, across), v.row(arguments[1], k))
        powers = v.powers(arguments[3])
        results = [
            v.total(v.multiply(row, powers)),
            v.total(v.multiply(along, powers)),
            v.total(v.multiply(row, v.slopes(powers))),
        ]
        return context.make_tuple(builder, types.UniTuple(types.float64, 3), results)

    number = types.float64
    return types.UniTuple(number, 3)(table, types.int64, number, number), generate


@njit(**INLINED)
def ratio_and_slope(cap, bound, r):
    """Return ``ρ(r)/r`` and ``ρ'(r)`` of a cap, as `fokkerplanck.model.Cap` defines them.

    Args:
        cap: number in `CAPS`.
        bound: its radius Λ.
        r: |θ|.
    """
    ratio = slope = 1.0
    if cap == 1 and r > bound:
        s = min(r / bound - 1.0, 1.0)
        s4 = s * s * s * s
        slope = 1.0 - s4 * (35.0 - s * (84.0 - s * (70.0 - 20.0 * s)))
        ratio = bound * (1.0 + s * (1.0 - s4 * (7.0 - s * (14.0 - s * (10.0 - 2.5 * s))))) / r
    elif cap == 2 and r > 0.0:
        t = tanh(r / bound)
        ratio, slope = bound * t / r, 1.0 - t * t
    elif cap == 3 and r > bound:
        ratio, slope = bound / r, 0.0
    return ratio, slope


@njit(**COMPILED, cache=True)
def evaluate_plane(table, start, level, grid, cap, bound, theta, value, gradient):
    """Fill the data term ``L(T θ)`` and its gradient at points of the plane.

    Args:
        table: coefficients of all parts, `LANES` rows each, flat.
        start: offset of each cell's first part; negative where there is no cell, shape (n²,).
        level: a cell has ``2^level`` parts in each direction, shape (n²,).
        grid: width of a cell, lowest coordinate, and number n of cells in a direction.
        cap: number in `CAPS`.
        bound: radius of the cap.
        theta: points before the cap, shape (2, P).
        value: result, shape (P,); NaN where the table ends.
        gradient: result, shape (2, P).

    Returns:
        How many points lie beyond the table.
    """
    width, low, across = grid
    beyond = 0
    for p in range(theta.shape[1]):
        a, b = theta[0, p], theta[1, p]
        r = math.sqrt(a * a + b * b)
        ratio, slope = ratio_and_slope(cap, bound, r)
        u, v = (ratio * a - low) / width, (ratio * b - low) / width
        cell = -1
        if u >= 0.0 and v >= 0.0 and u < across and v < across:
            i, j = int(u), int(v)
            cell = i * across + j
        if cell < 0 or start[cell] < 0:
            beyond += 1
            value[p] = math.nan
            continue
        parts = 1 << level[cell]
        u, v = (u - i) * parts, (v - j) * parts
        i, j = int(u), int(v)
        offset = start[cell] + (i * parts + j) * (LANES * LANES)
        f, g, h = _polynomial(table, offset, 2.0 * (u - i) - 1.0, 2.0 * (v - j) - 1.0)
        scale = 2.0 * parts / width
        g, h = scale * g, scale * h
        # the transposed Jacobian of the cap: (ρ/r)(I − e eᵀ) + ρ' e eᵀ
        pull = (slope - ratio) * (a * g + b * h) / (r * r) if ratio != slope else 0.0
        value[p], gradient[0, p], gradient[1, p] = f, ratio * g + pull * a, ratio * h + pull * b
    return beyond


@njit(**COMPILED, cache=True)
def evaluate_line(table, start, level, grid, cap, bound, theta, value, gradient):
    """The same for points of the line, of shape (1, P); a part has one row of coefficients."""
    width, low, across = grid
    beyond = 0
    for p in range(theta.shape[1]):
        a = theta[0, p]
        ratio, slope = ratio_and_slope(cap, bound, abs(a))
        u = (ratio * a - low) / width
        if not (u >= 0.0 and u < across):
            beyond += 1
            value[p] = math.nan
            continue
        i = int(u)
        parts = 1 << level[i]
        offset = start[i]
        u = (u - i) * parts
        i = int(u)
        offset += i * LANES
        x = 2.0 * (u - i) - 1.0
        f, g = table[offset + LANES - 1], 0.0
        for k in range(LANES - 2, -1, -1):
            g = g * x + f
            f = f * x + table[offset + k]
        value[p], gradient[0, p] = f, slope * g * (2.0 * parts / width)
    return beyond

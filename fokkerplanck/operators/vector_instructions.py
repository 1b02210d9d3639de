"""Vector instructions for the sum factorisation: operations on `LANES` numbers at once.

Arrays are flat here and hold `LANES` consecutive numbers, one per cell of a batch, for each node or
Gauss point; offsets and strides count numbers. The compiler, left to itself, vectorises loops over
lanes but goes through memory between any two operations; here a line of nodes stays in registers.
What is loaded is loaded before anything is stored, so arguments may be the same array.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

#: SIMD lanes, one for each cell of a batch; eight numbers are one vector of AVX-512, two of AVX2.
LANES = 8

_SHORT, _LONG = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_SINGLE = ir.VectorType(ir.FloatType(), LANES)
_FLAGS = ("contract", "reassoc", "nsz")


class _Builder:
    """Arithmetic on vectors, for the arguments of one intrinsic."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self._builder = builder
        pairs = zip(signature.args, arguments, strict=True)
        #: pointers to the data of arrays, other arguments as they are
        self.arguments = [
            context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in pairs
        ]

    def offset(self, base: Any, stride: Any, count: int) -> Any:
        """``base + count * stride``."""
        return self._builder.add(base, self._builder.mul(stride, ir.Constant(_LONG, count)))

    def load(self, data: Any, offset: Any) -> Any:
        """The vector at an offset."""
        vector = self._builder.load(self._place(data, offset, _VECTOR))
        vector.align = 8
        return vector

    def load_single(self, data: Any, offset: Any) -> Any:
        """The same, in double precision, from an array in single precision."""
        vector = self._builder.load(self._place(data, offset, _SINGLE))
        vector.align = 4
        return self._builder.fpext(vector, _VECTOR)

    def store(self, vector: Any, data: Any, offset: Any) -> None:
        """Write a vector to an offset."""
        self._builder.store(vector, self._place(data, offset, _VECTOR)).align = 8

    def entry(self, data: Any, index: int) -> Any:
        """A vector whose numbers all are one entry of an array."""
        place = self._builder.gep(data, [ir.Constant(_LONG, index)])
        return self.all(self._builder.load(place))

    def all(self, number: Any) -> Any:
        """A vector whose numbers are all the same."""
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = self._builder.insert_element(nothing, number, ir.Constant(_SHORT, 0))
        zeros = ir.Constant(ir.VectorType(_SHORT, LANES), [0] * LANES)
        return self._builder.shuffle_vector(first, nothing, zeros)

    def add(self, left: Any, right: Any) -> Any:
        """Sum."""
        return self._builder.fadd(left, right, flags=_FLAGS)

    def subtract(self, left: Any, right: Any) -> Any:
        """Difference."""
        return self._builder.fsub(left, right, flags=_FLAGS)

    def multiply(self, left: Any, right: Any) -> Any:
        """Product."""
        return self._builder.fmul(left, right, flags=_FLAGS)

    def dot(self, left: Sequence[Any], right: Sequence[Any]) -> Any:
        """Sum of products."""
        products = [self.multiply(a, b) for a, b in zip(left, right, strict=True)]
        total = products[0]
        for product in products[1:]:
            total = self.add(total, product)
        return total

    def _place(self, data: Any, offset: Any, kind: Any) -> Any:
        place = self._builder.gep(data, [offset])
        return self._builder.bitcast(place, kind.as_pointer())


def _line(swaps: bool, adds: bool) -> Callable[..., None]:
    """A matrix times one line of nodes.

    Its arguments are x, the offset and the stride of the line there, y, the same of the result
    there, the matrix by its even and its odd part in one flat array, and tuples as long as it has
    rows and columns.

    Args:
        swaps: the matrix swaps parity, as a derivative does, or keeps it.
        adds: the result is added to y.
    """

    @intrinsic
    def line(context, x, x_begin, x_stride, y, y_begin, y_stride, even_odd, rows, columns):  # type: ignore[no-untyped-def]
        def generate(*arguments: Any) -> Any:
            _write_line(_Builder(*arguments), rows.count, columns.count, swaps, adds)
            return arguments[0].get_dummy_value()

        offset = types.int64
        return types.void(x, offset, offset, y, offset, offset, even_odd, rows, columns), generate

    return line


def _write_line(v: _Builder, rows: int, columns: int, swaps: bool, adds: bool) -> None:
    """Write the code of one line, by even–odd decomposition.

    Row b of the matrix, read backwards, is row ``rows − 1 − b`` (minus that where parity is
    swapped). With x folded at its middle, both rows need the same two sums::

        x                x_0  x_1  x_2  x_3  x_4
        folded, even     x_0 + x_4,  x_1 + x_3,  x_2     S_b: with row b of the even part
        folded, odd      x_0 − x_4,  x_1 − x_3           K_b: with row b of the odd part

        y_b = S_b + K_b,   y_{rows − 1 − b} = S_b − K_b,  or  K_b − S_b where parity is swapped

    The row in the middle, if there is one, is even or, where parity is swapped, odd. The parts lie
    one after the other: ``(rows + 1) // 2`` rows of the middle's width, then as many narrower ones.
    """
    x, x_begin, x_stride, y, y_begin, y_stride, even_odd = v.arguments[:7]
    half, pairs, middle = columns // 2, rows // 2, (columns + 1) // 2
    values = [v.load(x, v.offset(x_begin, x_stride, a)) for a in range(columns)]
    mirrored = list(zip(values[:half], reversed(values), strict=False))
    even = [v.add(*pair) for pair in mirrored] + values[half:middle]
    odd = [v.subtract(*pair) for pair in mirrored]
    first_odd = (rows + 1) // 2 * middle

    def even_sum(b: int) -> Any:
        return v.dot([v.entry(even_odd, b * middle + a) for a in range(middle)], even)

    def odd_sum(b: int) -> Any:
        return v.dot([v.entry(even_odd, first_odd + b * half + a) for a in range(half)], odd)

    results = {}
    for b in range(pairs):
        S, K = even_sum(b), odd_sum(b)
        results[b] = v.add(S, K)
        results[rows - 1 - b] = v.subtract(K, S) if swaps else v.subtract(S, K)
    if rows % 2:
        results[pairs] = odd_sum(pairs) if swaps else even_sum(pairs)
    for b, result in results.items():
        place = v.offset(y_begin, y_stride, b)
        v.store(v.add(v.load(y, place), result) if adds else result, y, place)


#: Interpolation; derivative; transposed derivative, added.
interpolate_line = _line(swaps=False, adds=False)
differentiate_line = _line(swaps=True, adds=False)
differentiate_line_adding = _line(swaps=True, adds=True)


@intrinsic
def multiply_point(  # type: ignore[no-untyped-def]
    context,
    factors,
    begin,
    stride,
    scales,
    a,
    b,
    w,
    at,
    first,
    others,
    others_at,
    others_stride,
    axes,
):
    """Replace u by ``a c u`` and ∇u by ``b G ∇u`` at one Gauss point.

    Each number stands for `LANES` of them, one per cell, at these offsets::

        c, G_11, G_12, ...    begin, begin + stride, ...          of factors
        u                     at                                  of w
        ∂_1 u                 at                                  of first
        ∂_2 u, ∂_3 u          others_at, others_at + others_stride    of others

    Args:
        context: of the compiler.
        factors: c and the upper triangle of G, row by row, in single or double precision.
        begin: offset of c.
        stride: from one factor to the next.
        scales: what the factors are to be multiplied by, shape (LANES,).
        a: number.
        b: number.
        w: u.
        at: offset of u, and of its first derivative.
        first: first derivatives.
        others: the other derivatives.
        others_at: offset of the second derivative.
        others_stride: from there to the third one.
        axes: tuple of length m.
    """

    def generate(*arguments: Any) -> Any:
        _write_point(_Builder(*arguments), axes.count, factors.dtype == types.float32)
        return arguments[0].get_dummy_value()

    offset, number = types.int64, types.float64
    return types.void(
        factors, offset, offset, scales, number, number, w, offset, first, others, offset, offset,
        axes,
    ), generate  # fmt: skip


def _write_point(v: _Builder, m: int, single: bool) -> None:
    """Write the code of `multiply_point`."""
    factors, begin, stride, scales, a, b, w, at, first, others, others_at, others_stride, _ = (
        v.arguments
    )
    load = v.load_single if single else v.load
    mass, *triangle = (
        load(factors, v.offset(begin, stride, k)) for k in range(1 + m * (m + 1) // 2)
    )
    scale = v.load(scales, ir.Constant(_LONG, 0))
    places = [
        (first, at),
        *((others, v.offset(others_at, others_stride, k)) for k in range(m - 1)),
    ]
    stiffness = v.multiply(v.all(b), scale)
    gradient = [v.multiply(stiffness, v.load(*place)) for place in places]
    entries = iter(triangle)
    G: dict[tuple[int, int], Any] = {}
    for i in range(m):
        for j in range(i, m):
            G[i, j] = G[j, i] = next(entries)
    v.store(v.multiply(v.multiply(v.multiply(v.all(a), scale), mass), v.load(w, at)), w, at)
    for i, place in enumerate(places):
        v.store(v.dot([G[i, j] for j in range(m)], gradient), *place)

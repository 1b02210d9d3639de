"""The exponential on a Krylov space, accurate in every coordinate.

Far out a density is made of the late vectors of its Krylov basis alone, and their coordinates are
tiny: 1e-30 or less beside the first ones. Vectors are accurate relative to their local size
wherever they are, for the resolvent is, and so is a combination of them if every coordinate is
accurate relative to itself. Matrix functions in double precision are not: they err by rounding of
the largest coordinate. In ball arithmetic [Joh17] radii tell whether the bits were enough.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from fokkerplanck.runtime.arrays import Array

Ritz = npt.NDArray[np.complex128]
Ball = Any  #: of python-flint: ``arb`` on the line or ``acb`` in the plane

#: Bits to begin with, for the interpolation at least so many per Ritz value; and the most.
_FEWEST_BITS, _BITS_PER_VALUE, _MOST_BITS = 384, 4, 32_768

#: Largest radius of a coordinate, relative to itself or, if that is larger, to what is left of the
#: largest one at the end of double range.
_RADIUS, _SMALLEST = 1e-14, 1e-290

#: Relative change of Ritz values that stands for their rounding errors, and the largest change of a
#: coordinate, relative to itself, that it may make.
_NUDGE, _SENSITIVITY = 1e-15, 1e-9


def resolvent_exponential(hessenberg: Array, shift: float, time: float) -> Array | None:
    """First column of ``f(H)``, ``f(σ) = e^{−ts(1/σ − 1)}/σ``, each entry accurate to itself.

    The polynomial that interpolates f at the eigenvalues takes as many products with a vector as H
    has columns. Eigenvalues in double precision are mostly good enough; where others, different by
    rounding, give other entries, the exponential is computed by squaring, at forty times the cost.

    Args:
        hessenberg: H, upper Hessenberg, shape (k, k).
        shift: s > 0.
        time: t > 0.

    Returns:
        Shape (k,), or None where H has an eigenvalue left of zero, whose exponential would grow.
    """
    ritz = np.linalg.eigvals(hessenberg).astype(np.complex128)
    if ritz.real.min() <= 0.0:
        return None
    # conjugate values are nudged alike
    nudged = ritz * (1.0 + _NUDGE * np.cos(1e3 * np.abs(ritz)))
    column, other = (
        _settled(
            lambda nodes=nodes: _interpolated(hessenberg, nodes, shift, time),  # type: ignore[misc]
            max(_FEWEST_BITS, _BITS_PER_VALUE * len(ritz)),
        )
        for nodes in (ritz, nudged)
    )
    if np.all(np.abs(column - other) <= _SENSITIVITY * np.abs(column)):
        return column
    return _settled(lambda: _squared(hessenberg, shift, time), _FEWEST_BITS)


def _settled(compute: Callable[[], Sequence[Ball]], bits: int) -> Array:
    """Midpoints of balls, shape (k,), from so many bits that their radii are small."""
    while True:
        with flint.ctx.workprec(bits):
            balls = compute()
            values = np.array([float(ball.real.mid()) for ball in balls])
            radii = np.array([float(ball.rad()) for ball in balls])
        largest = float(np.max(np.abs(values)))
        if np.all(radii <= np.maximum(_RADIUS * np.abs(values), _SMALLEST * largest)):
            return values
        bits *= 2
        assert bits <= _MOST_BITS, "the exponential does not settle"


def _squared(hessenberg: Array, shift: float, time: float) -> Sequence[Ball]:
    """The column from the exponential of a matrix."""
    size = len(hessenberg)
    unit = flint.arb_mat(np.eye(size, dtype=np.int64).tolist())
    inverse = flint.arb_mat(hessenberg.tolist()).inv()
    first = flint.arb_mat(size, 1, [1] + [0] * (size - 1))
    column = inverse * ((-shift * flint.arb(time) * (inverse - unit)).exp() * first)
    entries: list[Ball] = column.entries()
    return entries


def _interpolated(hessenberg: Array, ritz: Ritz, shift: float, time: float) -> Sequence[Ball]:
    """The column from Newton's polynomial through the values at `ritz`, by Horner's scheme."""
    ordered = sorted(ritz.tolist(), key=lambda z: (-z.real, z.imag))
    is_real = not np.any(ritz.imag)
    nodes = _distinct([flint.arb(z.real) if is_real else flint.acb(z) for z in ordered])
    heights = _divided_differences(nodes, [_value(node, shift, time) for node in nodes])
    create = flint.arb_mat if is_real else flint.acb_mat
    size = len(nodes)
    matrix, first = create(hessenberg.tolist()), create(size, 1, [1] + [0] * (size - 1))
    result = heights[-1] * first
    for node, height in zip(nodes[-2::-1], heights[-2::-1], strict=True):
        result = matrix * result - node * result + height * first
    return [result[i, 0] for i in range(size)]


def _value(node: Ball, shift: float, time: float) -> Ball:
    """Return f at a node."""
    inverse = 1 / node
    return inverse * (shift * flint.arb(time) * (1 - inverse)).exp()


def _distinct(nodes: Sequence[Ball]) -> list[Ball]:
    """The nodes, repeated ones moved apart a bit."""
    apart = list(nodes[:1])
    for before, node in itertools.pairwise(nodes):
        apart.append(apart[-1] + flint.arb(2) ** -100 if node == before else node)
    return apart


def _divided_differences(nodes: Sequence[Ball], values: Sequence[Ball]) -> list[Ball]:
    """Coefficients of Newton's polynomial through the values at the nodes."""
    table = list(values)
    for order in range(1, len(nodes)):
        for k in range(len(nodes) - 1, order - 1, -1):
            table[k] = (table[k] - table[k - 1]) / (nodes[k] - nodes[k - order])
    return table

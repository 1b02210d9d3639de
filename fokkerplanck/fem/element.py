"""Lagrange elements on intervals, quadrilaterals and hexahedra as products of those on a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, reduce

import basix
import numpy as np

from fokkerplanck.runtime.arrays import Array, Indices

CELL_TYPES = {
    1: basix.CellType.interval,
    2: basix.CellType.quadrilateral,
    3: basix.CellType.hexahedron,
}


def tensor_order(points: Array) -> Indices:
    """Which point of a tensor grid (n^m, m) each entry of the C-ordered tensor (n, ..., n) is."""
    return np.lexsort(np.round(points, 12).T[::-1])


@dataclass(frozen=True)
class TensorElement:
    """Lagrange basis functions with Gauss–Lobatto–Legendre nodes, numbered as Basix does."""

    degree: int
    dimension: int  #: m

    @cached_property
    def line(self) -> basix.finite_element.FiniteElement:
        """The element on the unit interval."""
        return _basix_element(self.degree, 1)

    @cached_property
    def points(self) -> Array:
        """Nodes of the reference cell, shape (num_basis, m)."""
        return np.asarray(_basix_element(self.degree, self.dimension).points)

    @cached_property
    def order(self) -> Indices:
        """Which basis function each entry of the C-ordered product (n, ..., n) is."""
        return tensor_order(self.points)

    @cached_property
    def place(self) -> Indices:
        """Place of each basis function in the C-ordered product: the inverse of `order`."""
        return np.argsort(self.order)

    @cached_property
    def legendre(self) -> Array:
        """Legendre coefficients on (0, 1) of the functions on the line, by node, (n, n)."""
        nodes = np.sort(self.line.points[:, 0])
        return np.linalg.inv(np.polynomial.legendre.legvander(2.0 * nodes - 1.0, self.degree)).T

    def lines(self, x: Array) -> Array:
        """Basis functions on the line and their derivatives, by node, at x (P,): (2, P, n)."""
        by_node = np.argsort(self.line.points[:, 0])
        return np.asarray(self.line.tabulate(1, x[:, None])[:, :, by_node, 0])

    def table(self, reference: Array) -> Array:
        """Basis functions at reference points of shape (P, m), shape (P, num_basis)."""
        return self._product([self.lines(x)[0] for x in reference.T])

    def slopes(self, reference: Array) -> Array:
        """Derivatives of the basis functions at reference points (P, m), (m, P, num_basis)."""
        lines = [self.lines(x) for x in reference.T]
        axes = range(self.dimension)
        return np.stack([self._product([lines[k][int(k == a)] for k in axes]) for a in axes])

    def _product(self, factors: Sequence[Array]) -> Array:
        product = reduce(
            lambda left, right: np.einsum("p...,pj->p...j", left, right), factors
        ).reshape(len(factors[0]), len(self.place))
        return product[:, self.place]


@cache
def _basix_element(degree: int, dimension: int) -> basix.finite_element.FiniteElement:
    """The element of Basix, which takes long to make."""
    return basix.create_element(
        basix.ElementFamily.P, CELL_TYPES[dimension], degree, basix.LagrangeVariant.gll_warped
    )


def along_axes(matrices: Sequence[Array], values: Array) -> Array:
    """Apply one matrix per axis to tensors that have them in common.

    Args:
        matrices: m matrices of shape (a_k, b_k).
        values: shape (B, b_1···b_m), C-ordered.

    Returns:
        Shape (B, a_1···a_m), C-ordered.
    """
    done, (count, size) = values, values.shape
    # The last axis is worked on and goes first, until all are in their old places.
    for matrix in reversed(matrices):
        rest = size // matrix.shape[1]
        rows = done.reshape(count * rest, matrix.shape[1]) @ matrix.T
        done = rows.reshape(count, rest, len(matrix)).swapaxes(1, 2)
        size = rest * len(matrix)
    return done.reshape(count, size)

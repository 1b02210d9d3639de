"""Gauss' rule on the reference cell, as a tensor product of the one on a line."""

from dataclasses import dataclass
from functools import cache, cached_property, reduce

import basix
import numpy as np

from fokkerplanck.fem.element import CELL_TYPES, tensor_order
from fokkerplanck.fem.lagrange import barycentric_weights, differentiation_matrix, lagrange_basis
from fokkerplanck.runtime.arrays import Array, Indices


@dataclass(frozen=True)
class GaussRule:
    """Gauss points of the reference cell, numbered as Basix does, so that DOLFINx agrees.

    Arrays over Gauss points have this numbering; sums along one axis after the other want values
    as a C-ordered tensor, and ``values[:, rule.order].reshape(-1, n, ..., n)`` is one.
    """

    count: int  #: points n per axis
    dimension: int  #: m

    @property
    def degree(self) -> int:
        """Degree by which DOLFINx knows the rule, which is exact to one more."""
        return 2 * self.count - 2

    @cached_property
    def _points_and_weights(self) -> tuple[Array, Array]:
        points, weights = basix.make_quadrature(CELL_TYPES[self.dimension], self.degree)
        return points, weights

    @property
    def points(self) -> Array:
        """Points of the reference cell, shape (q, m)."""
        return self._points_and_weights[0]

    @property
    def weights(self) -> Array:
        """Their weights, shape (q,)."""
        return self._points_and_weights[1]

    @cached_property
    def order(self) -> Indices:
        """Which point each entry of the C-ordered tensor (n, ..., n) is."""
        return tensor_order(self.points)

    @cached_property
    def place(self) -> Indices:
        """Place of each point in the C-ordered tensor: the inverse of `order`."""
        return np.argsort(self.order)

    @property
    def nodes(self) -> Array:
        """The points of one axis, increasing on (0, 1), shape (n,)."""
        return gauss_line(self.count)[0]

    @property
    def line(self) -> tuple[Array, Array, Array]:
        """Points, weights and barycentric weights of one axis, as kernels take them, (n,) each."""
        return *gauss_line(self.count), self.barycentric

    @cached_property
    def barycentric(self) -> Array:
        """Barycentric weights of the points of one axis, shape (n,)."""
        return barycentric_weights(self.nodes)

    @cached_property
    def derivative(self) -> Array:
        """Derivatives on one axis, at its points, from values there, shape (n, n)."""
        matrix = differentiation_matrix(self.nodes)
        # exactly antisymmetric under reflection, as even–odd decomposition assumes
        return 0.5 * (matrix - matrix[::-1, ::-1])

    def tables(self, reference: Array) -> list[Array]:
        """Per axis, its Lagrange polynomials at reference points (P, m), shape (P, n) each."""
        return [lagrange_basis(x, self.nodes, self.barycentric) for x in reference.T]

    def interpolation(self, reference: Array) -> Array:
        """Matrix (P, q) from values at the Gauss points to those at reference points (P, m)."""
        product = reduce(
            lambda left, right: np.einsum("pi,pj->pij", left, right).reshape(len(reference), -1),
            self.tables(reference),
        )
        return np.take(product, self.place, axis=1)


@cache
def gauss_line(count: int) -> tuple[Array, Array]:
    """Gauss points on (0, 1), increasing, and their weights, shape (count,) each."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (points + 1.0), 0.5 * weights

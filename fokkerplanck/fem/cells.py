"""The curved cells' maps, at points of each cell or at the same points of all."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from fokkerplanck.fem.element import TensorElement, along_axes
from fokkerplanck.fem.point_kernels import evaluate, evaluate_with_slopes
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.runtime.arrays import Array, Indices


@dataclass(frozen=True, eq=False)
class CellMap:
    """The maps from the reference cell to some cells."""

    element: TensorElement  #: of the coordinates
    nodes: Array  #: geometry nodes of the cells, shape (C, n, m)

    @classmethod
    def of(cls, domain: Domain) -> Self:
        """The maps to the owned cells of a domain."""
        geometry, m = domain.mesh.geometry, domain.dimension
        cells = geometry.dofmaps[0][: domain.num_owned_cells]
        nodes = geometry.x[cells][..., :m].reshape(len(cells), cells.shape[1], m)
        return cls(TensorElement(domain.geometry_degree, m), nodes)

    @cached_property
    def tensor_nodes(self) -> Array:
        """Their coordinates as C-ordered tensors, shape (C, m, n, ..., n)."""
        m, n = self.element.dimension, self.element.degree + 1
        ordered = np.swapaxes(self.nodes[:, self.element.order], 1, 2)
        return np.ascontiguousarray(ordered).reshape(-1, m, *[n] * m)

    @cached_property
    def legendre(self) -> Array:
        """Coefficients of the maps by products of Legendre polynomials, as `tensor_nodes`."""
        nodes = self.tensor_nodes
        flat = nodes.reshape(-1, self.element.order.size)
        matrices = [self.element.legendre.T] * self.element.dimension
        return along_axes(matrices, flat).reshape(nodes.shape)

    @property
    def reference_nodes(self) -> Array:
        """Reference coordinates of the geometry nodes, shape (n, m)."""
        return self.element.points

    def points(self, cells: Indices, reference: Array) -> Array:
        """Images of reference points (P, m), each in its own cell (P,), shape (P, m)."""
        lines = [self.element.lines(x)[0] for x in reference.T]
        return evaluate(self.tensor_nodes, cells, lines)

    def __call__(self, cells: Indices, reference: Array) -> tuple[Array, Array]:
        """Map reference points, each in its own cell.

        Args:
            cells: local cell of each point, shape (P,).
            reference: reference points, shape (P, m).

        Returns:
            Points of shape (P, m) and Jacobians ``∂x_i/∂X_a`` of shape (P, m, m).
        """
        lines = [self.element.lines(x) for x in reference.T]
        return evaluate_with_slopes(self.tensor_nodes, cells, lines)


@dataclass(frozen=True)
class Geometry:
    """The cells' maps at reference points: shapes (C, q, m), (C, q, m, m) and (C, q)."""

    points: Array  #: where the reference points lie
    jacobians: Array  #: derivatives of the map, ``jacobians[c, q, i, a] = ∂x_i/∂X_a``
    determinants: Array  #: absolute value of the Jacobian determinant

    @cached_property
    def inverses(self) -> Array:
        """Inverse Jacobians ``∂X_a/∂x_i``, shape (C, q, m, m)."""
        return np.linalg.inv(self.jacobians)


def geometry_at(domain: Domain, reference: Array) -> Geometry:
    """Evaluate the maps of all owned cells at reference points of shape (q, m)."""
    cell_map = CellMap.of(domain)
    points = np.einsum(
        "qn,cni->cqi", cell_map.element.table(reference), cell_map.nodes, optimize=True
    )
    slopes = cell_map.element.slopes(reference)
    jacobians = np.einsum("aqn,cni->cqia", slopes, cell_map.nodes, optimize=True)
    return Geometry(points, jacobians, np.abs(np.linalg.det(jacobians)))

"""The curved cells' maps at reference points that differ from cell to cell."""

from dataclasses import dataclass
from functools import cached_property

import basix
import numpy as np
import numpy.typing as npt

from fokkerplanck.mesh import Domain

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CellMap:
    """The maps from the reference cell to the owned cells of a domain."""

    domain: Domain

    @cached_property
    def nodes(self) -> Array:
        """Geometry nodes of the owned cells, shape (C, n, m)."""
        geometry = self.domain.mesh.geometry
        cells = geometry.dofmaps[0][: self.domain.num_owned_cells]
        m = self.domain.dimension
        return geometry.x[cells][..., :m].reshape(len(cells), cells.shape[1], m)

    @property
    def _element(self) -> basix.finite_element.FiniteElement:
        return self.domain.mesh.ufl_domain().ufl_coordinate_element()._sub_element.basix_element

    @property
    def reference_nodes(self) -> Array:
        """Reference coordinates of the geometry nodes, shape (n, m)."""
        return self._element.points

    def table(self, order: int, reference: Array) -> Array:
        """Coordinate basis functions and derivatives up to `order`, shape (1 or 1 + m, P, n)."""
        return self._element.tabulate(order, reference)[..., 0]

    def points(self, cells: Indices, reference: Array) -> Array:
        """Images of reference points (P, m), each in its own cell (P,), shape (P, m)."""
        return np.einsum("pn,pni->pi", self.table(0, reference)[0], self.nodes[cells])

    def __call__(self, cells: Indices, reference: Array) -> tuple[Array, Array]:
        """Map reference points, each in its own cell.

        Args:
            cells: local cell of each point, shape (P,).
            reference: reference points, shape (P, m).

        Returns:
            Points of shape (P, m) and Jacobians ``∂x_i/∂X_a`` of shape (P, m, m).
        """
        table = self.table(1, reference)
        nodes = self.nodes[cells]
        points = np.einsum("pn,pni->pi", table[0], nodes)
        return points, np.einsum("apn,pni->pia", table[1:], nodes)

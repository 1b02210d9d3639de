"""Interpolation between spaces of different degree on one domain, and its transpose."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from dolfinx import la

from fokkerplanck.fem.lagrange import lagrange_basis
from fokkerplanck.operators.matrix_free import MatrixFree, even_odd
from fokkerplanck.operators.sum_kernels import transfer
from fokkerplanck.runtime.arrays import Array


@dataclass(frozen=True, eq=False)
class Prolongation:
    """Polynomial interpolation of u, so that constants stay what they are.

    Cells that share a node agree on its value there; it is their mean.
    """

    coarse: MatrixFree
    fine: MatrixFree

    @cached_property
    def _matrix(self) -> Array:
        """Interpolation along one axis, shape (n_fine, n_coarse)."""
        return lagrange_basis(self.fine.nodes, self.coarse.nodes)

    @cached_property
    def _mean(self) -> Array:
        """One over the number of cells at each fine node, owned entries. Collective at first."""
        counts = self.fine.vector()
        np.add.at(counts.array, self.fine.dofs, 1.0)
        counts.scatter_reverse(la.InsertMode.add)
        return 1.0 / counts.array[: self.fine.space.num_owned]

    def prolong(self, owned: Array) -> Array:
        """Owned coefficients of the fine space from those of the coarse one. Collective."""
        return self._mean * _move(self.coarse, self.fine, self._matrix, owned)

    def restrict(self, owned: Array) -> Array:
        """The transpose of `prolong`, which takes residuals to the coarse space. Collective."""
        return _move(self.fine, self.coarse, self._matrix.T, self._mean * owned)


def _move(source: MatrixFree, target: MatrixFree, matrix: Array, owned: Array) -> Array:
    """Sum over cells of the matrix along all axes. Collective."""
    u, v = source.buffers[0], target.buffers[1]
    u.array[: len(owned)] = owned
    u.scatter_forward()
    v.array[:] = 0.0
    sizes = (0,) * matrix.shape[1], (0,) * matrix.shape[0]
    axes = (0,) * source.space.domain.dimension
    transfer(source.dofs, target.dofs, u.array, v.array, *sizes, axes, even_odd(matrix))
    v.scatter_reverse(la.InsertMode.add)
    return v.array[: target.space.num_owned].copy()

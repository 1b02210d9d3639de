"""Mass and stiffness operators without matrices, on the cells that a rank owns."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from dolfinx import la

from fokkerplanck.fem.lagrange import lagrange_basis
from fokkerplanck.fem.space import Space
from fokkerplanck.operators.cell_batches import Factors, batches, drift_factors, factors
from fokkerplanck.operators.sum_kernels import apply_drift, apply_gibbs
from fokkerplanck.operators.vector_instructions import LANES
from fokkerplanck.runtime.arrays import Array


@dataclass(frozen=True, eq=False)
class MatrixFree:
    """``M = ∫ π φ_i φ_j`` and ``K = ∫ D π ∇φ_i·∇φ_j`` by sum factorisation.

    Args:
        space: of quadrilaterals or hexahedra.
        gibbs: π at the Gauss points, shape (C, q).
        diffusion: scalar D > 0.
        single: keep π and the geometry to seven digits, for half of the memory. The operator is
            another one then, with π and D that differ by 1e-7 of their local size.
    """

    space: Space
    gibbs: Array
    diffusion: float
    single: bool = False

    def __post_init__(self) -> None:
        """Refuse cells without a tensor product of two or three intervals."""
        if self.space.domain.dimension not in (2, 3):
            raise ValueError(
                "matrix-free operators need quadrilaterals or hexahedra, got dimension "
                f"{self.space.domain.dimension}"
            )

    @cached_property
    def nodes(self) -> Array:
        """Nodes of the basis along one axis, increasing, shape (n,)."""
        return np.sort(self.space.element.line.points[:, 0])

    @cached_property
    def _line(self) -> tuple[Array, Array]:
        """The basis along one axis and its derivative at the Gauss points, shape (q, n) each.

        By barycentric formulas, which are symmetric to rounding, as the kernels assume.
        """
        basis = lagrange_basis(self.space.rule.nodes, self.nodes)
        return basis, self.space.rule.derivative @ basis

    @cached_property
    def _matrices(self) -> tuple[Array, ...]:
        """The matrices along one axis by even–odd decomposition, as the kernels take them."""
        basis, derivative = self._line[0], self.space.rule.derivative
        return even_odd(basis), even_odd(basis.T), even_odd(derivative), even_odd(derivative.T)

    @cached_property
    def dofs(self) -> npt.NDArray[np.int32]:
        """Degrees of freedom, shape (batches, N * LANES); the last cell is repeated to the end."""
        dofs = self.space.dofs[:, self.space.element.order]
        missing = -len(dofs) % LANES
        padded = np.concatenate([dofs, np.repeat(dofs[-1:], missing, axis=0)])
        return batches(padded[..., None])[:, 0]

    @cached_property
    def _factors(self) -> Factors:
        return factors(self.space, self.gibbs, self.diffusion, self.single)

    def vector(self) -> la.Vector:
        """A zero vector with ghosts."""
        return la.vector(self.space.functions.dofmap.index_map)

    @cached_property
    def buffers(self) -> tuple[la.Vector, la.Vector]:
        """Where coefficients and results of ranks meet; making them anew takes long."""
        return self.vector(), self.vector()

    @cached_property
    def _arguments(self) -> tuple[object, ...]:
        """What all kernels take last."""
        space = self.space
        sizes = (0,) * (space.degree + 1), (0,) * space.gauss
        return (*sizes, (0,) * space.domain.dimension, self._matrices)

    @property
    def num_bytes(self) -> int:
        """Memory of this rank's factors and indices, in bytes."""
        return self._factors.num_bytes + int(self.dofs.nbytes)

    def add(self, u: la.Vector, result: la.Vector, mass: float, stiffness: float) -> None:
        """Add ``(mass M + stiffness K) u`` to the owned entries of a result. Collective.

        What the result has at ghosts must be zero; it is something else afterwards.
        """
        u.scatter_forward()
        values, scales = self._factors.values, self._factors.scales
        apply_gibbs(
            self.dofs, values, scales, mass, stiffness, u.array, result.array, *self._arguments
        )
        result.scatter_reverse(la.InsertMode.add)

    def apply(self, owned: Array, mass: float = 1.0, stiffness: float = 0.0) -> Array:
        """``(mass M + stiffness K) u`` on owned coefficients. Collective."""
        u, result = self.load(owned)
        self.add(u, result, mass, stiffness)
        return self._owned(result)

    def coupling(self, drift: Array) -> Callable[[Array], Array]:
        """The map from owned coefficients of u to ``∫ π u b·∇φ_i``, owned entries.

        It holds m numbers per Gauss point, and each call is collective.

        Args:
            drift: b at the Gauss points, shape (C, q, m).
        """
        factors = drift_factors(self.space, self.gibbs, drift)

        def apply(owned: Array) -> Array:
            u, result = self.load(owned)
            u.scatter_forward()
            apply_drift(self.dofs, factors, u.array, result.array, *self._arguments)
            result.scatter_reverse(la.InsertMode.add)
            return self._owned(result)

        return apply

    def diagonal(self, mass: float = 1.0, stiffness: float = 0.0) -> Array:
        """Diagonal of ``mass M + stiffness K`` on owned coefficients. Collective."""
        m = self.space.domain.dimension
        n, q = self._line[0].T.shape
        basis, derivative = self._line
        values = self._factors.values.reshape(len(self.dofs), -1, *(q,) * m, LANES)
        tables = {0: basis**2, 1: basis * derivative, 2: derivative**2}
        total = mass * _contract(values[:, 0], [tables[0]] * m)
        for k, (i, j) in enumerate(np.transpose(np.triu_indices(m))):
            counts = np.bincount([i, j], minlength=m)
            part = _contract(values[:, 1 + k], [tables[int(count)] for count in counts])
            total += (1.0 + (i != j)) * stiffness * part
        total = total.reshape(len(total), n**m, LANES) * self._factors.scales[:, None]
        result = self.vector()
        np.add.at(result.array, self.dofs, total.reshape(len(total), -1))
        result.scatter_reverse(la.InsertMode.add)
        return self._owned(result)

    def load(self, owned: Array) -> tuple[la.Vector, la.Vector]:
        """The buffers: owned coefficients, and zeros for the result."""
        u, result = self.buffers
        u.array[: len(owned)] = owned
        result.array[:] = 0.0
        return u, result

    def _owned(self, result: la.Vector) -> Array:
        return result.array[: self.space.num_owned].copy()


def even_odd(matrix: Array) -> Array:
    """Even, then odd part of a matrix that keeps or swaps parity, flat, as the kernels take it."""
    rows, columns = matrix.shape
    upper = matrix[: (rows + 1) // 2]
    even = 0.5 * (upper + upper[:, ::-1])[:, : (columns + 1) // 2]
    odd = 0.5 * (upper - upper[:, ::-1])[:, : columns // 2]
    return np.concatenate([even.ravel(), odd.ravel()])


def _contract(values: npt.NDArray[Any], tables: list[Array]) -> Array:
    """Sum values of shape (batches, q, ..., q, LANES) against tables (q, n) along each axis."""
    for axis, table in enumerate(tables, start=1):
        values = np.moveaxis(np.tensordot(values, table, axes=(axis, 0)), -1, axis)
    return values

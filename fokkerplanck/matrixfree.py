"""Mass and stiffness operators without matrices, on the cells that a rank owns."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from dolfinx import la

from fokkerplanck.simd import LANES
from fokkerplanck.space import Space, barycentric_weights, lagrange_basis
from fokkerplanck.sumkernels import apply_drift, apply_gibbs

Array = npt.NDArray[np.float64]

#: Cells whose factors are computed together, a multiple of the lanes.
_CHUNK = 60 * LANES


@dataclass(frozen=True, eq=False)
class MatrixFree:
    """``M = ∫ π φ_i φ_j`` and ``K = ∫ D π ∇φ_i·∇φ_j`` by sum factorisation.

    Args:
        space: of quadrilaterals or hexahedra.
        gibbs: π at the Gauss points, shape (C, q).
        diffusion: scalar D > 0.
    """

    space: Space
    gibbs: Array
    diffusion: float

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
        nodes, points = self.nodes, self.space.tensor_rule[1]
        basis = lagrange_basis(points, nodes, barycentric_weights(nodes))
        return basis, collocation(points) @ basis

    @cached_property
    def _matrices(self) -> tuple[Array, ...]:
        """Halves of the matrices along one axis, as the kernels take them."""
        basis, derivative = self._line[0], collocation(self.space.tensor_rule[1])
        return halves(basis), halves(basis.T), halves(derivative), halves(derivative.T)

    @cached_property
    def dofs(self) -> npt.NDArray[np.int32]:
        """Degrees of freedom, shape (batches, N * LANES); the last cell is repeated to the end."""
        dofs = self.space.dofs[:, self.space.element.order]
        missing = -len(dofs) % LANES
        padded = np.concatenate([dofs, np.repeat(dofs[-1:], missing, axis=0)])
        return _batches(padded[..., None])[:, 0]

    @cached_property
    def _factors(self) -> Array:
        """``π w det J`` and the triangle of ``D π w det J J^{-1} J^{-T}``, as the kernels' axes."""
        space, m = self.space, self.space.domain.dimension
        order, (i, j) = space.tensor_rule[0], np.triu_indices(m)
        jacobians, weights = space.geometry.jacobians, self.space.weights * self.gibbs
        values = np.empty((-(-len(weights) // LANES), 1 + len(i), len(order) * LANES))
        for begin in range(0, len(weights), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            inverse = np.linalg.inv(jacobians[part][:, order])
            metric = self.diffusion * (inverse @ inverse.swapaxes(2, 3))[..., i, j]
            scale = weights[part][:, order, None]
            packed = _batches(np.concatenate([scale, scale * metric], axis=2))
            values[begin // LANES :][: len(packed)] = packed
        return values

    def vector(self) -> la.Vector:
        """A zero vector with ghosts."""
        return la.vector(self.space.functions.dofmap.index_map)

    @cached_property
    def _arguments(self) -> tuple[object, ...]:
        """What all kernels take last."""
        space = self.space
        sizes = (0,) * (space.degree + 1), (0,) * space.gauss
        return (*sizes, (0,) * space.domain.dimension, self._matrices)

    @property
    def num_bytes(self) -> int:
        """Memory of this rank's factors and indices, in bytes."""
        return int(self._factors.nbytes + self.dofs.nbytes)

    def apply(self, owned: Array, mass: float = 1.0, stiffness: float = 0.0) -> Array:
        """``(mass M + stiffness K) u`` on owned coefficients. Collective."""
        source, result = self._load(owned)
        apply_gibbs(
            self.dofs, self._factors, mass, stiffness, source, result.array, *self._arguments
        )
        return self._owned(result)

    def coupling(self, drift: Array, owned: Array) -> Array:
        """``∫ π u b·∇φ_i`` for b of shape (C, q, m) at the Gauss points. Collective."""
        space = self.space
        order = space.tensor_rule[0]
        inner = np.linalg.solve(space.geometry.jacobians, drift[..., None])[..., 0]
        factors = _batches((inner * (space.weights * self.gibbs)[..., None])[:, order])
        source, result = self._load(owned)
        apply_drift(self.dofs, factors, source, result.array, *self._arguments)
        return self._owned(result)

    def diagonal(self, mass: float = 1.0, stiffness: float = 0.0) -> Array:
        """Diagonal of ``mass M + stiffness K`` on owned coefficients. Collective."""
        m = self.space.domain.dimension
        n, q = self._line[0].T.shape
        basis, derivative = self._line
        factors = self._factors.reshape(len(self.dofs), -1, *(q,) * m, LANES)
        tables = {0: basis**2, 1: basis * derivative, 2: derivative**2}
        total = mass * _contract(factors[:, 0], [tables[0]] * m)
        for k, (i, j) in enumerate(np.transpose(np.triu_indices(m))):
            counts = np.bincount([i, j], minlength=m)
            part = _contract(factors[:, 1 + k], [tables[int(count)] for count in counts])
            total += (1.0 + (i != j)) * stiffness * part
        result = self.vector()
        np.add.at(result.array, self.dofs, total.reshape(len(total), n**m * LANES))
        return self._owned(result)

    def _load(self, owned: Array) -> tuple[Array, la.Vector]:
        """Local coefficients with ghosts, and a zero vector for the result. Collective."""
        source = self.vector()
        source.array[: len(owned)] = owned
        source.scatter_forward()
        return source.array, self.vector()

    def _owned(self, result: la.Vector) -> Array:
        """Owned entries, with what other ranks have added to them. Collective."""
        result.scatter_reverse(la.InsertMode.add)
        return result.array[: self.space.num_owned].copy()


def _batches[T: np.generic](values: npt.NDArray[T]) -> npt.NDArray[T]:
    """Arrange values of shape (C, points, k) as (batches, k, points * LANES), zeros at the end."""
    cells, points, k = values.shape
    count = -(-cells // LANES)
    padded = np.zeros((count * LANES, points, k), dtype=values.dtype)
    padded[:cells] = values
    lanes = padded.reshape(count, LANES, points, k).transpose(0, 3, 2, 1)
    return np.ascontiguousarray(lanes).reshape(count, k, points * LANES)


def halves(matrix: Array) -> Array:
    """Even, then odd half of a matrix that keeps or swaps parity, flat, as the kernels take it."""
    rows, columns = matrix.shape
    upper = matrix[: (rows + 1) // 2]
    even = 0.5 * (upper + upper[:, ::-1])[:, : (columns + 1) // 2]
    odd = 0.5 * (upper - upper[:, ::-1])[:, : columns // 2]
    return np.concatenate([even.ravel(), odd.ravel()])


def collocation(nodes: Array) -> Array:
    """Derivative at the nodes of the polynomial through values at the nodes, shape (q, q)."""
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1.0)
    weights = 1.0 / np.prod(gaps, axis=1)
    matrix = weights / weights[:, None] / gaps
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    # exactly antisymmetric under reflection, as the kernels assume
    return 0.5 * (matrix - matrix[::-1, ::-1])


def _contract(values: Array, tables: list[Array]) -> Array:
    """Sum values of shape (batches, q, ..., q, LANES) against tables (q, n) along each axis."""
    for axis, table in enumerate(tables, start=1):
        values = np.moveaxis(np.tensordot(values, table, axes=(axis, 0)), -1, axis)
    return values

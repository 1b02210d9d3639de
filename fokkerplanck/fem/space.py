"""High-order Galerkin spaces, their Gauss points and what is tabulated there."""

from dataclasses import dataclass
from functools import cached_property

import basix
import basix.ufl
import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem, la

from fokkerplanck.fem.cells import Geometry, geometry_at
from fokkerplanck.fem.element import TensorElement, along_axes
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.runtime.arrays import Array


@dataclass(frozen=True)
class Space:
    """Continuous Lagrange elements on a domain, with a tensor-product Gauss rule.

    The Gauss points are those of the quadrature element of the weak forms, so what is tabulated
    here enters the matrices as it is.
    """

    domain: Domain
    degree: int
    gauss: int  #: Gauss points per direction

    @cached_property
    def functions(self) -> fem.FunctionSpace:
        """The DOLFINx function space."""
        cell = self.domain.mesh.basix_cell()
        variant = basix.LagrangeVariant.gll_warped
        return fem.functionspace(
            self.domain.mesh, basix.ufl.element("Lagrange", cell, self.degree, variant)
        )

    @cached_property
    def _others(self) -> dict[tuple[int, int], "Space"]:
        return {}

    def other(self, degree: int, gauss: int) -> "Space":
        """A space on the same domain, made once."""
        return self._others.setdefault((degree, gauss), Space(self.domain, degree, gauss))

    @cached_property
    def element(self) -> TensorElement:
        """The basis functions on the reference cell."""
        return TensorElement(self.degree, self.domain.dimension)

    @property
    def quadrature_degree(self) -> int:
        """Degree of the Gauss rule."""
        return 2 * self.gauss - 2

    @cached_property
    def rule(self) -> tuple[Array, Array]:
        """Reference points (q, m) and weights (q,) of the Gauss rule."""
        points, weights = basix.make_quadrature(
            self.domain.mesh.basix_cell(), self.quadrature_degree
        )
        return points, weights

    @cached_property
    def tensor_rule(self) -> tuple[npt.NDArray[np.int64], Array, Array, Array]:
        """The Gauss rule as a tensor product.

        Returns:
            The order that makes the q points a C-ordered (n, ..., n) array, the n points on (0, 1),
            their weights and their barycentric weights.
        """
        points = self.rule[0]
        order = np.lexsort(np.round(points, 12).T[::-1])
        legendre, weights = np.polynomial.legendre.leggauss(self.gauss)
        nodes = 0.5 * (legendre + 1.0)
        return order, nodes, 0.5 * weights, barycentric_weights(nodes)

    @property
    def dx(self) -> ufl.Measure:
        """Cell measure with the Gauss rule."""
        metadata = {"quadrature_degree": self.quadrature_degree, "quadrature_rule": "default"}
        return ufl.Measure("dx", self.domain.mesh, metadata=metadata)

    @cached_property
    def geometry(self) -> Geometry:
        """The cells' maps at the Gauss points."""
        return geometry_at(self.domain, self.rule[0])

    @property
    def points(self) -> Array:
        """Gauss points of the owned cells, shape (C, q, m)."""
        return self.geometry.points

    @cached_property
    def weights(self) -> Array:
        """Gauss weights times Jacobian determinants, shape (C, q)."""
        return self.geometry.determinants * self.rule[1]

    @cached_property
    def dofs(self) -> npt.NDArray[np.int32]:
        """Degrees of freedom of the owned cells, shape (C, num_basis)."""
        return self.functions.dofmap.list[: self.domain.num_owned_cells]

    @property
    def num_owned(self) -> int:
        """Degrees of freedom that this rank owns."""
        return int(self.functions.dofmap.index_map.size_local)

    @property
    def num_unknowns(self) -> int:
        """Degrees of freedom of all ranks."""
        return int(self.functions.dofmap.index_map.size_global)

    def table(self, reference: Array) -> Array:
        """Basis functions at reference points of shape (q, m), shape (q, num_basis)."""
        return self.element.table(reference)

    @cached_property
    def basis(self) -> Array:
        """Basis functions at the Gauss points, shape (q, num_basis)."""
        return self.table(self.rule[0])

    @cached_property
    def slopes(self) -> Array:
        """Derivatives of the basis functions at the Gauss points, shape (m, q, num_basis)."""
        return self.element.slopes(self.rule[0])

    def gauss_interpolation(self, reference: Array) -> Array:
        """Matrix (P, q) from values at the Gauss points to those at reference points (P, m)."""
        order, nodes, _, barycentric = self.tensor_rule
        factors = [lagrange_basis(column, nodes, barycentric) for column in reference.T]
        product = factors[0]
        for factor in factors[1:]:
            product = np.einsum("pi,pj->pij", product, factor).reshape(len(reference), -1)
        matrix = np.empty_like(product)
        matrix[:, order] = product
        return matrix

    def gradient(self, values: Array) -> Array:
        """∇f at the Gauss points, (C, q, m), of the function with values (C, q) there."""
        order, nodes, _, barycentric = self.tensor_rule
        n, m = len(nodes), self.domain.dimension
        slope = differentiation_matrix(nodes, barycentric)
        tensor = values[:, order].reshape(-1, *(n,) * m)
        partial = np.empty((*values.shape, m))
        for axis in range(m):
            along = np.moveaxis(np.tensordot(slope, tensor, (1, axis + 1)), 0, axis + 1)
            partial[:, order, axis] = along.reshape(len(values), -1)
        return np.linalg.solve(np.swapaxes(self.geometry.jacobians, 2, 3), partial[..., None])[
            ..., 0
        ]

    def with_ghosts(self, owned: Array) -> Array:
        """Local coefficients, ghosts too, from the owned ones of shape (num_owned,). Collective."""
        vector = self._vector
        vector.array[: self.num_owned] = owned
        vector.scatter_forward()
        return vector.array.copy()

    @cached_property
    def _vector(self) -> la.Vector:
        """Where values of ranks meet; making one anew takes longer than a product."""
        return fem.Function(self.functions).x

    def evaluate(self, owned: Array, basis: Array | None = None) -> Array:
        """Values (C, q) at the Gauss points, or where `basis` was tabulated. Collective."""
        local = self.with_ghosts(owned)[self.dofs]
        if basis is None and self.domain.dimension == 3:
            values = along_axes([self._line] * 3, local[:, self.element.order])
            return values[:, np.argsort(self.tensor_rule[0])]
        return local @ (self.basis if basis is None else basis).T

    def tested(self, values: Array) -> Array:
        """Sums ``Σ_q f φ_i`` of values (C, q) at the Gauss points, shape (C, num_basis)."""
        if self.domain.dimension == 3:
            sums = along_axes([self._line.T] * 3, values[:, self.tensor_rule[0]])
            return sums[:, self.element.place]
        return values @ self.basis

    @cached_property
    def _line(self) -> Array:
        """Basis functions of one axis at the Gauss points, shape (n_q, n)."""
        return self.element.lines(self.tensor_rule[1])[0]

    def interpolate(self, values: Array) -> Array:
        """Owned coefficients of the function with values (C, q) at the Gauss points. Collective.

        Where cells disagree at their common nodes the last one counts.
        """
        nodes = self.element.points
        coefficients = np.zeros(self._vector.array.size)
        coefficients[self.dofs] = values @ self.gauss_interpolation(nodes).T
        return coefficients[: self.num_owned]

    def quadrature_function(self, values: Array) -> fem.Function:
        """Quadrature-element function with values (C, q) or (C, q, m) at the Gauss points."""
        shape = values.shape[2:]
        element = basix.ufl.quadrature_element(
            self.domain.mesh.basix_cell(), shape, degree=self.quadrature_degree
        )
        function = fem.Function(fem.functionspace(self.domain.mesh, element))
        dofs = function.function_space.dofmap.list[: len(values)]
        local = function.x.array.reshape(-1, *shape)
        local[dofs] = values
        return function

    def assemble(self, local: Array) -> Array:
        """Sum cell vectors of shape (C, num_basis) into owned coefficients. Collective."""
        vector = self._vector
        size = vector.array.size
        vector.array[:] = np.bincount(self.dofs.ravel(), weights=local.ravel(), minlength=size)
        vector.scatter_reverse(la.InsertMode.add)
        return vector.array[: self.num_owned].copy()

    def load(self, values: Array) -> Array:
        """Load vector ``∫ f φ_i``; f has values (C, q) at the Gauss points. Collective."""
        return self.assemble(self.tested(self.weights * values))

    def integrate(self, values: Array) -> float:
        """Integral of a function with values (C, q) at the Gauss points. Collective."""
        return float(self.domain.comm.allreduce(np.sum(self.weights * values)))


def lagrange_basis(x: Array, nodes: Array, barycentric: Array) -> Array:
    """Lagrange polynomials of `nodes` at x of shape (P,), shape (P, n)."""
    gaps = x[:, None] - nodes
    exact = gaps == 0.0
    terms = barycentric / np.where(exact, 1.0, gaps)
    terms = np.where(exact.any(axis=1, keepdims=True), exact, terms)
    return terms / terms.sum(axis=1, keepdims=True)


def differentiation_matrix(nodes: Array, barycentric: Array) -> Array:
    """Derivatives at the nodes of the Lagrange polynomials, ``D[i, j] = ℓ_j'(x_i)``, (n, n)."""
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1.0)
    matrix = barycentric / barycentric[:, None] / gaps
    np.fill_diagonal(matrix, 0.0)
    return matrix - np.diag(matrix.sum(axis=1))


def barycentric_weights(nodes: Array) -> Array:
    """Barycentric weights of interpolation nodes, largest magnitude 1, shape (n,)."""
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1.0)
    weights = 1.0 / np.prod(gaps, axis=1)
    return weights / np.max(np.abs(weights))

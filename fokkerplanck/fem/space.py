"""High-order Galerkin spaces, their Gauss points and what is tabulated there."""

from dataclasses import dataclass
from functools import cached_property

import basix
import basix.ufl
import numpy as np
import numpy.typing as npt
from dolfinx import fem, la

from fokkerplanck.fem.cells import Geometry, geometry_at
from fokkerplanck.fem.element import TensorElement, along_axes
from fokkerplanck.fem.gauss import GaussRule
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import total

#: Gauss points per direction beyond the degree, for weights and cells that are no polynomials.
GAUSS_SURPLUS = 3


@dataclass(frozen=True)
class Space:
    """Continuous Lagrange elements on a domain, with a tensor-product Gauss rule.

    The Gauss points are those of the quadrature element of the weak forms, so what is tabulated
    here enters the matrices as it is.
    """

    domain: Domain
    degree: int
    gauss: int = 0  #: Gauss points per direction; by default `GAUSS_SURPLUS` more than the degree

    def __post_init__(self) -> None:
        """Fill in the default."""
        if self.gauss == 0:
            object.__setattr__(self, "gauss", self.degree + GAUSS_SURPLUS)

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

    @cached_property
    def rule(self) -> GaussRule:
        """The Gauss rule on the reference cell."""
        return GaussRule(self.gauss, self.domain.dimension)

    @cached_property
    def geometry(self) -> Geometry:
        """The cells' maps at the Gauss points."""
        return geometry_at(self.domain, self.rule.points)

    @property
    def points(self) -> Array:
        """Gauss points of the owned cells, shape (C, q, m)."""
        return self.geometry.points

    @cached_property
    def weights(self) -> Array:
        """Gauss weights times Jacobian determinants, shape (C, q)."""
        return self.geometry.determinants * self.rule.weights

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
        return self.table(self.rule.points)

    @cached_property
    def slopes(self) -> Array:
        """Derivatives of the basis functions at the Gauss points, shape (m, q, num_basis)."""
        return self.element.slopes(self.rule.points)

    def gauss_interpolation(self, reference: Array) -> Array:
        """Matrix (P, q) from values at the Gauss points to those at reference points (P, m)."""
        return self.rule.interpolation(reference)

    def gradient(self, values: Array) -> Array:
        """∇f at the Gauss points, (C, q, m), of the function with values (C, q) there."""
        rule, m = self.rule, self.domain.dimension
        tensor = values[:, rule.order].reshape(-1, *(rule.count,) * m)
        partial = np.empty((*values.shape, m))
        for axis in range(m):
            along = np.moveaxis(np.tensordot(rule.derivative, tensor, (1, axis + 1)), 0, axis + 1)
            partial[:, rule.order, axis] = along.reshape(len(values), -1)
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
            return values[:, self.rule.place]
        return local @ (self.basis if basis is None else basis).T

    def tested(self, values: Array) -> Array:
        """Sums ``Σ_q f φ_i`` of values (C, q) at the Gauss points, shape (C, num_basis)."""
        if self.domain.dimension == 3:
            sums = along_axes([self._line.T] * 3, values[:, self.rule.order])
            return sums[:, self.element.place]
        return values @ self.basis

    @cached_property
    def _line(self) -> Array:
        """Basis functions of one axis at the Gauss points, shape (n_q, n)."""
        return self.element.lines(self.rule.nodes)[0]

    def interpolate(self, values: Array) -> Array:
        """Owned coefficients of the function with values (C, q) at the Gauss points. Collective.

        Where cells disagree at their common nodes the last one counts.
        """
        nodes = self.element.points
        coefficients = np.zeros(self._vector.array.size)
        coefficients[self.dofs] = values @ self.gauss_interpolation(nodes).T
        return coefficients[: self.num_owned]

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
        return total(self.domain.comm, self.weights * values)

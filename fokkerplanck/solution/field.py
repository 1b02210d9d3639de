"""A function ``π u`` on the domain: values, integrals, sections and marginals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fokkerplanck.fem.cells import CellMap
from fokkerplanck.fem.location import Location, locate
from fokkerplanck.fem.point_kernels import evaluate, evaluate_with_slopes
from fokkerplanck.fem.quadrature.section_rules import section_rule
from fokkerplanck.fem.space import Space
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.runtime.arrays import Array, Indices
from fokkerplanck.runtime.ranks import largest, smallest

#: Points that are evaluated at once.
_CHUNK = 8192

#: Values (P, ...) at reference points (P, m), each in an owned cell (P,).
CellFunction = Callable[[Indices, Array], Array]


@dataclass(frozen=True, eq=False)
class Field:
    """The function ``π u`` with ``π = exp(−(V − min V)/D)`` and u in a Galerkin space.

    Inside a cell ``ln π`` is the polynomial through its values at the Gauss points, so that the
    function is known everywhere, whatever the potential was given by. Coefficients are distributed
    over ranks; every result is the same on all ranks.
    """

    operator: GibbsOperator
    coefficients: Array  #: owned coefficients of u, shape (num_owned,)

    def __post_init__(self) -> None:
        """Fetch the coefficients that other ranks own. Collective.

        Later it may be only some ranks that have points or samples in their cells.
        """
        _ = self._local

    @property
    def space(self) -> Space:
        """The space of u."""
        return self.operator.space

    @property
    def dimension(self) -> int:
        """Number of parameters m."""
        return self.space.domain.dimension

    @cached_property
    def at_gauss(self) -> Array:
        """Values at the owned Gauss points, shape (C, q). Collective at first use."""
        return self.operator.gibbs * self.space.evaluate(self.coefficients)

    def scaled(self, factor: float) -> "Field":
        """The function times a number. Collective."""
        return Field(self.operator, factor * self.coefficients)

    @property
    def integral(self) -> float:
        """Integral over the domain. Collective."""
        return self.space.integrate(self.at_gauss)

    def weighted(self, function: Callable[[Array], npt.ArrayLike]) -> Array:
        """``∫ f π u`` by the Gauss rule. Collective.

        Args:
            function: f, from points (P, m) to values (P,) or (P, k); P may be 0 on a rank.

        Returns:
            Scalar or shape (k,).
        """
        values = np.asarray(function(self.space.points.reshape(-1, self.dimension)))
        local = (self.space.weights * self.at_gauss).ravel() @ values
        return self.space.domain.comm.allreduce(local)

    @property
    def lowest(self) -> float:
        """Smallest value over Gauss points and nodes, never clipped. Collective."""
        at_nodes = self.in_all_cells(self.space.element.points)
        comm = self.space.domain.comm
        return min(smallest(comm, at_nodes), smallest(comm, self.at_gauss))

    @property
    def at_wall(self) -> float:
        """Largest absolute value at the Gauss points next to the boundary. Collective.

        No flux leaves the ball, so what should have left it is reflected: the error that this makes
        inside is of the size of the function at the boundary.
        """
        return self._largest_at_wall(self.at_gauss)

    @property
    def relative_at_wall(self) -> float:
        """The same of u: no error of u inside is larger, by the maximum principle. Collective."""
        return self._largest_at_wall(self.u_at_gauss)

    def _largest_at_wall(self, values: Array) -> float:
        comm, radii = self.space.domain.comm, np.linalg.norm(self.space.points, axis=2)
        outermost = radii > 0.995 * largest(comm, radii)
        return largest(comm, np.where(outermost, np.abs(values), 0.0))

    def values(self, points: npt.ArrayLike) -> Array:
        """Values (P,) at points of shape (P, m), the same on every rank. Collective.

        They are 0 outside the domain.
        """
        return Points.located(points, self.space).evaluate(self.in_cells, ())

    def in_cells(self, cells: Indices, reference: Array) -> Array:
        """Values (P,) at reference points (P, m), each in an owned cell (P,)."""
        lines = [self.space.element.lines(x)[0] for x in reference.T]
        u = evaluate(self._tensor, cells, lines)[:, 0]
        return self.gibbs_in_cells(cells, reference) * u

    def in_all_cells(self, reference: Array) -> Array:
        """Values (C, n) at the same reference points (n, m) in each owned cell."""
        log_gibbs = self.operator.log_gibbs @ self.space.gauss_interpolation(reference).T
        return np.exp(log_gibbs) * (self._local @ self.space.table(reference).T)

    def current_in_cells(self, cells: Indices, reference: Array) -> Array:
        """``−D π ∇u`` (P, m) at reference points (P, m), each in an owned cell (P,)."""
        lines = [self.space.element.lines(x) for x in reference.T]
        _, slopes = evaluate_with_slopes(self._tensor, cells, lines)
        _, jacobians = self._map(cells, reference)
        gradient = np.linalg.solve(np.swapaxes(jacobians, 1, 2), np.swapaxes(slopes, 1, 2))[..., 0]
        gibbs = self.gibbs_in_cells(cells, reference)
        return -self.operator.diffusion * gibbs[:, None] * gradient

    @cached_property
    def u_at_gauss(self) -> Array:
        """Values of u at the owned Gauss points, shape (C, q). Collective at first use."""
        return self.space.evaluate(self.coefficients)

    @cached_property
    def _local(self) -> Array:
        """Coefficients of u per owned cell, shape (C, num_basis). Collective at first use."""
        return self.space.with_ghosts(self.coefficients)[self.space.dofs]

    @cached_property
    def _tensor(self) -> Array:
        """The same as C-ordered tensors, shape (C, 1, n, ..., n)."""
        shape = [self.space.degree + 1] * self.dimension
        ordered = np.ascontiguousarray(self._local[:, self.space.element.order])
        return ordered.reshape(-1, 1, *shape)

    @cached_property
    def _tensor_log_gibbs(self) -> Array:
        """``ln π`` at the Gauss points as C-ordered tensors, shape (C, 1, n, ..., n)."""
        shape = [self.space.gauss] * self.dimension
        ordered = np.ascontiguousarray(self.operator.log_gibbs[:, self.space.rule.order])
        return ordered.reshape(-1, 1, *shape)

    @cached_property
    def _map(self) -> CellMap:
        return CellMap.of(self.space.domain)

    def gibbs_in_cells(self, cells: Indices, reference: Array) -> Array:
        """Values (P,) of π at reference points (P, m), each in an owned cell (P,)."""
        tables = self.space.rule.tables(reference)
        return np.exp(evaluate(self._tensor_log_gibbs, cells, tables)[:, 0])


@dataclass(frozen=True, eq=False)
class Points:
    """Points and the owned cells that hold them."""

    space: Space
    place: Location
    count: int  #: number of points, of all ranks

    @classmethod
    def located(cls, points: npt.ArrayLike, space: Space) -> "Points":
        """Find the cells of points of shape (P, m), the same on every rank. Collective."""
        at = np.asarray(points, dtype=np.float64)
        return cls(space, locate(space.domain, at), len(at))

    def evaluate(self, function: CellFunction, shape: tuple[int, ...]) -> Array:
        """Values (P, *shape), zero outside the domain, the same on every rank. Collective."""
        place, local = self.place, np.zeros((len(self.place.index), *shape))
        for i in range(0, len(local), _CHUNK):
            part = slice(i, i + _CHUNK)
            local[part] = function(place.cells[part], place.reference[part])
        return self.gathered(local)

    def gathered(self, local: Array) -> Array:
        """Values (P, ...) on every rank from those of this rank's points. Collective."""
        values = np.zeros((self.count, *local.shape[1:]))
        values[self.place.index] = local
        self.space.domain.comm.Allreduce(MPI.IN_PLACE, values, op=MPI.SUM)
        return values


def marginals(
    fields: Sequence[Field], axes: tuple[int, ...], positions: Array
) -> tuple[Array, Array, Indices]:
    """Values (k, Q) of k fields on the sections of a marginal, their weights, and the sections.

    Collective.

    Args:
        fields: on one domain.
        axes: the parameters that are kept, not all.
        positions: their values, shape (G, len(axes)).
    """
    points, weights, section = section_rule(fields[0].space.domain.recipe, axes, positions)
    at = Points.located(points, fields[0].space)
    return np.array([at.evaluate(field.in_cells, ()) for field in fields]), weights, section

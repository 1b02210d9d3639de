"""A probability density: values, integrals, moments, current, marginals and samples."""

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
from fokkerplanck.solution.sampling import draw

#: Points that are evaluated at once.
_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Density:
    """The density ``p = π u`` with ``π = exp(−(V − min V)/D)`` and u in a Galerkin space.

    Inside a cell ``ln π`` is the polynomial through its values at the Gauss points, so that p is
    known everywhere, whatever the potential was given by. Coefficients are distributed over ranks;
    every result is the same on all ranks.
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
        """Values of p at the owned Gauss points, shape (C, q). Collective at first use."""
        return self.operator.gibbs * self.space.evaluate(self.coefficients)

    def __call__(self, points: npt.ArrayLike) -> Array:
        """Values (P,) at points of shape (P, m), the same on every rank. Collective.

        They are 0 outside the domain.
        """
        return self._scattered(np.asarray(points, dtype=np.float64), self.in_cells, ())

    def current(self, points: npt.ArrayLike) -> Array:
        """Probability current ``J = −(D∇p + p∇V) = −D π ∇u``. Collective.

        Args:
            points: shape (P, m), the same on every rank.

        Returns:
            Shape (P, m); 0 outside the domain.
        """
        at = np.asarray(points, dtype=np.float64)
        return self._scattered(at, self._current_in_cells, (self.dimension,))

    def expectation(self, function: Callable[[Array], npt.ArrayLike]) -> Array:
        """``∫ f p`` by the Gauss rule. Collective.

        Args:
            function: f, from points (P, m) to values (P,) or (P, k); P may be 0 on a rank.

        Returns:
            Scalar or shape (k,).
        """
        values = np.asarray(function(self.space.points.reshape(-1, self.dimension)))
        local = (self.space.weights * self.at_gauss).ravel() @ values
        return self.space.domain.comm.allreduce(local)

    @property
    def mass(self) -> float:
        """``∫ p``. Collective."""
        return self.space.integrate(self.at_gauss)

    @property
    def mean(self) -> Array:
        """``∫ θ p``, shape (m,). Collective."""
        return self.expectation(lambda points: points)

    @property
    def covariance(self) -> Array:
        """``∫ (θ − mean)(θ − mean)ᵀ p``, shape (m, m). Collective."""
        mean, m = self.mean, self.dimension

        def products(points: Array) -> Array:
            offset = points - mean
            return (offset[:, :, None] * offset[:, None, :]).reshape(-1, m * m)

        return self.expectation(products).reshape(m, m)

    def moment(self, exponents: Sequence[int]) -> float:
        """``∫ θ_1^{a_1} ⋯ θ_m^{a_m} p`` for m exponents. Collective."""
        if len(exponents) != self.dimension:
            raise ValueError(
                f"moment needs {self.dimension} exponents, one per axis, got {len(exponents)}"
            )
        powers = np.array(exponents)
        return float(self.expectation(lambda points: np.prod(points**powers, axis=1)))

    @property
    def minimum(self) -> float:
        """Smallest value over Gauss points and nodes, never clipped. Collective."""
        at_nodes = self.in_all_cells(self.space.element.points)
        smallest = min(np.min(at_nodes, initial=np.inf), np.min(self.at_gauss, initial=np.inf))
        return float(self.space.domain.comm.allreduce(float(smallest), op=MPI.MIN))

    @property
    def l2_gibbs(self) -> float:
        """``∫ p² e^{V/D}``, which never grows in time. Collective."""
        relative = self.space.integrate(self.operator.gibbs * self._u_at_gauss**2)
        return float(relative * np.exp(self.operator.minimum / self.operator.diffusion))

    def marginal(self, axes: int | tuple[int, ...], grid: npt.ArrayLike) -> Array:
        """Marginal density of one or two parameters, by integrals over the others. Collective.

        Args:
            axes: which parameters.
            grid: their values, shape (G,) for one and (G, k) for k of them, the same on every rank.

        Returns:
            Shape (G,). With all parameters it is p itself.

        Raises:
            ValueError: the axes are not distinct or do not exist.
        """
        kept = (axes,) if isinstance(axes, int) else tuple(axes)
        if not kept or len(set(kept)) < len(kept) or not set(kept) <= set(range(self.dimension)):
            raise ValueError(
                f"marginal axis must lie in 0..{self.dimension - 1}, all different, got {axes}"
            )
        positions = np.asarray(grid, dtype=np.float64).reshape(-1, len(kept))
        if len(kept) == self.dimension:
            return self(positions[:, np.argsort(kept)])
        points, weights, section = section_rule(self.space.domain.recipe, kept, positions)
        return np.bincount(section, weights * self(points), minlength=len(positions))

    def sample(self, num: int, seed: int) -> Array:
        """Independent samples by exact rejection in each cell, shape (num, m). Collective.

        The random streams belong to cells, so the result does not depend on the number of ranks.
        """
        masses = np.sum(self.space.weights * self.at_gauss, axis=1)
        return draw(self.space.domain, masses, self.in_cells, self.at_gauss, num, seed)

    def in_cells(self, cells: Indices, reference: Array) -> Array:
        """Values (P,) at reference points (P, m), each in an owned cell (P,)."""
        lines = [self.space.element.lines(x)[0] for x in reference.T]
        u = evaluate(self._tensor, cells, lines)[:, 0]
        return self._gibbs_in_cells(cells, reference) * u

    def in_all_cells(self, reference: Array) -> Array:
        """Values (C, n) at the same reference points (n, m) in each owned cell."""
        log_gibbs = self.operator.log_gibbs @ self.space.gauss_interpolation(reference).T
        return np.exp(log_gibbs) * (self._local @ self.space.table(reference).T)

    @cached_property
    def _u_at_gauss(self) -> Array:
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

    def _gibbs_in_cells(self, cells: Indices, reference: Array) -> Array:
        tables = self.space.rule.tables(reference)
        return np.exp(evaluate(self._tensor_log_gibbs, cells, tables)[:, 0])

    def _current_in_cells(self, cells: Indices, reference: Array) -> Array:
        lines = [self.space.element.lines(x) for x in reference.T]
        _, slopes = evaluate_with_slopes(self._tensor, cells, lines)
        _, jacobians = self._map(cells, reference)
        gradient = np.linalg.solve(np.swapaxes(jacobians, 1, 2), np.swapaxes(slopes, 1, 2))[..., 0]
        gibbs = self._gibbs_in_cells(cells, reference)
        return -self.operator.diffusion * gibbs[:, None] * gradient

    def _scattered(
        self,
        points: Array,
        evaluate: Callable[[Indices, Array], Array],
        shape: tuple[int, ...],
    ) -> Array:
        """Evaluate in the cells that hold the points, and share the values. Collective."""
        place: Location = locate(self.space.domain, points)
        assert self._local is not None
        values = np.zeros((len(points), *shape))
        for i in range(0, len(place.index), _CHUNK):
            part = slice(i, i + _CHUNK)
            values[place.index[part]] = evaluate(place.cells[part], place.reference[part])
        self.space.domain.comm.Allreduce(MPI.IN_PLACE, values, op=MPI.SUM)
        return values

"""A probability density: values, moments, current, marginals and samples, each with its error."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.solution.companions import LEAST_PART, Companions
from fokkerplanck.solution.field import CellFunction, Field, Points, marginals
from fokkerplanck.solution.sampling import draw
from fokkerplanck.solution.uncertain import uncertain


@dataclass(frozen=True, eq=False)
class Density(Field):
    """The density ``p = π u`` of mass 1.

    Numbers and arrays that it returns have an ``uncertainty``, and its ``parts``, if the density
    comes from `solve`; they are plain otherwise.
    """

    companions: Companions | None = None  #: what errors are estimated from

    @classmethod
    def normalised(cls, raw: Field, companions: Companions | None = None) -> "Density":
        """The field divided by its mass. Collective."""
        return cls(raw.operator, raw.coefficients / raw.integral, companions)

    def __call__(self, points: npt.ArrayLike) -> Any:
        """Values (P,) at points of shape (P, m), the same on every rank. Collective.

        They are 0 outside the domain.
        """
        functions = [field.in_cells for field in self._fields]
        return self._at_points(Points.located(points, self.space), functions, (), 1.0)

    def current(self, points: npt.ArrayLike) -> Any:
        """Probability current ``J = −(D∇p + p∇V) = −D π ∇u``. Collective.

        Args:
            points: shape (P, m), the same on every rank.

        Returns:
            Shape (P, m); 0 outside the domain.
        """
        functions = [field.current_in_cells for field in self._fields]
        # what the wall reflects flows across it within a diffusive length of the cell's size
        reach = self.operator.diffusion / self.space.domain.recipe.radius
        at = Points.located(points, self.space)
        return self._at_points(at, functions, (self.dimension,), reach)

    def expectation(self, function: Callable[[Array], npt.ArrayLike]) -> Any:
        """``∫ f p`` by the Gauss rule. Collective.

        Args:
            function: f, from points (P, m) to values (P,) or (P, k); P may be 0 on a rank.

        Returns:
            Scalar or shape (k,).
        """
        value = self.weighted(function)
        if self.companions is None:
            return value
        space, comm = self.space, self.space.domain.comm
        f = np.abs(np.asarray(function(space.points.reshape(-1, self.dimension))))
        signed = [np.abs(value - self.companions.coarse.weighted(function))]
        first, second = (field.weighted(function) for field in self.companions.earlier)
        signed += [np.abs(value - first), np.abs(first - second)]
        sizes = [
            comm.allreduce((space.weights * gap).ravel() @ f)
            for gap in self.companions.sizes_at_gauss(self)
        ]
        gaps = [np.maximum(gap, LEAST_PART * size) for gap, size in zip(signed, sizes, strict=True)]
        size, reach = (
            comm.allreduce((space.weights * weight).ravel() @ f)
            for weight in (np.abs(self.at_gauss), np.ones_like(self.at_gauss))
        )
        return uncertain(value, self.companions.judged((gaps[0], gaps[1], gaps[2]), size, reach))

    @property
    def mass(self) -> Any:
        """``∫ p``. Collective."""
        value = self.integral
        if self.companions is None:
            return value
        return uncertain(value, {"rounding": self.companions.rounding * abs(value)})

    @property
    def minimum(self) -> Any:
        """Smallest value over Gauss points and nodes, never clipped. Collective."""
        lowest = np.array([field.lowest for field in self._fields])
        if self.companions is None:
            return float(lowest[0])
        distance, change, before = (np.abs(gap) for gap in self.companions.differences(lowest))
        parts = self.companions.judged((distance, change, before), lowest[0], np.array(1.0))
        return uncertain(lowest[0], parts)

    @property
    def mean(self) -> Any:
        """``∫ θ p``, shape (m,). Collective."""
        return self.expectation(lambda points: points)

    @property
    def covariance(self) -> Any:
        """``∫ (θ − mean)(θ − mean)ᵀ p``, shape (m, m). Collective."""
        mean, m = np.asarray(self.mean), self.dimension

        def products(points: Array) -> Array:
            offset = points - mean
            return (offset[:, :, None] * offset[:, None, :]).reshape(-1, m * m)

        found = self.expectation(products)
        square = np.asarray(found).reshape(m, m)
        if self.companions is None:
            return square
        return uncertain(square, {name: p.reshape(m, m) for name, p in found.parts.items()})

    def moment(self, exponents: Sequence[int]) -> Any:
        """``∫ θ_1^{a_1} ⋯ θ_m^{a_m} p`` for m exponents. Collective."""
        if len(exponents) != self.dimension:
            raise ValueError(
                f"moment needs {self.dimension} exponents, one per axis, got {len(exponents)}"
            )
        powers = np.array(exponents)
        return self.expectation(lambda points: np.prod(points**powers, axis=1))

    @property
    def uncertainty(self) -> Any:
        """Estimate of ``∫ |error of p|``, with its parts. Collective.

        Raises:
            ValueError: the density was made by hand, so that nothing is known of its error.
        """
        if self.companions is None:
            raise ValueError("uncertainty is known of densities from solve only, got another one")
        sizes = self.companions.sizes_at_gauss(self)
        distance, change, before = (np.array(self.space.integrate(size)) for size in sizes)
        volume = np.array(self.space.integrate(np.ones_like(self.at_gauss)))
        parts = self.companions.judged((distance, change, before), np.array(1.0), volume)
        return uncertain(sum(parts.values()), parts)

    @property
    def l2_gibbs(self) -> float:
        """``∫ p² e^{V/D}``, which never grows in time. Collective."""
        relative = self.space.integrate(self.operator.gibbs * self.u_at_gauss**2)
        return float(relative * np.exp(self.operator.minimum / self.operator.diffusion))

    def marginal(self, axes: int | tuple[int, ...], grid: npt.ArrayLike) -> Any:
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
        values, weights, section = marginals(self._fields, kept, positions)

        def summed(integrand: Array) -> Array:
            return np.bincount(section, weights * integrand, minlength=len(positions))

        marginal = summed(values[0])
        if self.companions is None:
            return marginal
        distance, change, before = (
            summed(np.abs(gap)) for gap in self.companions.differences(values)
        )
        length = summed(np.ones(values.shape[1]))
        return uncertain(
            marginal, self.companions.judged((distance, change, before), marginal, length)
        )

    def sample(self, num: int, seed: int) -> Array:
        """Independent samples by exact rejection in each cell, shape (num, m). Collective.

        The random streams belong to cells, so the result does not depend on the number of ranks.
        """
        masses = np.sum(self.space.weights * self.at_gauss, axis=1)
        return draw(self.space.domain, masses, self.in_cells, self.at_gauss, num, seed)

    @property
    def _fields(self) -> list[Field]:
        """This one and its companions."""
        return [self, *(self.companions.fields if self.companions else ())]

    def _at_points(
        self, at: Points, functions: Sequence[CellFunction], shape: tuple[int, ...], reach: float
    ) -> Any:
        """Values of the first function, judged by the others over the cells of the points."""
        values = at.evaluate(functions[0], shape)
        if self.companions is None:
            return values
        found, inverse = np.unique(at.place.cells, return_inverse=True)
        nodes = self.space.element.points
        cells, reference = np.repeat(found, len(nodes)), np.tile(nodes, (len(found), 1))
        at_nodes = np.array([function(cells, reference) for function in functions])
        gibbs = self.gibbs_in_cells(cells, reference).reshape(-1, *(1,) * len(shape))
        here = self.gibbs_in_cells(at.place.cells, at.place.reference)
        gaps = []
        for gap in self.companions.differences(at_nodes):
            relative = (np.abs(gap) / gibbs).reshape(len(found), len(nodes), *shape)
            largest = relative.max(axis=1)[inverse]
            gaps.append(at.gathered(here.reshape(-1, *(1,) * len(shape)) * largest))
        inside = at.gathered(np.full((len(here), *shape), reach))
        return uncertain(
            values, self.companions.judged((gaps[0], gaps[1], gaps[2]), values, inside)
        )

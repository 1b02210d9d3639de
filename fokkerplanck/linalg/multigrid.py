"""A multigrid cycle over polynomial degrees for ``M + K/s``, without matrices but the coarsest.

Degrees fall to three fifths on one mesh. Smoothing is a Chebyshev polynomial of the operator scaled
by its diagonal; nothing in it is a sum over the domain, so every part of it, and the cycle as a
whole, is accurate relative to the local size of π. The linear elements are left to a Cholesky
factorisation.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from dolfinx import la

from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.cholesky import CholeskySolver
from fokkerplanck.linalg.prolongation import Prolongation
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.operators.matrix_free import MatrixFree
from fokkerplanck.operators.sum_kernels import relax
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import total

#: Gauss points per direction beyond the degree. One is enough for smoothing; the accuracy of the
#: solution is that of the operator of which residuals are taken.
_SMOOTHING_SURPLUS = 1

#: Degree of a level, as a part of that of the next finer one.
_COARSENING = 0.6

#: Applications of the operator in a smoothing step beyond the degree: with it the ratio of the
#: eigenvalues grows that are to be damped. Long steps pay on stretched cells far out, where the
#: drift is strong.
_SURPLUS_APPLICATIONS = 4

#: The smoother damps eigenvalues between this part of the largest one and the largest one.
_DAMPED = 0.015

#: Steps of the Lanczos process that estimates the largest eigenvalue, and the margin added.
_LANCZOS_STEPS, _MARGIN = 12, 1.1


@dataclass(frozen=True, eq=False)
class Level:
    """``M + K/shift`` at one degree, and its smoother."""

    operator: MatrixFree
    shift: float

    @cached_property
    def inverse_diagonal(self) -> Array:
        """One over the diagonal, owned entries. Collective at first use."""
        return 1.0 / self.operator.diagonal(1.0, 1.0 / self.shift)

    @cached_property
    def largest(self) -> float:
        """Estimate of the largest eigenvalue of the scaled operator. Collective at first use.

        The start has entries of one size in the variables in which the diagonal is 1.
        """
        comm = self.operator.space.domain.comm
        scale = np.sqrt(self.inverse_diagonal)
        # any start without symmetries will do
        vector = np.cos(1e3 * np.arange(1.0, len(scale) + 1.0) ** 1.5)
        vector /= np.sqrt(total(comm, vector @ vector))
        previous = np.zeros_like(vector)
        diagonal, side = [], [0.0]
        for _ in range(min(_LANCZOS_STEPS, self.operator.space.num_unknowns)):
            image = scale * self.apply(scale * vector) - side[-1] * previous
            diagonal.append(total(comm, image @ vector))
            image -= diagonal[-1] * vector
            side.append(float(np.sqrt(total(comm, image @ image))))
            previous, vector = vector, image / side[-1]
        matrix = np.diag(diagonal) + np.diag(side[1:-1], 1) + np.diag(side[1:-1], -1)
        return float(_MARGIN * np.linalg.eigvalsh(matrix)[-1])

    def apply(self, u: Array) -> Array:
        """``(M + K/shift) u`` on owned coefficients. Collective."""
        return self.operator.apply(u, 1.0, 1.0 / self.shift)

    @cached_property
    def _buffers(self) -> tuple[la.Vector, la.Vector, Array]:
        """For coefficients, for their image, zero between applications, and for steps."""
        owned = np.zeros(self.operator.space.num_owned)
        return self.operator.vector(), self.operator.vector(), owned

    def prepare(self) -> None:
        """Compute all that smoothing needs. Collective."""
        assert self.largest > 0.0
        assert self._buffers

    @property
    def u(self) -> Array:
        """The owned coefficients that are smoothed."""
        return self._buffers[0].array[: self.operator.space.num_owned]

    def residual(self, load: Array) -> Array:
        """``load − (M + K/shift) u``, owned entries. Collective."""
        self._add_image()
        image = self._buffers[1].array
        residual = load - image[: len(load)]
        image[:] = 0.0
        return residual

    def smooth(self, load: Array, start: bool) -> None:
        """Improve u by a Chebyshev polynomial in the scaled operator. Collective.

        Args:
            load: right side, owned entries.
            start: begin with zero.
        """
        u, image, step = self._buffers
        step[:] = 0.0
        if start:
            self.u[:] = 0.0
        count = self.operator.space.degree + _SURPLUS_APPLICATIONS
        for k, (keep, gain) in enumerate(chebyshev(self.largest, count)):
            if k > 0 or not start:
                self._add_image()
            relax(load, image.array, self.inverse_diagonal, step, u.array, keep, gain)

    def _add_image(self) -> None:
        u, image, _ = self._buffers
        # what is there has gone to its owner long since
        image.array[self.operator.space.num_owned :] = 0.0
        self.operator.add(u, image, 1.0, 1.0 / self.shift)


def chebyshev(largest: float, count: int) -> Iterator[tuple[float, float]]:
    """Factors of the last step and of the residual in each step of a Chebyshev iteration."""
    center, radius = 0.5 * (1.0 + _DAMPED) * largest, 0.5 * (1.0 - _DAMPED) * largest
    rho = radius / center
    yield 0.0, 1.0 / center
    for _ in range(count - 1):
        following = 1.0 / (2.0 * center / radius - rho)
        yield following * rho, 2.0 * following / radius
        rho = following


class Multigrid:
    """One symmetric V-cycle from zero: an approximation of ``(M + K/shift)^{-1}``."""

    def __init__(self, operator: GibbsOperator, shift: float) -> None:
        """Set up all levels. Collective."""
        degrees = [operator.space.degree]
        while (degree := int(_COARSENING * degrees[-1])) > 1:
            degrees.append(degree)
        other = operator.space.other
        spaces = [other(degree, degree + _SMOOTHING_SURPLUS) for degree in degrees]
        # both number their unknowns alike
        assert np.array_equal(spaces[0].dofs, operator.space.dofs)
        self.levels = [Level(_on(space, operator), shift) for space in spaces]
        coarsest = other(1, 1 + _SMOOTHING_SURPLUS)
        self._coarsest = _Coarsest(operator, coarsest, shift)
        operators = [level.operator for level in self.levels] + [_on(coarsest, operator)]
        self._transfers = [
            Prolongation(coarse, fine) for fine, coarse in itertools.pairwise(operators)
        ]
        # now rather than in the first cycle, so that memory is short here or nowhere
        for level in self.levels:
            level.prepare()

    @property
    def degrees(self) -> tuple[int, ...]:
        """Degrees of the levels, the finest first."""
        return (*(level.operator.space.degree for level in self.levels), 1)

    def apply(self, load: Array) -> Array:
        """The cycle applied to owned entries of a load vector. Collective."""
        return self._cycle(0, load).copy()

    def _cycle(self, depth: int, load: Array) -> Array:
        if depth == len(self.levels):
            return self._coarsest.solve(load)
        level, transfer = self.levels[depth], self._transfers[depth]
        level.smooth(load, start=True)
        residual = transfer.restrict(level.residual(load))
        level.u[:] += transfer.prolong(self._cycle(depth + 1, residual))
        level.smooth(load, start=False)
        return level.u


class _Coarsest:
    """The Cholesky factorisation at degree 1."""

    def __init__(self, operator: GibbsOperator, space: Space, shift: float) -> None:
        """Factor. Collective."""
        table = operator.space.gauss_interpolation(space.rule.points)
        linear = GibbsOperator(space, operator.potential @ table.T, operator.diffusion)
        self._resolvent = CholeskySolver(linear, shift)
        # The smallest V over its Gauss points differs, and with it the scale of π.
        self._scale = np.exp((operator.minimum - linear.minimum) / operator.diffusion)

    def solve(self, load: Array) -> Array:
        """Solve for the owned coefficients. Collective."""
        return self._resolvent.solve(load / self._scale)


def _on(space: Space, operator: GibbsOperator) -> MatrixFree:
    """The operator on a space of another degree, with π from the polynomial through ``ln π``."""
    table = operator.space.gauss_interpolation(space.rule.points)
    gibbs = np.exp(operator.log_gibbs @ table.T)
    return MatrixFree(space, gibbs, operator.diffusion, single=True)

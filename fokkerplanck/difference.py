"""The scaled difference ``N(p − p^N)``, solved for together with ``p^N`` and never subtracted.

With ``p^N = π_N u`` and ``N(p − p^N) = π z``, the equation ``∂_t e = ∇·(D∇e + e∇V) +
∇·(p^N ∇(V − V_N))`` for ``e = p − p^N`` gives the block lower-triangular system

    M_N u' = −K_N u,        M z' = −K z − B u,        B_ij = ∫ π_N φ_j N∇(V − V_N)·∇φ_i .

The sharp limit q of ``N(p − p^N)`` obeys the same system with ``π_N = π`` and ``∇ℓ`` for
``N∇(V − V_N)``.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fokkerplanck.evolution import STRIDE, Evolution, KrylovSpace
from fokkerplanck.linearsolver import AUTOMATIC, LinearSolver, SolverOptions
from fokkerplanck.operators import GibbsOperator

Array = npt.NDArray[np.float64]

#: Most Krylov vectors, in units of the square root of shift times horizon.
_VECTORS = 32.0


@dataclass(frozen=True)
class Propagator:
    """An operator with its resolvent."""

    operator: GibbsOperator
    shift: float  #: s > 0
    options: SolverOptions = AUTOMATIC

    @cached_property
    def _resolvent(self) -> LinearSolver:
        """The resolvent. Collective at first use."""
        return self.options.create(self.operator, self.shift)

    @property
    def description(self) -> str:
        """One line on the linear solver. Collective at first use."""
        return self._resolvent.description

    def solve(self, load: Array) -> Array:
        """``(M + K/s)^{-1}`` applied to a load vector. Collective."""
        return self._resolvent.solve(load)

    def step(self, coefficients: Array) -> Array:
        """The resolvent ``(1 + L/s)^{-1}`` applied to coefficients. Collective."""
        return self.solve(self.operator.apply_mass(coefficients))

    def evolve(self, load: Array, times: tuple[float, ...], tolerance: float) -> Evolution:
        """``e^{−tL}`` applied to the density with this load vector. Collective.

        Args:
            load: ``∫ p_0 φ_i``, owned entries.
            times: where the Krylov error estimate must meet the tolerance.
            tolerance: relative, in the norm of the basis.
        """
        krylov = KrylovSpace(
            self.step,
            self.solve(load),
            self.operator.krylov_weights,
            self.operator.space.domain.comm,
            self.shift,
        )
        return krylov.evolve(times, tolerance)


@dataclass(frozen=True)
class DifferenceEvolution:
    """Dense output of ``u`` and ``z`` in time."""

    perturbed: GibbsOperator  #: operator of V_N, relative to which u is the density p^N
    exact: GibbsOperator  #: operator of V, relative to which z is the scaled difference
    krylov: KrylovSpace  #: of the stacked pair (u, scale·z)
    evolution: Evolution  #: on it
    scale: float  #: makes both blocks of one size in the Krylov norm
    is_refined: bool = False  #: whether coordinates that are accurate far out have been asked for

    @property
    def num_owned(self) -> int:
        """Owned unknowns of one block."""
        return self.exact.space.num_owned

    def extended(self, steps: int) -> "DifferenceEvolution | None":
        """The same with more basis vectors, or None if so many are not allowed. Collective."""
        evolution = self.krylov.extended(steps)
        if evolution is None:
            return None
        larger = replace(self, evolution=evolution)
        return larger.refined() if self.is_refined else larger

    def refined(self) -> "DifferenceEvolution":
        """The same with coordinates on the basis that are accurate far out."""
        return replace(self, evolution=self.evolution.refined(), is_refined=True)

    def density(self, time: float) -> Array:
        """Owned coefficients of u, scaled to mass 1 against Krylov errors. Collective."""
        return self.evolution.coefficients(time)[: self.num_owned] / self.mass(time)

    def mass(self, time: float) -> float:
        """Mass ``∫ π_N u`` before that scaling. Collective."""
        space = self.perturbed.space
        coefficients = self.evolution.coefficients(time)[: self.num_owned]
        return space.integrate(self.perturbed.gibbs * space.evaluate(coefficients))

    def difference(self, time: float, size: int | None = None) -> Array:
        """Owned coefficients of z, optionally from the first `size` basis vectors only."""
        return self.evolution.coefficients(time, size)[self.num_owned :] / self.scale

    def difference_rounding(self, time: float) -> Array:
        """Rounding errors of the owned coefficients of z."""
        return self.evolution.rounding(time)[self.num_owned :] / self.scale

    def functional(self, on_density: Array, on_difference: Array) -> Array:
        """Functionals of (u, z), each (j, num_owned), on the basis: (j, k). Collective."""
        return self.evolution.functional(np.hstack([on_density, on_difference / self.scale]))


def evolve_difference(
    perturbed: Propagator,
    exact: Propagator,
    drift: Array,
    load: Array,
    times: tuple[float, ...],
    tolerance: float,
) -> DifferenceEvolution:
    """Solve for ``p^N`` and ``N(p − p^N)`` from the same initial density. Collective.

    Args:
        perturbed: propagator of V_N (for the sharp limit: the same object as `exact`).
        exact: propagator of V, on the same space and with the same shift.
        drift: ``N∇(V − V_N)`` at the Gauss points, shape (C, q, m) (for the limit: ∇ℓ).
        load: ``∫ p_0 φ_i``, owned entries.
        times: where the Krylov error estimate must meet the tolerance.
        tolerance: relative, in the norm of the basis.

    Raises:
        KrylovError: the tolerance cannot be met.
    """
    shift, comm = exact.shift, exact.operator.space.domain.comm
    n = exact.operator.space.num_owned
    couple = perturbed.operator.coupling(drift)

    def respond(source: Array, u: Array) -> Array:
        return exact.solve(source - couple(u) / shift)

    u = perturbed.solve(load)
    z = respond(np.zeros(n), u)
    weights = [perturbed.operator.krylov_weights, exact.operator.krylov_weights]
    sizes = [comm.allreduce(float(d @ v**2)) for d, v in zip(weights, (u, z), strict=True)]
    scale = float(np.sqrt(sizes[0] / sizes[1])) if sizes[1] > 0 else 1.0

    def step(pair: Array) -> Array:
        u = perturbed.step(pair[:n])
        z = respond(exact.operator.apply_mass(pair[n:]) / scale, u)
        return np.concatenate([u, scale * z])

    krylov = KrylovSpace(
        step,
        np.concatenate([u, scale * z]),
        np.concatenate(weights),
        comm,
        shift,
        STRIDE * math.ceil(_VECTORS * math.sqrt(shift * max(times)) / STRIDE),
    )
    evolution = krylov.evolve(times, tolerance)
    return DifferenceEvolution(perturbed.operator, exact.operator, krylov, evolution, scale)

"""The scaled difference ``N(p − p^N)``, solved for together with p and never subtracted.

With ``p = π u`` and ``N(p − p^N) = π_N z``, the equation ``∂_t e = ∇·(D∇e + e∇V_N) +
∇·(p ∇(V − V_N))`` for ``e = p − p^N`` gives the block lower-triangular system

    M u' = −K u,        M_N z' = −K_N z − B u,        B_ij = ∫ π φ_j N∇(V − V_N)·∇φ_i .

The sharp limit q of ``N(p − p^N)`` obeys the same system with ``π_N = π`` and ``∇ℓ`` for
``N∇(V − V_N)``.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fokkerplanck.difference.recycling import Leading
from fokkerplanck.evolution.dense_output import Evolution
from fokkerplanck.evolution.krylov import Bound, KrylovSpace
from fokkerplanck.evolution.propagator import Propagator, largest_basis
from fokkerplanck.operators.gibbs import GibbsOperator

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Functionals:
    """Linear functionals of ``(u, z)``, known at all times from their values on the basis."""

    on_density: Array  #: owned entries, shape (j, num_owned)
    on_difference: Array  #: same shape


@dataclass(frozen=True)
class DifferenceEvolution:
    """Dense output of ``u`` and ``z`` in time."""

    exact: GibbsOperator  #: operator of V, relative to which u is the density p
    perturbed: GibbsOperator  #: operator of V_N, relative to which z is the scaled difference
    leading: Leading  #: what u is represented by
    krylov: KrylovSpace  #: of the stacked pair (u, scale·z)
    evolution: Evolution  #: on it
    scale: float  #: makes both blocks of one size in the Krylov norm
    is_refined: bool = False  #: whether coordinates that are accurate far out have been asked for

    @property
    def _split(self) -> int:
        """Where the second block begins."""
        return len(self.leading.start)

    def extended(self, steps: int) -> "DifferenceEvolution":
        """The same with more basis vectors, as many as `KrylovSpace.can_grow` allows. Collective.

        What was before may be used no longer if the basis is bounded.
        """
        larger = replace(self, evolution=self.krylov.extended(steps))
        return larger.refined() if self.is_refined else larger

    def refined(self) -> "DifferenceEvolution":
        """The same with coordinates on the basis that are accurate far out."""
        return replace(self, evolution=self.evolution.refined(), is_refined=True)

    def density(self, time: float) -> Array:
        """Owned coefficients of u, scaled to mass 1 against Krylov errors. Collective."""
        return self._unscaled(time) / self.mass(time)

    def mass(self, time: float) -> float:
        """Mass ``∫ π u`` before that scaling. Collective."""
        space = self.exact.space
        return space.integrate(self.exact.gibbs * space.evaluate(self._unscaled(time)))

    def difference(self, time: float, size: int | None = None) -> Array:
        """Owned coefficients of z, optionally from the first `size` basis vectors only."""
        return self.evolution.coefficients(time, size)[self._split :] / self.scale

    def difference_rounding(self, time: float) -> Array:
        """Rounding errors of the owned coefficients of z."""
        return self.evolution.rounding(time)[self._split :] / self.scale

    def _unscaled(self, time: float) -> Array:
        return self.leading.coefficients(self.evolution.coefficients(time)[: self._split])


def evolve_difference(
    exact: GibbsOperator,
    perturbed: Propagator,
    leading: Leading,
    drift: Array,
    times: tuple[float, ...],
    tolerance: float,
    functionals: Functionals | None = None,
    bound: Bound | None = None,
) -> DifferenceEvolution:
    """Solve for p and ``N(p − p^N)`` from the same initial density. Collective.

    Args:
        exact: operator of V.
        perturbed: propagator of V_N (for the sharp limit: of V), on the same space.
        leading: p, with the same shift.
        drift: ``N∇(V − V_N)`` at the Gauss points, shape (C, q, m) (for the limit: ∇ℓ).
        times: where the Krylov error estimate must meet the tolerance.
        tolerance: relative, in the norm of the basis.
        functionals: to be known of the pair; none by default.
        bound: of the pairs held at a time; none by default.

    Raises:
        KrylovError: the tolerance cannot be met.
    """
    shift, comm = perturbed.shift, exact.space.domain.comm
    weights = leading.weights, perturbed.operator.krylov_weights
    split = len(leading.start)
    couple = exact.coupling(drift)

    def respond(source: Array, block: Array) -> Array:
        return perturbed.solve(source - couple(leading.coefficients(block)) / shift)

    z = respond(np.zeros(exact.space.num_owned), leading.start)
    sizes = [
        comm.allreduce(float(d @ v**2)) for d, v in zip(weights, (leading.start, z), strict=True)
    ]
    scale = float(np.sqrt(sizes[0] / sizes[1])) if sizes[1] > 0 else 1.0

    def step(pair: Array) -> Array:
        block = leading.step(pair[:split])
        z = respond(perturbed.operator.apply_mass(pair[split:]) / scale, block)
        return np.concatenate([block, scale * z])

    def observe(pair: Array) -> Array:
        if functionals is None:
            return np.empty(0)
        on_density = functionals.on_density @ leading.coefficients(pair[:split])
        return on_density + functionals.on_difference @ pair[split:] / scale

    krylov = KrylovSpace(
        step,
        np.concatenate([leading.start, scale * z]),
        np.concatenate(weights),
        comm,
        shift,
        largest_basis(shift, max(times)),
        observe,
        bound,
    )
    evolution = krylov.evolve(times, tolerance)
    return DifferenceEvolution(exact, perturbed.operator, leading, krylov, evolution, scale)

"""The scaled difference ``N(p − p^N)``, solved for together with p and never subtracted.

With ``p = π u`` and ``N(p − p^N) = π_N z``, the equation ``∂_t e = ∇·(D∇e + e∇V_N) +
∇·(p ∇(V − V_N))`` for ``e = p − p^N`` gives the block lower-triangular system

    M u' = −K u,        M_N z' = −K_N z − B u,        B_ij = ∫ π φ_j N∇(V − V_N)·∇φ_i .

The sharp limit q of ``N(p − p^N)`` obeys the same system with ``π_N = π`` and ``∇ℓ`` for
``N∇(V − V_N)``.
"""

from dataclasses import dataclass, replace

import numpy as np

from fokkerplanck.difference.recycling import Unperturbed
from fokkerplanck.evolution.dense_output import DenseOutput
from fokkerplanck.evolution.krylov import KrylovSpace, Restart
from fokkerplanck.evolution.propagator import Propagator, largest_basis
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.runtime.arrays import Array


@dataclass(frozen=True)
class Functionals:
    """Linear functionals of ``(u, z)``, known at all times from their values on the basis."""

    on_density: Array  #: owned entries, shape (j, num_owned)
    on_difference: Array  #: same shape


@dataclass(frozen=True)
class PairOutput:
    """Dense output of ``u`` and ``z`` in time."""

    unperturbed: GibbsOperator  #: operator of V, relative to which u is the density p
    perturbed: GibbsOperator  #: operator of V_N, relative to which z is the scaled difference
    recycling: Unperturbed  #: what u is represented by
    krylov: KrylovSpace  #: of the stacked pair (u, scale·z)
    output: DenseOutput  #: on it
    scale: float  #: makes both blocks of one size in the Krylov norm
    uses_balls: bool = False  #: whether coordinates that are accurate far out have been asked for

    @property
    def _split(self) -> int:
        """Where the second block begins."""
        return len(self.recycling.start)

    def extended(self, steps: int) -> "PairOutput":
        """The same with more basis vectors, as many as `KrylovSpace.can_grow` allows. Collective.

        What was before may be used no longer if the basis is bounded.
        """
        larger = replace(self, output=self.krylov.extended(steps))
        return larger.in_ball_arithmetic() if self.uses_balls else larger

    def in_ball_arithmetic(self) -> "PairOutput":
        """The same with coordinates on the basis that are accurate far out."""
        return replace(self, output=self.output.in_ball_arithmetic(), uses_balls=True)

    def density(self, time: float) -> Array:
        """Owned coefficients of u, scaled to mass 1 against Krylov errors. Collective."""
        return self._unscaled(time) / self.mass(time)

    def mass(self, time: float) -> float:
        """Mass ``∫ π u`` before that scaling. Collective."""
        space = self.unperturbed.space
        return space.integrate(self.unperturbed.gibbs * space.evaluate(self._unscaled(time)))

    def difference(self, time: float, size: int | None = None) -> Array:
        """Owned coefficients of z, optionally from the first `size` basis vectors only."""
        return self.output.coefficients(time, size)[self._split :] / self.scale

    def difference_rounding(self, time: float) -> Array:
        """Rounding errors of the owned coefficients of z."""
        return self.output.rounding(time)[self._split :] / self.scale

    def _unscaled(self, time: float) -> Array:
        return self.recycling.coefficients(self.output.coefficients(time)[: self._split])


def evolve_pair(
    unperturbed: GibbsOperator,
    perturbed: Propagator,
    recycling: Unperturbed,
    drift: Array,
    times: tuple[float, ...],
    tolerance: float,
    functionals: Functionals | None = None,
    restart: Restart | None = None,
) -> PairOutput:
    """Solve for p and ``N(p − p^N)`` from the same initial density. Collective.

    Args:
        unperturbed: operator of V.
        perturbed: propagator of V_N (for the sharp limit: of V), on the same space.
        recycling: p, with the same shift.
        drift: ``N∇(V − V_N)`` at the Gauss points, shape (C, q, m) (for the limit: ∇ℓ).
        times: where the Krylov error estimate must meet the tolerance.
        tolerance: relative, in the norm of the basis.
        functionals: to be known of the pair; none by default.
        restart: of the pairs held at a time; none by default.

    Raises:
        KrylovError: the tolerance cannot be met.
    """
    shift, comm = perturbed.shift, unperturbed.space.domain.comm
    weights = recycling.weights, perturbed.operator.krylov_weights
    split = len(recycling.start)
    couple = unperturbed.coupling(drift)

    def respond(source: Array, block: Array) -> Array:
        return perturbed.solve(source - couple(recycling.coefficients(block)) / shift)

    z = respond(np.zeros(unperturbed.space.num_owned), recycling.start)
    sizes = [
        comm.allreduce(float(d @ v**2)) for d, v in zip(weights, (recycling.start, z), strict=True)
    ]
    scale = float(np.sqrt(sizes[0] / sizes[1])) if sizes[1] > 0 else 1.0

    def step(pair: Array) -> Array:
        block = recycling.step(pair[:split])
        z = respond(perturbed.operator.apply_mass(pair[split:]) / scale, block)
        return np.concatenate([block, scale * z])

    def observe(pair: Array) -> Array:
        if functionals is None:
            return np.empty(0)
        on_density = functionals.on_density @ recycling.coefficients(pair[:split])
        return on_density + functionals.on_difference @ pair[split:] / scale

    krylov = KrylovSpace(
        step,
        np.concatenate([recycling.start, scale * z]),
        np.concatenate(weights),
        comm,
        shift,
        largest_basis(shift, max(times)),
        observe,
        restart,
    )
    output = krylov.evolve(times, tolerance)
    return PairOutput(unperturbed, perturbed.operator, recycling, krylov, output, scale)

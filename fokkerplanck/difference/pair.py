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
from fokkerplanck.evolution.dense_output import ROUNDING, DenseOutput
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

    def density(self, time: float, size: int | None = None) -> Array:
        """Owned coefficients of u, scaled to mass 1 against Krylov errors. Collective.

        Optionally they are from the first `size` basis vectors only.
        """
        return self._unscaled(time, size) / self.mass(time, size)

    def density_rounding(self, time: float) -> Array:
        """Rounding errors of the owned coefficients of u."""
        block = ROUNDING * np.abs(self.output.coefficients(time)) + self.output.rounding(time)
        return self.recycling.reach(block[: self._split])

    def mass(self, time: float, size: int | None = None) -> float:
        """Mass ``∫ π u`` before that scaling. Collective."""
        space = self.unperturbed.space
        return space.integrate(self.unperturbed.gibbs * space.evaluate(self._unscaled(time, size)))

    def difference(self, time: float, size: int | None = None) -> Array:
        """Owned coefficients of z, optionally from the first `size` basis vectors only."""
        return self.output.coefficients(time, size)[self._split :] / self.scale

    def difference_rounding(self, time: float) -> Array:
        """Rounding errors of the owned coefficients of z."""
        return self.output.rounding(time)[self._split :] / self.scale

    def _unscaled(self, time: float, size: int | None = None) -> Array:
        return self.recycling.coefficients(self.output.coefficients(time, size)[: self._split])


class PairResolvent:
    """The resolvent of the pair, one block after the other.

    A pair is one array of two blocks: what stands for u (`Unperturbed`), and ``scale·z``, where the
    scale makes both blocks of the first pair equally large. With ``S = (M + K/s)^{-1}`` and S_N
    likewise, a step solves

        (u, z)  ↦  (S M u,  S_N (M_N z − B S M u / s)).

    Args:
        unperturbed: operator of V.
        perturbed: propagator of V_N (for the sharp limit: of V), on the same space.
        recycling: p, with the same shift.
        drift: ``N∇(V − V_N)`` at the Gauss points, shape (C, q, m) (for the limit: ∇ℓ).
        functionals: to be known of the pair; none by default.
    """

    def __init__(
        self,
        unperturbed: GibbsOperator,
        perturbed: Propagator,
        recycling: Unperturbed,
        drift: Array,
        functionals: Functionals | None = None,
    ) -> None:
        """Solve for the first pair. Collective."""
        self._perturbed, self._recycling, self._functionals = perturbed, recycling, functionals
        self._couple = unperturbed.coupling(drift)
        self._split = len(recycling.start)
        parts = recycling.weights, perturbed.operator.krylov_weights
        self.weights = np.concatenate(parts)  #: diagonal of the inner product
        z = self._respond(np.zeros(unperturbed.space.num_owned), recycling.start)
        comm = unperturbed.space.domain.comm
        blocks = zip(parts, (recycling.start, z), strict=True)
        sizes = [comm.allreduce(float(weights @ block**2)) for weights, block in blocks]
        self.scale = float(np.sqrt(sizes[0] / sizes[1])) if sizes[1] > 0 else 1.0
        self.start = np.concatenate([recycling.start, self.scale * z])

    def step(self, pair: Array) -> Array:
        """The resolvent applied to a pair. Collective."""
        block = self._recycling.step(pair[: self._split])
        source = self._perturbed.operator.apply_mass(pair[self._split :]) / self.scale
        return np.concatenate([block, self.scale * self._respond(source, block)])

    def observe(self, pair: Array) -> Array:
        """This rank's summands of the functionals of a pair, shape (j,)."""
        if self._functionals is None:
            return np.empty(0)
        u = self._recycling.coefficients(pair[: self._split])
        on_difference = self._functionals.on_difference @ pair[self._split :] / self.scale
        return self._functionals.on_density @ u + on_difference

    def _respond(self, source: Array, block: Array) -> Array:
        """Owned coefficients of ``S_N (source − B u / s)``, u being what the block stands for."""
        coupling = self._couple(self._recycling.coefficients(block))
        return self._perturbed.solve(source - coupling / self._perturbed.shift)


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
    pair = PairResolvent(unperturbed, perturbed, recycling, drift, functionals)
    krylov = KrylovSpace(
        pair.step,
        pair.start,
        pair.weights,
        unperturbed.space.domain.comm,
        perturbed.shift,
        largest_basis(perturbed.shift, max(times)),
        pair.observe,
        restart,
    )
    output = krylov.evolve(times, tolerance)
    return PairOutput(unperturbed, perturbed.operator, recycling, krylov, output, pair.scale)

"""One step of ``dθ = −∇V dt + Σ dW`` for many paths, and how large it may be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.simulation.potentials import Potential

#: Length of the difference quotient that looks along the drift.
_AHEAD: Final = 1e-4

Step = Callable[[Potential, Array, Array, Array, Array, Array], Array]


@dataclass(frozen=True)
class Scheme:
    """A one-step scheme for additive noise and the orders that it is known to have.

    ``step(V, θ, ∇V(θ), h, ΣΔW, ΣΔZ)`` takes points of shape (m, P) and steps of shape (P,).
    """

    name: str
    strong: float  #: order of ``(E|θ_T − θ_T^h|²)^{1/2}``
    weak: int  #: order of ``E[g(θ_T)] − E[g(θ_T^h)]``
    step: Step


def _euler(V: Potential, theta: Array, slope: Array, h: Array, dW: Array, dZ: Array) -> Array:
    """``θ − h ∇V + ΣΔW``."""
    return theta - h * slope + dW


def _sra1(V: Potential, theta: Array, slope: Array, h: Array, dW: Array, dZ: Array) -> Array:
    """Two drifts and no derivatives: ``H = θ + ¾hf(θ) + (3/2)ΣΔZ/h``, ``h (f(θ) + 2f(H))/3 + ΣΔW``.

    References:
        [Roe10], the method SRA1.
    """
    ahead = theta - (0.75 * h) * slope + (1.5 / h) * dZ
    return theta - (h / 3.0) * (slope + 2.0 * V(ahead)[1]) + dW


SRA1: Final = Scheme("sra1", 1.5, 2, _sra1)
EULER: Final = Scheme("euler", 1.0, 1, _euler)
SCHEMES: Final = {scheme.name: scheme for scheme in (SRA1, EULER)}


class StepRule(Protocol):
    """How large a step may be, from the past alone: increments then stay normal."""

    def __call__(self, V: Sequence[Potential], theta: Array, slope: Array) -> Array:
        """Steps (P,) from the states and gradients of all potentials, shape (n, m, P)."""
        ...


@dataclass(frozen=True)
class FixedSteps:
    """Steps of one size."""

    size: float

    def __call__(self, V: Sequence[Potential], theta: Array, slope: Array) -> Array:
        """Steps (P,)."""
        return np.full(theta.shape[2], self.size)


@dataclass(frozen=True)
class AdaptiveSteps:
    """The smallest of ``share / (1 + |∇²V e| + |∇V|)`` over all potentials, e along the drift.

    Explicit schemes diverge where ∇V grows faster than θ unless steps shrink there [HJK11, FG20].
    One step for all depths lets them share increments without bridges.
    """

    size: float  #: of the largest step
    share: float

    def __call__(self, V: Sequence[Potential], theta: Array, slope: Array) -> Array:
        """Steps (P,)."""
        length = np.sqrt(np.einsum("nip,nip->np", slope, slope))
        along = slope * (_AHEAD / np.maximum(length, 1e-300))[:, None]
        steepest = length.copy()
        for n, potential in enumerate(V):
            bent = (potential(theta[n] - along[n])[1] - slope[n]) / _AHEAD
            steepest[n] += np.sqrt(np.einsum("ip,ip->p", bent, bent))
        return np.minimum(self.size, self.share / (1.0 + steepest.max(axis=0)))

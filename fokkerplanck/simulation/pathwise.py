"""The theory of single paths: their sharp limit η, and a bound that holds almost surely.

With the same W, ``η' = −∇ℓ(θ) − ∇²V(θ) η``, ``η(0) = 0``, is the limit of ``N(θ − θ^N)``. For each
N, ``b' = |N∇(V − V_N)(θ)| + κ b`` with κ = −λ_min of the mean of ∇²V_N on the segment from θ^N to θ
bounds ``N|θ − θ^N|``. Both are taken of the scheme, not only of the equation: the derivative of
SRA1 in 1/N is η exactly as N → ∞ with the steps fixed, and a step's matrix ``M``, where
``N(θ − θ^N)`` becomes ``M N(θ − θ^N) + r``, gives ``b → |r| + ‖M‖ b``, whatever the step size.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fokkerplanck.runtime.arrays import Array, Indices
from fokkerplanck.simulation.paths import Clock, Ensemble, evaluated
from fokkerplanck.simulation.philox import MOST_STEPS
from fokkerplanck.simulation.potentials import Potential
from fokkerplanck.simulation.statistics import Sums, powers

#: Paths whose theory is looked at.
NUM_PATHS: Final = 2_048

#: Paths in a chunk.
CHUNK: Final = 256

#: Shares of the paths for which the ratio of the bound is given.
SHARES: Final = (0.0, 0.5, 0.99, 1.0)

#: Paths of each block that are kept for drawing.
_KEPT: Final = 256

#: Step of central difference quotients of gradients.
_STEP: Final = 1e-4


@dataclass(frozen=True, eq=False)
class PathTheory:
    """SRA1 for paths together with their limits and their bounds."""

    ensemble: Ensemble
    depths: tuple[float, ...]
    limit: Potential  #: ℓ

    def sums(self, paths: Indices) -> Sums:
        """Sums over the paths with these numbers.

        ``remainder`` holds powers of ``sup |N(θ − θ^N) − η|``, shape (n − 1, 2); ``ratio`` and
        ``eta`` hold ``sup b / sup N|θ − θ^N|`` of all paths and ``sup |η|``, ``sup N|θ − θ^N|`` of
        the first.
        """
        sups, remainder, limits, bounds = self._followed(paths)
        return {
            "paths": np.array(len(paths)),
            "remainder": powers(remainder, (1, 2)),
            "ratio": bounds / sups,
            "eta": np.concatenate([limits[None], sups])[:, :_KEPT],
        }

    def _followed(self, paths: Indices) -> tuple[Array, Array, Array, Array]:
        """Suprema of N|θ − θ^N|, |N(θ − θ^N) − η|, |η| and b, all but the third (n − 1, P)."""
        V, scale = self.ensemble.potentials, np.array(self.depths)[:, None]
        clock = Clock(self.ensemble.times[[0, -1]], len(paths))
        state = np.repeat(self.ensemble.starts.points(paths)[None], len(V), axis=0)
        eta, bound = np.zeros_like(state[0]), np.zeros((len(V) - 1, len(paths)))
        sups, remainder, bounds = (np.zeros_like(bound) for _ in range(3))
        limits = np.zeros(len(paths))
        for step in range(MOST_STEPS):
            slope = evaluated(V, state)[1]
            if (going := clock.passed()) is not None:
                state, slope, eta, bound = (
                    np.compress(going, kind, -1) for kind in (state, slope, eta, bound)
                )
            if not clock.active.size:
                break
            h = clock.limited(self.ensemble.rule(V, state, slope))
            dW, dZ = self.ensemble.wiener.increments(paths[clock.active], step, h)
            ahead = state - 0.75 * h * slope + 1.5 / h * dZ
            steep = evaluated(V, ahead)[1]
            for n in range(1, len(V)):
                parts = (self._split(n, *at) for at in ((state, slope), (ahead, steep)))
                bound[n - 1] = moved_bound(self.depths[n - 1], bound[n - 1], h, *parts)
            eta = self._moved(eta, state[0], ahead[0], h)
            state = state - h / 3.0 * (slope + 2.0 * steep) + dW
            gap = scale[:, None] * (state[:1] - state[1:])
            for kept, size in (
                (sups, lengths(gap)),
                (remainder, lengths(gap - eta)),
                (limits, lengths(eta)),
                (bounds, bound),
            ):
                kept[..., clock.active] = np.maximum(kept[..., clock.active], size)
        return sups, remainder, limits, bounds

    def _moved(self, eta: Array, theta: Array, ahead: Array, h: Array) -> Array:
        """The derivative of SRA1 in 1/N."""
        V = self.ensemble.potentials[0]

        def slope(at: Array, value: Array) -> Array:
            return self.limit(at)[1] + times(hessian(V, at), value)

        first = slope(theta, eta)
        return eta - h / 3.0 * (first + 2.0 * slope(ahead, eta - 0.75 * h * first))

    def _split(self, n: int, state: Array, slope: Array) -> tuple[Array, Array]:
        """Parts of ``∇V(θ) − ∇V_N(θ^N) = g + A (θ − θ^N)``, shapes (m, P) and (m, m, P).

        A is ∇²V_N in the middle of the segment; what it leaves of the difference goes to g.
        """
        gap = state[0] - state[n]
        A = hessian(self.ensemble.potentials[n], state[n] + 0.5 * gap)
        return slope[0] - slope[n] - times(A, gap), A


def moved_bound(
    scale: float, bound: Array, h: Array, here: tuple[Array, Array], ahead: tuple[Array, Array]
) -> Array:
    """The bound b of ``N|δ|``, δ = θ − θ^N, after one step of SRA1.

    The drifts differ by g + A δ, at the inner point by g' + A'δ' with ``δ' = δ − ¾h(g + A δ)``. So
    δ becomes ``M δ + r`` with ``M = I − ⅓h A − ⅔h A'(I − ¾h A)`` and
    ``r = −⅓h g − ⅔h g' + ½h² A' g``.

    Args:
        scale: N.
        bound: b before the step, shape (P,).
        h: step sizes, shape (P,).
        here: g, shape (m, P), and A, shape (m, m, P).
        ahead: g' and A'.
    """
    (g, A), (inner, B) = here, ahead
    one = np.eye(len(g))[:, :, None]
    M = one - h / 3.0 * A - 2.0 / 3.0 * h * np.einsum("ijp,jkp->ikp", B, one - 0.75 * h * A)
    r = -h / 3.0 * (g + 2.0 * inner) + 0.5 * h * h * times(B, g)
    return scale * lengths(r) + spectral_norm(M) * bound


def times(matrices: Array, vectors: Array) -> Array:
    """Products (m, P) of matrices (m, m, P) and vectors (m, P)."""
    return np.einsum("ijp,jp->ip", matrices, vectors)


def hessian(potential: Potential, theta: Array) -> Array:
    """∇²V, shape (m, m, P), by central differences of gradients at points (m, P)."""
    columns = []
    for k in range(len(theta)):
        shift = np.zeros((len(theta), 1))
        shift[k] = _STEP
        columns.append((potential(theta + shift)[1] - potential(theta - shift)[1]) / (2 * _STEP))
    H = np.stack(columns, axis=1)
    return 0.5 * (H + H.swapaxes(0, 1))


def lengths(vectors: Array) -> Array:
    """Euclidean norms over the last axis but one."""
    return np.sqrt(np.einsum("...ip,...ip->...p", vectors, vectors))


def spectral_norm(matrices: Array) -> Array:
    """Largest singular values (P,) of matrices (m, m, P)."""
    if len(matrices) == 1:
        return np.abs(matrices[0, 0])
    if len(matrices) == 2:  # the singular values are half the sum and difference of two lengths
        (a, b), (c, d) = matrices
        return 0.5 * (np.hypot(a + d, b - c) + np.hypot(a - d, b + c))
    return np.asarray(np.linalg.norm(np.moveaxis(matrices, -1, 0), ord=2, axis=(1, 2)))

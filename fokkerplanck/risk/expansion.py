"""The expansion of N (L - L_N) in h = 1/N, interpolated from networks of moderate depth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fokkerplanck.risk.terms import check_depth
from fokkerplanck.runtime.arrays import Array

EXPANSION_DEPTHS: Final = (
    8,
    12,
    16,
    24,
    32,
    48,
    64,
)  #: of the networks that the first expansion interpolates
ROUNDING: Final = 1e-15  #: relative error of the states of the Neural ODE and its networks


@dataclass(frozen=True)
class Plan:
    """Which depths are asked, which are run and which are interpolated."""

    asked: tuple[float, ...]
    run: tuple[int, ...]
    large: tuple[int, ...]

    @classmethod
    def of(cls, depths: Sequence[float], smooth: bool) -> "Plan":
        """Return the plan for the asked depths, without expansion if the network has kinks."""
        for depth in depths:
            if depth != math.inf:
                check_depth(depth)
        finite = sorted({int(n) for n in depths if n != math.inf})
        large = tuple(n for n in finite if n > EXPANSION_DEPTHS[-1] and smooth)
        run = tuple(sorted({*finite, *EXPANSION_DEPTHS} - {*large})) if large else tuple(finite)
        asked = (*finite, math.inf) if math.inf in depths else tuple(finite)
        return cls(asked, run, large)

    def method(self, depth: float) -> str:
        """Return how the difference at ``depth`` is found."""
        if depth == math.inf:
            return "limit"
        return "expansion" if depth in self.large else "direct"

    def rounding(self, depth: float) -> float:
        """Return the rounding error of a difference relative to the risk."""
        if depth == math.inf:
            return ROUNDING
        return ROUNDING * min(depth, EXPANSION_DEPTHS[-1] if self.large else depth)


def extrapolate(nodes: Array, known: Array, depths: Sequence[int]) -> tuple[Array, Array]:
    """Interpolate in ``h = 1/N`` by a polynomial through all nodes.

    Args:
        nodes: Depths of the nodes, shape ``(K,)``, the second being the smallest.
        known: Values there, shape ``(P, K, C)``.
        depths: Depths where values are wanted.

    Returns:
        Values, shape ``(P, D, C)``, and their change when the smallest depth is left out.
    """
    full = weights(nodes, depths)
    fewer = np.insert(weights(np.delete(nodes, 1), depths), 1, 0.0, axis=1)
    result = np.einsum("dk,pkc->pdc", full, known)
    return result, np.abs(np.einsum("dk,pkc->pdc", full - fewer, known))


def weights(nodes: Array, depths: Sequence[int]) -> Array:
    """Return Lagrange's weights in ``h = 1/N``, shape ``(D, K)``."""
    h, at = 1 / nodes, 1 / np.array(depths, dtype=np.float64)
    table = np.empty((len(at), len(h)))
    for k in range(len(h)):
        others = np.delete(h, k)
        table[:, k] = np.prod((at[:, None] - others) / (h[k] - others), axis=1)
    return table

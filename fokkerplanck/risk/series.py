"""Differences N (L - L_N) for many depths at once, small depths directly, large ones expanded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk.library import kernel
from fokkerplanck.risk.risks import (
    as_points,
    check_depth,
    check_dimensions,
    check_finite,
    check_reached,
    check_tolerance,
)
from fokkerplanck.risk.samples import Samples, blocked

Array = npt.NDArray[np.float64]

LADDER: Final = (8, 12, 16, 24, 32, 48, 64)  #: depths of the first expansion
NUM_LADDERS: Final = 4  #: each further ladder doubles all depths
ROUNDING: Final = 1e-16


@dataclass(frozen=True, eq=False)
class RiskTable:
    """Values of a potential and its scaled differences ``N (V - V_N)`` at P points."""

    value: Array  #: V, shape ``(P,)``
    gradient: Array  #: ∇V, shape ``(P, m)``
    difference: dict[float, Array]  #: per depth N (V - V_N), shape ``(P,)``; its limit for inf
    difference_gradient: dict[float, Array]  #: per depth its gradient, shape ``(P, m)``
    error: dict[float, float]  #: per depth the estimated error, relative to the largest value
    method: dict[float, str]  #: per depth ``"direct"``, ``"expansion"`` or ``"limit"``


@dataclass(frozen=True, eq=False)
class RiskSeries:
    """``L`` of the Neural ODE and ``N (L - L_N)`` for networks of many depths.

    Networks with up to 64 layers are run beside the Neural ODE. For more layers the expansion
    ``N (L - L_N) = ℓ + v_2 h + v_3 h² + ...`` in ``h = 1/N`` is interpolated from ℓ at ``h = 0``
    and a ladder of moderate depths, which is doubled where the result has not settled. Networks
    with kinks have no such expansion and are always run.
    """

    network: Network
    data: DataMeasure
    tolerance: float = 1e-13  #: bound for the integrator's local error and the expansion's

    def __post_init__(self) -> None:
        """Check the tolerance and that network and data fit."""
        check_dimensions(self.network, self.data)
        check_tolerance(self.tolerance)

    @cached_property
    def _samples(self) -> Samples:
        return blocked(self.data)

    def tabulate(self, theta: npt.ArrayLike, depths: Sequence[float]) -> RiskTable:
        """Return risk and scaled differences at parameter points.

        Args:
            theta: Parameters, shape ``(P, m)``.
            depths: Numbers of layers; ``math.inf`` asks for the limit ℓ.

        Raises:
            RiskError: A state leaves the double range.
        """
        points = as_points(theta, self.network)
        finite = sorted({int(checked(depth)) for depth in depths if depth != math.inf})
        small = [n for n in finite if n <= LADDER[-1] or not self.network.is_smooth]
        large = [n for n in finite if n not in small]
        run = sorted({*small, *LADDER}) if large else small
        value, gradient, scaled = self._run(points, run)
        columns = dict(zip((math.inf, *run), np.moveaxis(scaled, 1, 0), strict=True))
        error = {n: _rounding(columns[n], value, n) for n in small}
        error[math.inf] = self.tolerance
        if large:
            expanded, errors = self._expand(points, columns, value, large)
            columns.update(expanded)
            error.update(errors)
        asked = [*finite, math.inf] if math.inf in depths else finite
        return RiskTable(
            value,
            gradient,
            {n: columns[n][:, 0] for n in asked},
            {n: columns[n][:, 1:] for n in asked},
            {n: error[n] for n in asked},
            {n: "limit" if n == math.inf else "expansion" if n in large else "direct" for n in asked},
        )

    def _run(self, theta: Array, depths: Sequence[int]) -> tuple[Array, Array, Array]:
        """Return L, ∇L and, with value and gradient in the last axis, ℓ and the differences.

        Returns:
            Arrays of shape ``(P,)``, ``(P, m)`` and ``(P, 1 + D, 1 + m)``.
        """
        count, m = theta.shape
        value = np.empty((count, 2 + len(depths)))
        gradient = np.empty((count, (2 + len(depths)) * m))
        reached = np.empty(count)
        run = kernel(self.network, "series", self._samples.block)
        depth_array = np.array(depths, dtype=np.int64)
        arrays = self._samples.arrays
        run(theta, *arrays, self.tolerance, depth_array, value, gradient, reached)
        check_reached(theta, reached)
        check_finite(theta, value, gradient)
        parts = gradient.reshape(count, 2 + len(depths), m)
        return value[:, 0], parts[:, 0], np.concatenate([value[:, 1:, None], parts[:, 1:]], axis=2)

    def _expand(
        self, theta: Array, columns: dict[float, Array], value: Array, depths: Sequence[int]
    ) -> tuple[dict[float, Array], dict[float, float]]:
        """Interpolate at large depths, with longer ladders for the points that need them."""
        nodes = np.array([math.inf, *LADDER])
        known = np.stack([columns[n] for n in nodes], axis=1)
        result, spread = extrapolate(nodes, known, depths)
        scale = np.abs(value) + np.abs(known[:, 0]).max(axis=1)
        for level in range(1, NUM_LADDERS):
            open_ = np.flatnonzero(spread.max(axis=(1, 2)) > 10 * self.tolerance * scale)
            if not open_.size:
                break
            ladder = [2**level * n for n in LADDER]
            _, _, longer = self._run(theta[open_], ladder)
            better, change = extrapolate(np.array([math.inf, *ladder]), longer, depths)
            result[open_], spread[open_] = better, change
        table = {n: result[:, k] for k, n in enumerate(depths)}
        errors = {
            n: _relative(spread[:, k], result[:, k]) + _rounding(table[n], value, LADDER[-1])
            for k, n in enumerate(depths)
        }
        return table, errors


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


def checked(depth: float) -> float:
    """Return ``depth`` if it is a whole number of layers."""
    check_depth(depth)
    return depth


def _relative(error: Array, values: Array) -> float:
    """Return the largest error relative to the largest value, value and gradient apart."""
    if not len(values):
        return 0.0
    parts = ((error[:, :1], values[:, :1]), (error[:, 1:], values[:, 1:]))
    return max(float(e.max() / max(np.abs(v).max(), 1e-300)) for e, v in parts)


def _rounding(values: Array, risk: Array, depth: float) -> float:
    """Return the relative rounding error of differences at ``depth`` layers."""
    noise = np.broadcast_to(ROUNDING * depth * risk[:, None], values.shape)
    return _relative(noise, values)

"""Differences N (L - L_N) for many depths at once, small depths directly, large ones expanded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk.codegen.library import kernel
from fokkerplanck.risk.expansion import EXPANSION_DEPTHS, Plan, extrapolate
from fokkerplanck.risk.sample_blocks import Samples, blocked
from fokkerplanck.risk.sweep import (
    as_points,
    check_dimensions,
    check_finite,
    check_threads,
    in_threads,
    run_shared,
)
from fokkerplanck.risk.terms import check_tolerance
from fokkerplanck.runtime.arrays import Array

MAX_DOUBLINGS: Final = 3  #: of the depths of an expansion
CHUNK: Final = 2_048  #: points whose final states are kept at a time
FINEST: Final = 1e-14  #: tolerance below which the integrator only rounds
DOUBT: Final = 0.1  #: relative error from which on differences may be nothing but rounding


@dataclass(frozen=True, eq=False)
class RiskTable:
    """Values of a potential and its scaled differences ``N (V - V_N)`` at P points."""

    value: Array  #: V, shape ``(P,)``
    gradient: Array  #: ∇V, shape ``(P, m)``
    difference: dict[float, Array]  #: per depth N (V - V_N), shape ``(P,)``; its limit for inf
    #: Per depth its gradient, shape ``(P, m)``; not that of the limit where a trajectory crosses a
    #: kink of the network, for the jump of its derivative there is left out
    difference_gradient: dict[float, Array]
    error: dict[float, float]  #: per depth the estimated error, relative to the largest value
    method: dict[float, str]  #: per depth ``"direct"``, ``"expansion"`` or ``"limit"``


@dataclass(frozen=True, eq=False)
class RiskSeries:
    """``L`` of the Neural ODE and ``N (L - L_N)`` for networks of many depths.

    Networks with up to 64 layers are run beside the Neural ODE. For more layers the expansion
    ``N (L - L_N) = ℓ + v_2 h + v_3 h² + ...`` in ``h = 1/N`` is interpolated from ℓ at ``h = 0``
    and at moderate depths, which are doubled where the result has not settled. Networks
    with kinks have no such expansion and are always run.
    """

    network: Network
    data: DataMeasure
    tolerance: float = 1e-13  #: bound for the integrator's local error and the expansion's
    threads: int = 1  #: threads that share the points

    def __post_init__(self) -> None:
        """Check the tolerance, the threads, and that network and data fit."""
        check_dimensions(self.network, self.data)
        check_tolerance(self.tolerance)
        check_threads(self.threads)

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
        plan = Plan.of(depths, self.network.is_smooth)
        starts = range(0, max(len(points), 1), CHUNK)
        parts = [self._chunk(points[k : k + CHUNK], plan) for k in starts]
        value, gradient, scaled, spread = (
            np.concatenate(arrays) for arrays in zip(*parts, strict=True)
        )
        columns = dict(enumerate(plan.asked))
        size = np.abs(value)[:, None]
        return RiskTable(
            value,
            gradient,
            {n: scaled[:, k, 0] for k, n in columns.items()},
            {n: scaled[:, k, 1:] for k, n in columns.items()},
            {
                n: _relative(spread[:, k] + plan.rounding(n) * size, scaled[:, k]) + self.tolerance
                for k, n in columns.items()
            },
            {n: plan.method(n) for n in plan.asked},
        )

    def _chunk(self, theta: Array, plan: "Plan") -> tuple[Array, Array, Array, Array]:
        """Return ``L``, ``∇L``, and for the asked depths the differences and their spread.

        Differences hold the value and then the gradient in the last axis.

        Returns:
            Arrays of shape ``(P,)``, ``(P, m)`` and twice ``(P, D, 1 + m)``.
        """
        value, gradient, limit, end = self._flow(theta)
        nodes = (math.inf, *plan.run)
        known = np.concatenate([limit[:, None], self._layers(theta, end, plan.run)], axis=1)
        scaled = np.empty((len(theta), len(plan.asked), known.shape[2]))
        spread = np.zeros_like(scaled)
        for k, n in enumerate(plan.asked):
            if n in nodes:
                scaled[:, k] = known[:, nodes.index(n)]
        if plan.large:
            first = [nodes.index(n) for n in (math.inf, *EXPANSION_DEPTHS)]
            scale = np.abs(value) + np.abs(limit).max(axis=1)
            large = [plan.asked.index(n) for n in plan.large]
            expanded = self._expand(theta, end, known[:, first], scale, plan.large)
            scaled[:, large], spread[:, large] = expanded
        return value, gradient, scaled, spread

    def _flow(self, theta: Array) -> tuple[Array, Array, Array, Array]:
        """Return ``L``, ``∇L``, ``ℓ`` beside ``∇ℓ``, and the final states of the Neural ODE."""
        m = theta.shape[1]
        inner = self._samples.inputs.shape[1]
        rows = 2 * self.network.dimension * (1 + m)
        # differences multiply the integrator's error by the depth
        tolerance = max(self.tolerance / EXPANSION_DEPTHS[-1], FINEST)
        run = kernel(self.network, "series_flow", self._samples.block)
        given = rows, theta, self._samples, tolerance
        value, gradient, end = run_shared(run, *given, (2, m, inner * (1 + m)), self.threads)
        limit = np.concatenate([value[:, 1:], gradient[:, 1]], axis=1)
        return value[:, 0], gradient[:, 0], limit, end

    def _layers(self, theta: Array, end: Array, depths: Sequence[int]) -> Array:
        """Return differences beside their gradients, shape ``(P, D, 1 + m)``."""
        value = np.empty((len(theta), len(depths)))
        gradient = np.empty((*value.shape, theta.shape[1]))
        run = kernel(self.network, "series_layers", self._samples.block)
        counts = np.array(depths, dtype=np.int64)

        def part(k: slice) -> None:
            run(theta[k], *self._samples.arrays, end[k], counts, value[k], gradient[k])

        in_threads(part, len(theta), self.threads)
        check_finite(theta, value, gradient)
        return np.concatenate([value[:, :, None], gradient], axis=2)

    def _expand(
        self, theta: Array, end: Array, known: Array, scale: Array, depths: Sequence[int]
    ) -> tuple[Array, Array]:
        """Interpolate at large depths, from larger ones for the points that need them.

        Args:
            theta: Parameters, shape ``(P, m)``.
            end: Final states of the Neural ODE.
            known: The limit and the differences at the first depths, shape ``(P, K, 1 + m)``.
            scale: Size of the quantities whose relative error counts, shape ``(P,)``.
            depths: Depths where the differences are wanted.

        Returns:
            Differences and their changes in the last refinement, shape ``(P, D, 1 + m)``.
        """
        result, spread = extrapolate(np.array([math.inf, *EXPANSION_DEPTHS]), known, depths)
        for doublings in range(1, MAX_DOUBLINGS + 1):
            rough = np.flatnonzero(spread.max(axis=(1, 2)) > 10 * self.tolerance * scale)
            if not rough.size:
                break
            larger = [2**doublings * n for n in EXPANSION_DEPTHS]
            values = self._layers(theta[rough], end[rough], larger)
            values = np.concatenate([known[rough, :1], values], axis=1)
            nodes = np.array([math.inf, *larger])
            result[rough], spread[rough] = extrapolate(nodes, values, depths)
        return result, spread


def _relative(error: Array, values: Array) -> float:
    """Return the largest error relative to the largest value, value and gradient apart.

    What is zero everywhere is so by its formula, without an error. What may be rounding for a good
    part may be so as a whole.
    """
    parts = ((error[:, :1], values[:, :1]), (error[:, 1:], values[:, 1:]))
    relative = [float(e.max() / np.abs(v).max()) for e, v in parts if v.any()]
    largest = max(relative, default=0.0)
    return largest if largest < DOUBT else max(largest, 1.0)

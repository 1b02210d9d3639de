"""Gradient descent with Gaussian noise in discrete time, where expected risks of networks explode.

The block is ``f = θ x`` with standardised data of correlation ρ, so that
``V_N = 1 − 2 ρ z_N + z_N² + γ θ²`` with ``z_N = (1 + θ/N)^N``, and ``z = e^θ`` for the Neural ODE.
Two steps ``θ_{k+1} = θ_k − η V_N'(θ_k) + √(2Dη) ξ_k`` from 0 need integrals over two normals, which
are taken in logarithms. ``docs/guide/discrete_time.py`` tells why those of networks explode.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import logsumexp

from fokkerplanck.runtime.arrays import Array

#: Powers ``ln|z|`` beyond which the other terms of V_N are lost to rounding.
_LARGE: Final = 300.0

#: Spacing of the trapezoidal rule in standard deviations, and how far it reaches beyond the peak.
_SPACING: Final = 0.05
_BEYOND: Final = 30.0


@dataclass(frozen=True)
class NoisySGD:
    """Two steps of gradient descent with noise on the linear network."""

    rate: float  #: learning rate η > 0
    depth: float  #: N; infinite for the Neural ODE
    correlation: float = 0.9008112  #: ρ; by default that of the geyser's data
    gamma: float = 0.5
    diffusion: float = 1.0  #: D

    def log_risk(self, theta: Array) -> Array:
        """``ln V_N``, without overflow."""
        size, sign = self._power(theta)
        z = sign * np.exp(np.minimum(size, _LARGE))
        value = 1.0 - 2.0 * self.correlation * z + z * z + self.gamma * theta**2
        return np.where(size > _LARGE, 2.0 * size, np.log(value))

    def slope(self, theta: Array) -> Array:
        """``V_N'``."""
        size, sign = self._power(theta)
        z = sign * np.exp(size)
        factor = 1.0 if math.isinf(self.depth) else 1.0 / (1.0 + theta / self.depth)
        return 2.0 * (z - self.correlation) * z * factor + 2.0 * self.gamma * theta

    @property
    def spread(self) -> float:
        """Standard deviation ``√(2Dη)`` of a step."""
        return math.sqrt(2.0 * self.diffusion * self.rate)

    @property
    def peak(self) -> float:
        """Where, in standard deviations of the first step, most of the expectation comes from.

        For large N the integrand is ``e^{N² (4 ln(1 + y) − y²/4Dη)}`` with ``θ_1 = N y``.
        """
        if math.isinf(self.depth):
            return 2.0 * self.spread
        y = 0.5 * (math.sqrt(1.0 + 16.0 * self.spread**2) - 1.0)
        return self.depth * y / self.spread

    def log10_expected_risk(self) -> tuple[float, float]:
        """``log10 E[V_N(θ_2)]`` and its error, from twice the spacing and two thirds the reach."""
        value = self._integral(_SPACING, self.peak + _BEYOND)
        others = self._integral(2 * _SPACING, self.peak + 2 / 3 * _BEYOND)
        return value, abs(value - others)

    def _integral(self, spacing: float, reach: float) -> float:
        first, weight = _normal_rule(spacing, reach)
        second, other = _normal_rule(spacing, 20.0)
        zero = np.zeros(1)
        theta = -self.rate * self.slope(zero) + self.spread * first
        mean = theta - self.rate * self.slope(theta)
        inner = [
            logsumexp(self.log_risk(part[:, None] + self.spread * second) + other, axis=1)
            for part in np.array_split(mean, 16)
        ]
        return float(logsumexp(np.concatenate(inner) + weight)) / math.log(10.0)

    def _power(self, theta: Array) -> tuple[Array, Array]:
        """``ln|z_N|`` and the sign of ``z_N``."""
        if math.isinf(self.depth):
            return theta, np.ones_like(theta)
        base = 1.0 + theta / self.depth
        with np.errstate(divide="ignore"):
            size = self.depth * np.log(np.abs(base))
        return size, np.where((base < 0) & (self.depth % 2 == 1), -1.0, 1.0)


def _normal_rule(spacing: float, reach: float) -> tuple[Array, Array]:
    """Points, and logarithms of weights, for the mean over a standard normal."""
    count = math.ceil(reach / spacing)
    x = np.multiply(spacing, np.arange(-count, count + 1), dtype=np.float64)
    return x, -0.5 * x**2 + math.log(spacing / math.sqrt(2.0 * math.pi))

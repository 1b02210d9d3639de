"""The exact density of ``V = γ|θ|²``, D = 1: a convolution with a normal density."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ive

from fokkerplanck.problem.initial import Gaussian, InitialDensity


def endpoint_rule(step: float = 0.04, reach: float = 3.2):
    """Double-exponential rule on (0, 1): endpoint singularities cost nothing."""
    t = step * np.arange(-int(reach / step), int(reach / step) + 1)
    nodes = 1.0 / (1.0 + np.exp(-np.pi * np.sinh(t)))
    weights = step * 0.25 * np.pi * np.cosh(t) / np.cosh(0.5 * np.pi * np.sinh(t)) ** 2
    return nodes, weights


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    gamma: float
    initial: InitialDensity

    def potential(self, points):
        return self.gamma * np.sum(points**2, axis=1)

    def mean(self, time):
        return np.exp(-2 * self.gamma * time) * np.array(self.initial.center)

    def spread(self, time):
        """Variance per axis that the noise adds."""
        return -np.expm1(-4 * self.gamma * time) / (2 * self.gamma)

    def __call__(self, points, time):
        """Density at points of shape (..., m)."""
        offset = np.linalg.norm(points - self.mean(time), axis=-1)
        if isinstance(self.initial, Gaussian):
            shrunk = np.exp(-2 * self.gamma * time) * self.initial.radius
            variance = shrunk**2 + self.spread(time)
            normal = np.exp(-(offset**2) / (2 * variance))
            return normal / (2 * np.pi * variance) ** (self.initial.dimension / 2)
        return self._convolution(offset.ravel(), time).reshape(offset.shape)

    def _convolution(self, offset, time):
        """By quadrature over the support, as a function of the distance from the mean."""
        nodes, weights = endpoint_rule()
        m, variance = self.initial.dimension, self.spread(time)
        center = np.array(self.initial.center)
        radii = self.initial.radius * nodes
        shrunk = np.exp(-2 * self.gamma * time) * radii
        start = self.initial(center + np.outer(radii, np.eye(m)[0]))
        # The exponents of the kernel's angular average, scaled by exp(-(offset - shrunk)²/2v).
        product = np.outer(offset, shrunk) / variance
        # e^{-x} times the average of e^{x cos} over the sphere of radius `radii`, times its area.
        angular = {
            1: lambda x: 1 + np.exp(-2 * x),
            2: lambda x: 2 * np.pi * radii * ive(0, x),
            3: lambda x: 4 * np.pi * radii**2 * -np.expm1(-2 * x) / np.maximum(2 * x, 1e-300),
        }[m](product)
        gap = (offset[:, None] - shrunk) ** 2 / (2 * variance)
        kernel = np.exp(-gap) / (2 * np.pi * variance) ** (m / 2)
        return (angular * kernel) @ (start * weights * self.initial.radius)

"""Fokker–Planck equations on the line by sinc collocation of their symmetric form.

With ``p = e^{−V/2D} ψ`` the equation is ``ψ' = (∂ − V'/2D)(D∂ + V'/2) ψ``. Neither weak form nor
Krylov space of the package is used, and a different unknown decays in the tails.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.linalg import expm
from scipy.optimize import brentq

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SincReference:
    """Two potentials ``V`` and ``V_N = V − E/N`` with the same initial density."""

    V: Function
    slope: Function  #: V'
    E: Function
    E_slope: Function
    initial: Function
    diffusion: float = 1.0
    reach: float = 9.0
    count: int = 181

    def __post_init__(self):
        x = np.linspace(-self.reach, self.reach, self.count)
        gap = np.subtract.outer(np.arange(self.count), np.arange(self.count))
        safe = np.where(gap == 0, 1, gap)
        derivative = np.where(gap == 0, 0.0, np.where(gap % 2, -1.0, 1.0) / safe)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "derivative", derivative / (x[1] - x[0]))

    def _generator(self, slope):
        flux = self.diffusion * self.derivative + np.diag(slope / 2)
        return (self.derivative - np.diag(slope / (2 * self.diffusion))) @ flux

    def path(self, step, count, h):
        """``ψ`` of ``p^N`` and of ``N(p − p^N)``, both relative to ``e^{−V/2D}``, at the nodes.

        Args:
            step: between times.
            count: how many, shape (count + 1, 2, nodes) with the start.
            h: 1/N.
        """
        x, D = self.x, self.diffusion
        slope, E_slope = self.slope(x), self.E_slope(x)
        there = slope - h * E_slope
        # p^N = e^{−V_N/2D} χ; what drives the difference is ∂(p^N E').
        ratio = np.exp(h * self.E(x) / (2 * D))
        drive = (self.derivative - np.diag(slope / (2 * D))) @ np.diag(E_slope * ratio)
        blocks = [[self._generator(there), np.zeros_like(drive)], [drive, self._generator(slope)]]
        chi = self.initial(x) * np.exp((self.V(x) - h * self.E(x)) / (2 * D))
        states = [np.append(chi, 0 * chi)]
        forward = expm(step * np.block(blocks))
        for _ in range(count):
            states.append(forward @ states[-1])
        return np.reshape(states, (count + 1, 2, -1)) * np.stack([ratio, np.ones_like(ratio)])

    def difference(self, time, h):
        """``N(p − p^N)`` as a function."""
        z = self.path(time, 1, h)[1, 1]
        return lambda x: np.exp(-self.V(x) / (2 * self.diffusion)) * (self._sinc(x) @ z)

    def _sinc(self, x):
        return np.sinc(np.subtract.outer(x, self.x) / (self.x[1] - self.x[0]))

    def norm(self, function, log_weight, ends):
        """``∫ e^{log_weight} |f|`` between two ends."""
        fine = np.linspace(*ends, 401)
        values = function(fine)
        turns = np.flatnonzero(values[:-1] * values[1:] < 0)
        roots = [
            brentq(lambda x: function(np.array([x]))[0], *fine[i : i + 2], xtol=1e-14)
            for i in turns
        ]
        nodes, weights = np.polynomial.legendre.leggauss(40)
        total = 0.0
        for a, b in pairwise([ends[0], *roots, ends[1]]):
            x = 0.5 * (a + b) + 0.5 * (b - a) * nodes
            total += 0.5 * (b - a) * weights @ (np.exp(log_weight(x)) * np.abs(function(x)))
        return total

    def norms(self, time, h, log_weight, edges):
        """The same over ``a <= |x| < b`` for consecutive edges."""
        f = self.difference(time, h)
        sides = [
            (self.norm(f, log_weight, (a, b)), self.norm(f, log_weight, (-b, -a)))
            for a, b in pairwise(edges)
        ]
        return np.sum(sides, axis=1)

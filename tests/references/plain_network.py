"""V and N(V − V_N) of a study with one parameter, by plain loops over layers and steps.

Nothing is shared with the compiled kernels but the reading of the formula: networks are run layer
by layer, the Neural ODE by the classical Runge–Kutta method, whose steps are halved until it has
settled, also across kinks.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from fokkerplanck.model.evaluation import evaluate
from fokkerplanck.risk.codegen.systems import System, first_order, flow

#: Numbers that are held at a time.
_CHUNK = 400_000


@dataclass(frozen=True)
class PlainNetwork:
    """The potentials of one depth; infinity stands for the limit of ``N(V − V_N)``."""

    network: object
    data: object
    cap: object
    penalty: object
    depth: float
    tolerance: float = 1e-8  #: of the states of the Neural ODE
    most_steps: int = 2**12
    worst: list = field(default_factory=list)  #: errors of the states that were left

    def __call__(self, points):
        """V and ``N(V − V_N)`` at points of shape (P,), shape (2, P)."""
        size = max(1, _CHUNK // self.data.num_samples)
        chunks = np.split(points, range(size, len(points), size))
        return np.concatenate([self._chunk(chunk) for chunk in chunks], axis=1)

    def _chunk(self, points):
        theta = self.cap(points[:, None])[:, 0]
        d, y = self.data.dimension, self.data.targets.T[:, None, :]
        end = self._settled(theta)
        x = end[:d]
        value = self._mean((x - y) ** 2) + self.penalty.gamma * self.penalty(points[:, None])
        if math.isinf(self.depth):
            return np.stack([value, 2 * self._mean((y - x) * end[d:])])
        z = self._layers(theta)
        return np.stack([value, self.depth * self._mean((x - z) * (x + z - 2 * y))])

    def _mean(self, states):
        """``E_μ`` of the sum over components, shape (P,)."""
        return states.sum(axis=0) @ self.data.weights

    def _start(self, system, theta):
        z = np.zeros((system.size, len(theta), self.data.num_samples))
        z[: self.data.dimension] = self.data.inputs.T[:, None, :]
        return z

    def _layers(self, theta):
        system = flow(self.network)
        z = self._start(system, theta)
        for _ in range(int(self.depth)):
            z = z + slopes(system, theta, z) / self.depth
        return z

    def _settled(self, theta):
        """States of the Neural ODE at time 1, (n, P, S), by halving steps where they change."""
        system = first_order(self.network) if math.isinf(self.depth) else flow(self.network)
        steps, end = 64, self._steps(system, theta, 32)
        rough = np.arange(len(theta))
        while rough.size and steps <= self.most_steps:
            finer = self._steps(system, theta[rough], steps)
            change = np.abs(finer - end[:, rough]).max(axis=(0, 2))
            end[:, rough] = finer
            rough, change = rough[change > self.tolerance], change[change > self.tolerance]
            steps *= 2
        self.worst.append(float(change.max(initial=self.tolerance)))
        return end

    def _steps(self, system, theta, count):
        z, h = self._start(system, theta), 1 / count
        for _ in range(count):
            k1 = slopes(system, theta, z)
            k2 = slopes(system, theta, z + h / 2 * k1)
            k3 = slopes(system, theta, z + h / 2 * k2)
            z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + slopes(system, theta, z + h * k3))
        return z


def slopes(system: System, theta, z):
    """``g(z, θ)``, of the shape (n, P, S) of z, for θ of shape (P,)."""
    values = {system.parameters[0]: theta[:, None], **dict(zip(system.states, z, strict=True))}
    return np.stack([np.broadcast_to(evaluate(g, values), z[0].shape) for g in system.slopes])

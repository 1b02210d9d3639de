"""Plain-loop twins of the compiled kernels, to be read and to be compared with."""

import numpy as np

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.model.evaluation import evaluate
from fokkerplanck.risk.codegen.systems import System, first_order, flow
from fokkerplanck.runtime.arrays import Array


def resnet_risk(
    network: Network, data: DataMeasure, depth: int, theta: Array
) -> tuple[float, Array]:
    """Return ``L_N`` and its gradient, shape ``(m,)``, at one parameter of shape ``(m,)``."""
    system = flow(network).with_sensitivities()
    z = initial_states(system, data)
    for _ in range(depth):
        z = z + slopes(system, theta, z) / depth
    return squared_error(z, data, len(theta))


def neural_ode_risk(
    network: Network, data: DataMeasure, theta: Array, num_steps: int = 1000
) -> tuple[float, Array]:
    """Return ``L`` and its gradient, by the classical Runge–Kutta method of order 4."""
    z = runge_kutta(flow(network).with_sensitivities(), data, theta, num_steps)
    return squared_error(z, data, len(theta))


def depth_limit(
    network: Network, data: DataMeasure, theta: Array, num_steps: int = 1000
) -> tuple[float, Array]:
    """Return ``ℓ = 2 E⟨y - x(1), ξ(1)⟩`` and its gradient."""
    d, m = data.dimension, len(theta)
    z = runge_kutta(first_order(network).with_sensitivities(), data, theta, num_steps)
    x, xi, tangents = z[:d], z[d : 2 * d], z[2 * d :].reshape(2 * d, m, -1)
    value, gradient = 0.0, np.zeros(m)
    for a in range(d):
        missing = data.targets[:, a] - x[a]
        value += 2 * np.sum(data.weights * missing * xi[a])
        for i in range(m):
            change = missing * tangents[d + a, i] - tangents[a, i] * xi[a]
            gradient[i] += 2 * np.sum(data.weights * change)
    return value, gradient


def initial_states(system: System, data: DataMeasure) -> Array:
    """Return the inputs, followed by zeros for all other states, shape ``(n, S)``."""
    z = np.zeros((system.size, data.num_samples))
    z[: data.dimension] = data.inputs.T
    return z


def slopes(system: System, theta: Array, z: Array) -> Array:
    """Return ``g(z, θ)``, of the shape ``(n, S)`` of ``z``."""
    values = dict(zip((*system.parameters, *system.states), (*theta, *z), strict=True))
    return np.stack([np.broadcast_to(evaluate(g, values), z[0].shape) for g in system.slopes])


def runge_kutta(system: System, data: DataMeasure, theta: Array, num_steps: int) -> Array:
    """Return the states at time 1, shape ``(n, S)``."""
    z, h = initial_states(system, data), 1 / num_steps
    for _ in range(num_steps):
        k1 = slopes(system, theta, z)
        k2 = slopes(system, theta, z + h / 2 * k1)
        k3 = slopes(system, theta, z + h / 2 * k2)
        k4 = slopes(system, theta, z + h * k3)
        z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return z


def squared_error(z: Array, data: DataMeasure, m: int) -> tuple[float, Array]:
    """Return ``E|y - x|²`` and its gradient from x and dx/dθ."""
    d = data.dimension
    tangents = z[d:].reshape(d, m, -1)
    value, gradient = 0.0, np.zeros(m)
    for a in range(d):
        residual = z[a] - data.targets[:, a]
        value += np.sum(data.weights * residual**2)
        for i in range(m):
            gradient[i] += 2 * np.sum(data.weights * residual * tangents[a, i])
    return value, gradient

"""Compiled sweeps over parameter points and blocks of samples.

A factory closes over the leaf functions of a network, which LLVM inlines. A block holds ``K`` samples, padded with copies of weight zero. Rows of a block's state are the components of
x, then those of ξ where the system has them, then the sensitivities ``dz_a/dθ_i`` in the order
``a m + i``.
"""

import numpy as np
from numba import njit

from fokkerplanck.risk.functions import COMPILED
from fokkerplanck.risk.integrator import FIRST_STEP, WORK_ROWS


@njit(**COMPILED)
def start(inputs, z):
    """Fill the states of a block: the inputs, and zeros for all other rows."""
    z[:] = 0.0
    z[: inputs.size] = inputs


@njit(**COMPILED)
def total(lanes):
    """Return the sum over the samples of a block, by pairs, so that rounding stays small."""
    size = lanes.size
    while size > 1:
        half = size // 2
        for j in range(half):
            lanes[j] += lanes[size - half + j]
        size -= half
    return lanes[0]


@njit(**COMPILED)
def reduce_lanes(lanes, values):
    """Store the sum of each row of ``lanes`` in ``values``."""
    for i in range(values.size):
        values[i] = total(lanes[i])


@njit(**COMPILED)
def add_risk(z, targets, weights, value, gradient):
    """Add ``w |y - x|²`` and its gradient ``2 w Σ_a (x_a - y_a) dx_a/dθ`` sample by sample."""
    block, m = weights.size, gradient.shape[0]
    d = targets.size // block
    for a in range(d):
        for j in range(block):
            residual = z[a * block + j] - targets[a * block + j]
            value[j] += weights[j] * residual * residual
        for i in range(m):
            row = (d + a * m + i) * block
            for j in range(block):
                residual = z[a * block + j] - targets[a * block + j]
                gradient[i, j] += 2.0 * weights[j] * residual * z[row + j]


@njit(**COMPILED)
def add_limit(z, targets, weights, value, gradient):
    """Add ``2 w ⟨y - x, ξ⟩`` and its gradient, sample by sample."""
    block, m = weights.size, gradient.shape[0]
    d = targets.size // block
    for a in range(d):
        x, xi = z[a * block : (a + 1) * block], z[(d + a) * block : (d + a + 1) * block]
        y = targets[a * block : (a + 1) * block]
        for j in range(block):
            value[j] += 2.0 * weights[j] * (y[j] - x[j]) * xi[j]
        for i in range(m):
            dx = z[(2 * d + a * m + i) * block :]
            dxi = z[(2 * d + (d + a) * m + i) * block :]
            for j in range(block):
                change = (y[j] - x[j]) * dxi[j] - dx[j] * xi[j]
                gradient[i, j] += 2.0 * weights[j] * change


@njit(**COMPILED)
def add_difference(end, z, targets, weights, depth, value, gradient):
    """Add ``N w (|y - x|² - |y - x_N|²)`` and its gradient, sample by sample.

    With ``δ = N (x - x_N)`` the terms are ``w ⟨δ, x + x_N - 2y⟩`` and, componentwise,
    ``2 w ((x - y) N(dx/dθ - dx_N/dθ) + δ dx_N/dθ)``; the risks themselves are never subtracted.

    Args:
        end: States (x, dx/dθ) of the Neural ODE.
        z: States (x_N, dx_N/dθ) of the network with N layers.
        targets: Targets y.
        weights: Weights w.
        depth: N.
        value: Sums per sample.
        gradient: Sums per sample.
    """
    block, m = weights.size, gradient.shape[0]
    d = targets.size // block
    for a in range(d):
        x, xn = end[a * block : (a + 1) * block], z[a * block : (a + 1) * block]
        y = targets[a * block : (a + 1) * block]
        for j in range(block):
            delta = depth * (x[j] - xn[j])
            value[j] += weights[j] * delta * ((x[j] - y[j]) + (xn[j] - y[j]))
        for i in range(m):
            dx, dxn = end[(d + a * m + i) * block :], z[(d + a * m + i) * block :]
            for j in range(block):
                delta = depth * (x[j] - xn[j])
                change = (x[j] - y[j]) * (depth * (dx[j] - dxn[j])) + delta * dxn[j]
                gradient[i, j] += 2.0 * weights[j] * change


def resnet_risk(layer):
    """Return the kernel of ``L_N`` and its gradient by forward sensitivities.

    Args:
        layer: Leaf function ``layer(theta, z, h)``.
    """

    @njit(**COMPILED)
    def run(rows, theta, inputs, targets, weights, depth, value, gradient):
        """Fill the results.

        Args:
            rows: Rows of a block's state.
            theta: Parameters, shape ``(P, m)``.
            inputs: Blocks of inputs, shape ``(B, d * K)``.
            targets: Blocks of targets, shape ``(B, d * K)``.
            weights: Blocks of weights, shape ``(B, K)``.
            depth: Number N of layers.
            value: Result, shape ``(P,)``.
            gradient: Result, shape ``(P, m)``, or ``(P, 0)`` to leave it out.
        """
        block = weights.shape[1]
        z = np.empty(rows * block)
        sums, lanes = np.empty((1, block)), np.empty((gradient.shape[1], block))
        for p in range(theta.shape[0]):
            sums[:] = 0.0
            lanes[:] = 0.0
            for b in range(weights.shape[0]):
                start(inputs[b], z)
                for _ in range(depth):
                    layer(theta[p], z, 1.0 / depth)
                add_risk(z, targets[b], weights[b], sums[0], lanes)
            reduce_lanes(sums, value[p : p + 1])
            reduce_lanes(lanes, gradient[p])

    return run


def ode_risk(integrate):
    """Return the kernel of ``L`` and its gradient by forward sensitivities.

    Args:
        integrate: Integrator of x and its sensitivities.
    """
    return _flow_functional(integrate, add_risk)


def depth_limit(integrate):
    """Return the kernel of ``ℓ = 2 E⟨y - x(1), ξ(1)⟩`` and its gradient.

    Args:
        integrate: Integrator of (x, ξ) and their sensitivities.
    """
    return _flow_functional(integrate, add_limit)


def _flow_functional(integrate, add):
    """Return the kernel of a functional of the states at time 1."""

    @njit(**COMPILED)
    def run(rows, theta, inputs, targets, weights, tolerance, value, gradient, reached):
        """Fill the results.

        Args:
            rows: Rows of a block's state.
            theta: Parameters, shape ``(P, m)``.
            inputs: Blocks of inputs, shape ``(B, d * K)``.
            targets: Blocks of targets, shape ``(B, d * K)``.
            weights: Blocks of weights, shape ``(B, K)``.
            tolerance: Local relative error of the integrator.
            value: Result, shape ``(P,)``.
            gradient: Result, shape ``(P, m)``, or ``(P, 0)`` to leave it out.
            reached: Result, shape ``(P,)``: the time reached, below 1 for a blow-up.
        """
        block = weights.shape[1]
        work = np.empty(WORK_ROWS * rows * block)
        z = work[: rows * block]
        sums, lanes = np.empty((1, block)), np.empty((gradient.shape[1], block))
        for p in range(theta.shape[0]):
            sums[:] = 0.0
            lanes[:] = 0.0
            step, reached[p] = FIRST_STEP, 1.0
            for b in range(weights.shape[0]):
                start(inputs[b], z)
                time, step = integrate(theta[p], work, 1.0, step, tolerance, block)
                reached[p] = min(reached[p], time)
                add(z, targets[b], weights[b], sums[0], lanes)
            reduce_lanes(sums, value[p : p + 1])
            reduce_lanes(lanes, gradient[p])

    return run


def series_flow(integrate):
    """Return the kernel of ``L`` and ``ℓ``, with gradients, that keeps the final states.

    Args:
        integrate: Integrator of (x, ξ) and their sensitivities.
    """

    @njit(**COMPILED)
    def run(theta, inputs, targets, weights, tolerance, value, gradient, end, reached):
        """Fill the results.

        Args:
            theta: Parameters, shape ``(P, m)``.
            inputs: Blocks of inputs, shape ``(B, d * K)``.
            targets: Blocks of targets, shape ``(B, d * K)``.
            weights: Blocks of weights, shape ``(B, K)``.
            tolerance: Local relative error of the integrator.
            value: Result ``(L, ℓ)``, shape ``(P, 2)``.
            gradient: Result, shape ``(P, 2, m)``.
            end: Result, x and dx/dθ at time 1, shape ``(P, B, d * (1 + m) * K)``.
            reached: Result, shape ``(P,)``: the time reached, below 1 for a blow-up.
        """
        block, m = weights.shape[1], theta.shape[1]
        inner = inputs.shape[1]
        work = np.empty(WORK_ROWS * 2 * end.shape[2])
        z = work[: 2 * end.shape[2]]
        sums, lanes = np.empty((2, block)), np.empty((2, m, block))
        for p in range(theta.shape[0]):
            sums[:] = 0.0
            lanes[:] = 0.0
            step, reached[p] = FIRST_STEP, 1.0
            for b in range(weights.shape[0]):
                start(inputs[b], z)
                time, step = integrate(theta[p], work, 1.0, step, tolerance, block)
                reached[p] = min(reached[p], time)
                # x and dx/dθ without ξ, which stands between the two
                end[p, b, :inner] = z[:inner]
                end[p, b, inner:] = z[2 * inner : inner + end.shape[2]]
                add_risk(end[p, b], targets[b], weights[b], sums[0], lanes[0])
                add_limit(z, targets[b], weights[b], sums[1], lanes[1])
            reduce_lanes(sums, value[p])
            for k in range(2):
                reduce_lanes(lanes[k], gradient[p, k])

    return run


def series_layers(layer):
    """Return the kernel of ``N (L - L_N)`` for several depths, with gradients.

    Args:
        layer: Leaf function ``layer(theta, z, h)`` of x and its sensitivities.
    """

    @njit(**COMPILED)
    def run(theta, inputs, targets, weights, end, depths, value, gradient):
        """Fill the results.

        Args:
            theta: Parameters, shape ``(P, m)``.
            inputs: Blocks of inputs, shape ``(B, d * K)``.
            targets: Blocks of targets, shape ``(B, d * K)``.
            weights: Blocks of weights, shape ``(B, K)``.
            end: x and dx/dθ of the Neural ODE at time 1, shape ``(P, B, d * (1 + m) * K)``.
            depths: The depths N, shape ``(D,)``.
            value: Result, shape ``(P, D)``.
            gradient: Result, shape ``(P, D, m)``.
        """
        block, m = weights.shape[1], theta.shape[1]
        z = np.empty(end.shape[2])
        sums, lanes = np.empty((1, block)), np.empty((m, block))
        for p in range(theta.shape[0]):
            for k in range(depths.size):
                sums[:] = 0.0
                lanes[:] = 0.0
                for b in range(weights.shape[0]):
                    start(inputs[b], z)
                    for _ in range(depths[k]):
                        layer(theta[p], z, 1.0 / depths[k])
                    add_difference(
                        end[p, b], z, targets[b], weights[b], depths[k], sums[0], lanes
                    )
                reduce_lanes(sums, value[p, k : k + 1])
                reduce_lanes(lanes, gradient[p, k])

    return run

"""Compiled sweeps over parameter points and blocks of samples.

A factory closes over the leaf functions of a network, which LLVM inlines. A block holds ``K``
samples, padded with copies of weight zero. Rows of a block's state are the components of x, then
those of ξ where the system has them, then the sensitivities ``dz_a/dθ_i`` in the order
``a m + i``, or, for the reverse route, the adjoint of each of the former and the gradient.

The kernels for one risk share their arguments:
    rows: Rows of a block's state, without those of the reverse route.
    theta: Parameters, shape ``(P, m)``.
    inputs: Blocks of inputs, shape ``(B, d * K)``.
    targets: Blocks of targets, shape ``(B, d * K)``.
    weights: Blocks of weights, shape ``(B, K)``.
    control: Number N of layers, or tolerance of the integrator.
    value: Result, shape ``(P,)``.
    gradient: Result, shape ``(P, m)``; for the forward route ``(P, 0)`` leaves it out.
    reached: Result, shape ``(P,)``: the time reached, below 1 for a blow-up.
"""

import numpy as np
from numba import njit

from fokkerplanck.risk.functions import COMPILED, INLINED
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


@njit(**COMPILED)
def seed_risk(z, targets, weights):
    """Fill the adjoint of ``w |y - x|²``, and zeros for the gradient, behind the states x."""
    block, size = weights.size, targets.size
    z[2 * size :] = 0.0
    for i in range(size):
        z[size + i] = 2.0 * weights[i % block] * (z[i] - targets[i])


@njit(**COMPILED)
def seed_limit(z, targets, weights):
    """Fill the adjoint of ``2 w ⟨y - x, ξ⟩``, and zeros for the gradient, behind (x, ξ)."""
    block, size = weights.size, targets.size
    z[4 * size :] = 0.0
    for i in range(size):
        weight = 2.0 * weights[i % block]
        z[2 * size + i] = -weight * z[size + i]
        z[3 * size + i] = weight * (targets[i] - z[i])


def resnet_forward(layer):
    """Return the kernel of ``L_N`` and its gradient by forward sensitivities.

    Args:
        layer: Leaf function ``layer(theta, z, h)``.
    """

    @njit(**INLINED)
    def run(rows, theta, inputs, targets, weights, control, value, gradient, reached):
        block, depth = weights.shape[1], int(control)
        z = np.empty(rows * block)
        sums, lanes = np.empty((1, block)), np.empty((gradient.shape[1], block))
        reached[:] = 1.0
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


def resnet_reverse(layer, pull_back):
    """Return the kernel of ``L_N`` and its gradient by back-propagation.

    Long networks are cut into about sqrt(N) segments; the states at their starts are kept, and
    those inside a segment are computed again on the way back.

    Args:
        layer: Leaf function ``layer(theta, z, h)`` of x.
        pull_back: Leaf function of (x, λ, G) that moves λ and G through one layer.
    """

    @njit(**INLINED)
    def run(rows, theta, inputs, targets, weights, control, value, gradient, reached):
        block, depth = weights.shape[1], int(control)
        h, size, m = 1.0 / depth, rows * block, theta.shape[1]
        length = depth if depth <= 256 else int(np.ceil(np.sqrt(depth)))
        starts = np.empty((-(-depth // length), size))
        states = np.empty((length, size))
        z = np.empty(2 * size + m * block)
        sums, lanes = np.empty((1, block)), np.empty((m, block))
        reached[:] = 1.0
        for p in range(theta.shape[0]):
            sums[:] = 0.0
            lanes[:] = 0.0
            for b in range(weights.shape[0]):
                x = z[:size]
                start(inputs[b], x)
                for i in range(depth):
                    if i % length == 0:
                        starts[i // length] = x
                    layer(theta[p], x, h)
                add_risk(x, targets[b], weights[b], sums[0], lanes[:0])
                seed_risk(z, targets[b], weights[b])
                for s in range(starts.shape[0] - 1, -1, -1):
                    count = min(length, depth - s * length)
                    x[:] = starts[s]
                    for i in range(count):
                        states[i] = x
                        layer(theta[p], x, h)
                    for i in range(count - 1, -1, -1):
                        x[:] = states[i]
                        pull_back(theta[p], z, h)
                add_gradient(z[2 * size :], lanes)
            reduce_lanes(sums, value[p : p + 1])
            reduce_lanes(lanes, gradient[p])

    return run


@njit(**COMPILED)
def add_gradient(rows, lanes):
    """Add the rows of the gradient to the sums per sample."""
    block = lanes.shape[1]
    for i in range(lanes.shape[0]):
        for j in range(block):
            lanes[i, j] += rows[i * block + j]


def ode_forward(integrate):
    """Return the kernel of ``L`` and its gradient by forward sensitivities.

    Args:
        integrate: Integrator of x and its sensitivities.
    """
    return _flow_forward(integrate, add_risk)


def limit_forward(integrate):
    """Return the kernel of ``ℓ = 2 E⟨y - x(1), ξ(1)⟩`` and its gradient.

    Args:
        integrate: Integrator of (x, ξ) and their sensitivities.
    """
    return _flow_forward(integrate, add_limit)


def _flow_forward(integrate, add):
    """Return the kernel of a functional of the states at time 1."""

    @njit(**INLINED)
    def run(rows, theta, inputs, targets, weights, control, value, gradient, reached):
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
                time, step = integrate(theta[p], work, 1.0, step, control, block)
                reached[p] = min(reached[p], time)
                add(z, targets[b], weights[b], sums[0], lanes)
            reduce_lanes(sums, value[p : p + 1])
            reduce_lanes(lanes, gradient[p])

    return run


def ode_reverse(integrate, integrate_back):
    """Return the kernel of ``L`` and its gradient by the adjoint equation.

    Args:
        integrate: Integrator of x.
        integrate_back: Integrator of (x, λ, G).
    """
    return _flow_reverse(integrate, integrate_back, add_risk, seed_risk)


def limit_reverse(integrate, integrate_back):
    """Return the kernel of ``ℓ = 2 E⟨y - x(1), ξ(1)⟩`` and its gradient by the adjoint equation.

    Args:
        integrate: Integrator of (x, ξ).
        integrate_back: Integrator of (x, ξ), their adjoint and G.
    """
    return _flow_reverse(integrate, integrate_back, add_limit, seed_limit)


def _flow_reverse(integrate, integrate_back, add, seed):
    """Return the kernel of a functional of the states at time 1, whose states run back to 0."""

    @njit(**INLINED)
    def run(rows, theta, inputs, targets, weights, control, value, gradient, reached):
        block, m = weights.shape[1], theta.shape[1]
        size = rows * block
        work = np.empty(WORK_ROWS * size)
        back = np.empty(WORK_ROWS * (2 * size + m * block))
        z = back[: 2 * size + m * block]
        sums, lanes = np.empty((1, block)), np.empty((m, block))
        for p in range(theta.shape[0]):
            sums[:] = 0.0
            lanes[:] = 0.0
            step, step_back, reached[p] = FIRST_STEP, FIRST_STEP, 1.0
            for b in range(weights.shape[0]):
                start(inputs[b], work[:size])
                time, step = integrate(theta[p], work, 1.0, step, control, block)
                reached[p] = min(reached[p], time)
                if time < 1.0:
                    break
                z[:size] = work[:size]
                add(z, targets[b], weights[b], sums[0], lanes[:0])
                seed(z, targets[b], weights[b])
                time, step_back = integrate_back(theta[p], back, -1.0, step_back, control, block)
                reached[p] = min(reached[p], time)
                add_gradient(z[2 * size :], lanes)
            reduce_lanes(sums, value[p : p + 1])
            reduce_lanes(lanes, gradient[p])

    return run


def series_flow(integrate):
    """Return the kernel of ``L`` and ``ℓ``, with gradients, that keeps the final states.

    Args:
        integrate: Integrator of (x, ξ) and their sensitivities.
    """

    @njit(**INLINED)
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

    @njit(**INLINED)
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
                    add_difference(end[p, b], z, targets[b], weights[b], depths[k], sums[0], lanes)
                reduce_lanes(sums, value[p, k : k + 1])
                reduce_lanes(lanes, gradient[p, k])

    return run

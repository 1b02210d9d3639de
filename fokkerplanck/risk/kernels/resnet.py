"""Sweeps of networks with N layers."""

import numpy as np
from numba import njit

from fokkerplanck.risk.kernels.blocks import add_gradient, add_risk, reduce_lanes, seed_risk, start
from fokkerplanck.runtime.compiled import INLINED


def resnet_forward(layer):
    """Return the kernel of ``L_N`` and its gradient by forward sensitivities.

    Args:
        layer: Leaf function ``layer(theta, z, h)``.
    """

    @njit(**INLINED)
    def run(rows, theta, inputs, targets, weights, control, value, gradient, end, reached):
        block, depth = weights.shape[1], int(control)
        z = np.empty(rows * block)
        sums, lanes = np.empty((1, block)), np.empty((gradient.shape[2], block))
        reached[:] = 1.0
        for p in range(theta.shape[0]):
            sums[:] = 0.0
            lanes[:] = 0.0
            for b in range(weights.shape[0]):
                start(inputs[b], z)
                for _ in range(depth):
                    layer(theta[p], z, 1.0 / depth)
                add_risk(z, targets[b], weights[b], sums[0], lanes)
            reduce_lanes(sums, value[p])
            reduce_lanes(lanes, gradient[p, 0])

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
    def run(rows, theta, inputs, targets, weights, control, value, gradient, end, reached):
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
            reduce_lanes(sums, value[p])
            reduce_lanes(lanes, gradient[p, 0])

    return run

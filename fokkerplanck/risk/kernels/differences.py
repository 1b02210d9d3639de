"""Sweep of the scaled differences N (L - L_N) for several depths."""

import numpy as np
from numba import njit

from fokkerplanck.risk.kernels.blocks import add_difference, reduce_lanes, start
from fokkerplanck.runtime.compiled import INLINED


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

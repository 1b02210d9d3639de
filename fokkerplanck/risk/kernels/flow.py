"""Sweeps of functionals of the Neural ODE."""

import numpy as np
from numba import njit

from fokkerplanck.risk.kernels.blocks import (
    add_gradient,
    add_limit,
    add_risk,
    reduce_lanes,
    seed_limit,
    seed_risk,
    start,
)
from fokkerplanck.risk.kernels.integrator import FIRST_STEP, WORK_ROWS
from fokkerplanck.runtime.compiled import COMPILED, INLINED


def ode_forward(integrate):
    """Return the kernel of ``L`` and its gradient by forward sensitivities.

    Args:
        integrate: Integrator of x and its sensitivities.
    """

    @njit(**COMPILED)
    def add(z, targets, weights, sums, lanes, _end):
        add_risk(z, targets, weights, sums[0], lanes[0])

    return _flow_forward(integrate, add)


def limit_forward(integrate):
    """Return the kernel of ``ℓ = 2 E⟨y - x(1), ξ(1)⟩`` and its gradient.

    Args:
        integrate: Integrator of (x, ξ) and their sensitivities.
    """

    @njit(**COMPILED)
    def add(z, targets, weights, sums, lanes, _end):
        add_limit(z, targets, weights, sums[0], lanes[0])

    return _flow_forward(integrate, add)


def series_flow(integrate):
    """Return the kernel of ``L`` and ``ℓ``, with gradients, that keeps x and dx/dθ at time 1.

    Args:
        integrate: Integrator of (x, ξ) and their sensitivities.
    """

    @njit(**COMPILED)
    def add(z, targets, weights, sums, lanes, end):
        inner = targets.size
        # without ξ, which stands between the two
        end[:inner] = z[:inner]
        end[inner:] = z[2 * inner : inner + end.size]
        add_risk(end, targets, weights, sums[0], lanes[0])
        add_limit(z, targets, weights, sums[1], lanes[1])

    return _flow_forward(integrate, add)


def _flow_forward(integrate, add):
    """Return the kernel of functionals of the states at time 1.

    Args:
        integrate: Integrator of the states and their sensitivities.
        add: Adds the functionals and their gradients, sample by sample, and keeps final states.
    """

    @njit(**INLINED)
    def run(rows, theta, inputs, targets, weights, control, value, gradient, end, reached):
        block = weights.shape[1]
        count, columns = gradient.shape[1:]
        work = np.empty(WORK_ROWS * rows * block)
        z = work[: rows * block]
        sums, lanes = np.empty((count, block)), np.empty((count, columns, block))
        for p in range(theta.shape[0]):
            sums[:] = 0.0
            lanes[:] = 0.0
            step, reached[p] = FIRST_STEP, 1.0
            for b in range(weights.shape[0]):
                start(inputs[b], z)
                time, step = integrate(theta[p], work, 1.0, step, control, block)
                reached[p] = min(reached[p], time)
                add(z, targets[b], weights[b], sums, lanes, end[p, b])
            reduce_lanes(sums, value[p])
            for k in range(count):
                reduce_lanes(lanes[k], gradient[p, k])

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
    def run(rows, theta, inputs, targets, weights, control, value, gradient, end, reached):
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
            reduce_lanes(sums, value[p])
            reduce_lanes(lanes, gradient[p, 0])

    return run

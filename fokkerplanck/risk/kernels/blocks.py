"""What the sweeps do with one block: fill it, and add up what they find sample by sample."""

from numba import njit

from fokkerplanck.runtime.compiled import COMPILED


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
def add_gradient(rows, lanes):
    """Add the rows of the gradient to the sums per sample."""
    block = lanes.shape[1]
    for i in range(lanes.shape[0]):
        for j in range(block):
            lanes[i, j] += rows[i * block + j]


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

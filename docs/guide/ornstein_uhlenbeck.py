"""The Ornstein–Uhlenbeck process: a solution that can be checked in every digit.

The stochastic equation ``dθ = −∇V dt + √(2D) dW`` with ``V = |θ|²`` and ``D = 1`` in the plane has
the Fokker–Planck equation ``∂_t p = ∇·(∇p + p∇V)``. From a normal density with mean c and standard
deviation s per axis the density stays normal, with mean ``e^{−2t} c`` and variance
``e^{−4t} s² + (1 − e^{−4t})/2`` per axis.
"""

import numpy as np

from fokkerplanck.problem.initial import Gaussian
from fokkerplanck.solution.solve import solve


def potential(points):
    """V at points of shape (P, 2)."""
    return np.sum(points**2, axis=1)


# The potential is any function of points; p_0 is one of the families in
# `fokkerplanck.problem.initial`.
center, deviation = np.array([0.3, -0.2]), 0.4
solution = solve(potential, Gaussian(tuple(center), deviation), horizon=1.0, radius=8.0)

# One factorisation serves all times: the density at any of them is read off the same basis.
for time in (0.25, 0.5, 1.0):
    density = solution.density(time)
    mean = np.exp(-2 * time) * center
    variance = np.exp(-4 * time) * deviation**2 - np.expm1(-4 * time) / 2
    assert np.allclose(density.mean, mean, rtol=1e-9)
    assert np.allclose(density.covariance, variance * np.eye(2), rtol=1e-9, atol=1e-10)

# Far out, where the density is 1e-16 of its maximum, it still has its digits: the unknown is not p
# but ``u = p/π`` with the Gibbs density ``π = e^{−V}``, which is of one size everywhere.
points = np.array([[0.0, 0.0], [1.0, 1.0], [3.0, -3.0], [4.0, 4.5]])
exact = np.exp(-np.sum((points - mean) ** 2, axis=1) / (2 * variance)) / (2 * np.pi * variance)
assert exact[-1] < 1e-15
assert np.allclose(density(points), exact, rtol=1e-10)

# The probability current is known too. It vanishes in equilibrium; here it is
# ``J = p (θ − mean)/variance − 2 θ p``.
current = exact[:, None] * ((points - mean) / variance - 2 * points)
assert np.allclose(density.current(points), current, rtol=1e-6, atol=1e-12)

# Mass is kept, and ``∫ p² e^{V/D}`` falls: both hold for the scheme as for the equation.
norms = [solution.density(time).l2_gibbs for time in np.linspace(0.2, 1.0, 9)]
assert abs(density.mass - 1.0) < 1e-13
assert np.all(np.diff(norms) < 0)

"""Two wells and a barrier: how long a particle waits before it changes sides.

In the potential ``V = h (x² − 1)²`` with noise D the minima ``x = ±1`` are separated by a barrier
of height h. From the left well, the probability of the right one tends to ½ like
``½(1 − e^{−λt})``. Kramers' law gives the rate for high barriers:
``λ ≈ (1/π) √(V''(1) |V''(0)|) e^{−h/D}``.
"""

import numpy as np
from scipy.linalg import eigh_tridiagonal

from fokkerplanck.problem.initial import Bump
from fokkerplanck.solution.solve import solve

height, diffusion = 2.0, 0.25


def potential(points):
    """V at points of shape (P, 1)."""
    return height * (points[:, 0] ** 2 - 1) ** 2


# Start as a bump in the left well. The ball must hold what matters, but not where ``e^{−V/D}``
# underflows; ``solve`` says so if it does.
solution = solve(potential, Bump((-1.0,), 0.4), horizon=60.0, radius=2.5, diffusion=diffusion)


def imbalance(time):
    """Probability of the left well less that of the right one."""
    return -float(solution.density(time).expectation(lambda points: np.sign(points[:, 0])))


# The rate is read off two late times.
rate = np.log(imbalance(30.0) / imbalance(60.0)) / 30.0

# An independent answer: the second eigenvalue of the generator, by finite differences of a random
# walk that has the same equilibrium, extrapolated in the step.


def second_eigenvalue(num):
    """Smallest nonzero rate of a reversible walk on `num` points."""
    x = (np.arange(num) + 0.5) * 5.0 / num - 2.5
    gibbs = np.exp(-potential(x[:, None]) / diffusion)
    between = np.exp(-potential(0.5 * (x[1:] + x[:-1])[:, None]) / diffusion)
    flux = diffusion * between * (num / 5.0) ** 2
    diagonal = (np.append(flux, 0.0) + np.insert(flux, 0, 0.0)) / gibbs
    off = -flux / np.sqrt(gibbs[1:] * gibbs[:-1])
    return eigh_tridiagonal(diagonal, off, select="i", select_range=(1, 1))[0][0]


reference = (4 * second_eigenvalue(2000) - second_eigenvalue(1000)) / 3
assert abs(rate / reference - 1.0) < 1e-6

# Kramers' law is the limit of high barriers; here the barrier is eight times the noise.
kramers = np.sqrt(8 * height * 4 * height) / np.pi * np.exp(-height / diffusion)
assert abs(rate / kramers - 1.0) < 0.15

# At the end, the samples agree with the probabilities of the sides.
right = np.mean(solution.density(60.0).sample(20000, seed=0) > 0)
assert abs(right - 0.5 * (1 - imbalance(60.0))) < 0.02

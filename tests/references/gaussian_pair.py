"""Two quadratic potentials and their densities, whose difference is known in closed form.

``V = a|θ|²`` and ``V_N = α|θ − hs|²``, ``h = 1/N``, ``α = a − hb``, from the same normal density.
Every formula keeps its digits as h → 0, and takes ``h = 0`` for the limit.
"""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from mpi4py import MPI

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.difference.potentials import PotentialTable
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.model import Penalty
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Gaussian
from fokkerplanck.problem.numerics import Numerics
from fokkerplanck.problem.problem import Problem

ANNULI = Annuli(1.0, 2)
RADIUS = 6.0
GAUSS = np.polynomial.legendre.leggauss(20)


def grown(rate, h):
    """``(e^{rate h} − 1)/h``."""
    return np.expm1(rate * h) / h if h else rate


@dataclass(frozen=True)
class GaussianPair:
    s: tuple[float, ...]
    center: tuple[float, ...]
    a: float = 1.0
    b: float = 0.4
    deviation: float = 0.35
    diffusion: float = 1.0
    horizon: float = 1.0
    gamma: float = 0.5

    @property
    def dimension(self):
        return len(self.s)

    # -- the potentials

    def potential(self, points):
        return self.a * np.sum(points**2, axis=-1)

    def scaled(self, points, h):
        """``N(V − V_N)``."""
        s, alpha = np.array(self.s), self.a - h * self.b
        return self.b * np.sum(points**2, axis=-1) + alpha * (2 * points @ s - h * s @ s)

    def scaled_gradient(self, points, h):
        return 2 * self.b * points + 2 * (self.a - h * self.b) * np.array(self.s)

    # -- moments: of p, and N times how much those of p^N are larger

    def mean(self, time):
        return np.exp(-2 * self.a * time) * np.array(self.center)

    def variance(self, time):
        decay = np.exp(-4 * self.a * time)
        return self.deviation**2 * decay + self.diffusion * (1 - decay) / (2 * self.a)

    def mean_gain(self, time, h):
        alpha, s, c = self.a - h * self.b, np.array(self.s), np.array(self.center)
        growth = np.exp(-2 * self.a * time) * grown(2 * self.b * time, h)
        return s * -np.expm1(-2 * alpha * time) + growth * c

    def variance_gain(self, time, h):
        alpha, decay = self.a - h * self.b, np.exp(-4 * self.a * time)
        growth = decay * grown(4 * self.b * time, h)
        spread = (self.b * (1 - decay) - self.a * growth) / (2 * self.a * alpha)
        return self.deviation**2 * growth + self.diffusion * spread

    def mean_bound(self, time, h):
        """``N |E[θ_t − θ^N_t]|``."""
        return float(np.linalg.norm(self.mean_gain(time, h)))

    def risk_bound(self, time, h):
        """``N |E[V(θ_t) − V_N(θ^N_t)]|``."""
        m, v = self.mean(time), self.variance(time)
        dm, dv = self.mean_gain(time, h), self.variance_gain(time, h)
        s, alpha, d = np.array(self.s), self.a - h * self.b, self.dimension
        there = m + h * dm
        second_moment = there @ there + d * (v + h * dv)
        on_density = self.b * second_moment + alpha * (2 * s @ there - h * s @ s)
        return abs(float(on_density - self.a * (2 * m @ dm + h * dm @ dm + d * dv)))

    # -- the densities

    def density(self, points, time):
        v = self.variance(time)
        gap = np.sum((points - self.mean(time)) ** 2, axis=-1)
        return np.exp(-gap / (2 * v)) / (2 * np.pi * v) ** (self.dimension / 2)

    def quadratic(self, time, h):
        """``N ln(p^N/p) = A|δ|² + B·δ + C`` with ``δ = θ − mean``."""
        v, dv, dm = self.variance(time), self.variance_gain(time, h), self.mean_gain(time, h)
        there = v + h * dv
        log = np.log1p(h * dv / v) / h if h else dv / v
        return dv / (2 * v * there), dm / there, -(self.dimension * log + h * dm @ dm / there) / 2

    def difference(self, points, time, h):
        """``N(p − p^N)``."""
        A, B, C = self.quadratic(time, h)
        offset = points - self.mean(time)
        exponent = A * np.sum(offset**2, axis=-1) + offset @ B + C
        ratio = np.expm1(h * exponent) / h if h else exponent
        return -self.density(points, time) * ratio

    def nodal_sphere(self, time, h):
        """Centre and radius of the sphere on which the difference vanishes."""
        A, B, C = self.quadratic(time, h)
        return self.mean(time) - B / (2 * A), float(np.sqrt(B @ B / (4 * A**2) - C / A))

    # -- weighted norms

    @cache  # noqa: B019 - pairs live as long as the tests
    def norms(self, time, h, edges):
        """``∫ e^{γ|θ|²/4} N|p − p^N|`` over ``a <= |θ| < b`` for consecutive edges."""
        integrate = self._shell_1d if self.dimension == 1 else self._shell_2d
        return np.array([integrate(time, h, a, b) for a, b in pairwise(edges)])

    def _weighted(self, points, time, h):
        weight = np.exp(0.25 * self.gamma * np.sum(points**2, axis=-1))
        return weight * np.abs(self.difference(points, time, h))

    def _shell_1d(self, time, h, a, b):
        center, radius = self.nodal_sphere(time, h)
        total = 0.0
        for low, high in ((-b, -a), (a, b)):
            roots = [r for r in (center[0] - radius, center[0] + radius) if low < r < high]
            x, weights = composite([low, *roots, high])
            total += weights @ self._weighted(x[:, None], time, h)
        return total

    def _shell_2d(self, time, h, a, b):
        center, radius = self.nodal_sphere(time, h)
        distance, direction = np.hypot(*center), np.arctan2(center[1], center[0])
        touching = sorted({abs(distance - radius), distance + radius})
        radii, radial = composite([a, *(r for r in touching if a < r < b), b], graded=True)
        total = 0.0
        for r, weight in zip(radii, radial, strict=True):
            # Where the circle of radius r meets the nodal one.
            cosine = (r * r + distance**2 - radius**2) / (2 * r * distance)
            half = np.arccos(np.clip(cosine, -1, 1))
            angles, around = composite([-half, half, 2 * np.pi - half])
            points = r * np.stack([np.cos(direction + angles), np.sin(direction + angles)], axis=1)
            total += weight * r * (around @ self._weighted(points, time, h))
        return total

    # -- what the solver is given

    def tables(self, space, depths):
        """Exact values at the Gauss points."""
        points = space.points
        return PotentialTable(
            self.potential(points),
            {N: self.scaled(points, 1 / N) for N in depths},
            {N: self.scaled_gradient(points, 1 / N) for N in depths},
            dict.fromkeys(depths, 0.0),
        )

    def discretisation(self, depths, degree, size=0.6, tolerance=1e-11, radius=RADIUS):
        """A discretisation with exact tables. Collective."""
        family = "interval" if self.dimension == 1 else "disk"
        recipe = Recipe(family, ANNULI, radius, sizes=((0.0, size), (radius, 2 * size)), sectors=8)
        space = Space(recipe.build(MPI.COMM_WORLD), degree)
        tables = self.tables(space, depths)
        initial = Gaussian(self.center, self.deviation)
        penalty = Penalty(self.gamma, dimension=self.dimension)
        problem = Problem(self.potential, initial, self.horizon, self.diffusion)
        numerics = Numerics(degree, shift=20.0, tolerance=tolerance, early=0.25)
        return Discretisation(problem, penalty, space, tables, numerics)


#: A pair on the line and one in the plane.
PAIRS = (
    GaussianPair(s=(0.7,), center=(0.4,)),
    GaussianPair(s=(0.7, -0.3), center=(0.4, 0.25)),
)

#: Depths that are solved for, the limit among them.
DEPTHS = (2.0, 2.0**20, math.inf)


@cache
def discretisations(pair):
    """A discretisation and its coarser companion. Collective."""
    fine = pair.discretisation(DEPTHS, degree=10 if pair.dimension == 1 else 8)
    return fine, fine.coarser(lambda space: pair.tables(space, DEPTHS))


@cache
def solutions(pair, depth):
    """The solutions on both. Collective."""
    fine, coarse = discretisations(pair)
    return PairSolution.compute(fine, depth), PairSolution.compute(coarse, depth)


def composite(ends, graded=False):
    """Gauss panels between ends; graded towards the ends if the integrand has roots there."""
    nodes, weights = GAUSS
    x, w = [], []
    for a, b in pairwise(ends):
        cuts = np.linspace(0, 1, 4)
        if graded:
            fine = 0.5 * 0.25 ** np.arange(7.0, -1, -1)
            cuts = np.concatenate([[0], fine, 1 - fine[-2::-1], [1]])
        panels = a + (b - a) * cuts
        half = 0.5 * np.diff(panels)
        x.append((0.5 * (panels[1:] + panels[:-1])[:, None] + half[:, None] * nodes).ravel())
        w.append((half[:, None] * weights).ravel())
    return np.concatenate(x), np.concatenate(w)

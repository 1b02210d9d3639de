"""Both densities on the line by finite volumes, a low order made high by extrapolation.

Unknowns are the masses of the volumes around the nodes. Fluxes are fitted exponentially [SG69]:
between two nodes V is linear and the flux constant, so the Gibbs state is exact and mass is
conserved. Kinks are nodes, so errors have expansions in even powers of the mesh width, and two
halvings remove the first two. Time steps are rational approximations of the exponential that damp
what is stiff, the diagonal of Padé's table below the main one (those of the Radau methods).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.interpolate import PPoly, make_interp_spline
from scipy.linalg import solve_banded

from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Gaussian, InitialDensity
from fokkerplanck.study import Study

from .plain_network import PlainNetwork

GAUSS = np.polynomial.legendre.leggauss(12)

#: Stages of the method in time, its largest step relative to the time, and its first one.
STAGES, RATIO, FIRST = 5, 0.13, 1e-7


@dataclass(frozen=True)
class Number:
    """N times the left side of a bound."""

    value: float
    error: float  #: estimated


@dataclass(frozen=True)
class FiniteVolumes:
    """``V`` and ``V_N = V − E/N`` on the line with the same initial density."""

    potentials: Callable  #: V and E at points of shape (P,), shape (2, P)
    depth: float  #: N, or infinity for the limit
    initial: InitialDensity
    annuli: Annuli
    radius: float  #: of the interval
    bound_exponent: Callable  #: ``γH/4`` at points of shape (P,)
    diffusion: float = 1.0
    horizon: float = 1.0
    cuts: tuple[float, ...] = ()  #: kinks of the potentials
    cells: int = 500  #: on the coarsest grid, before it is refined where V changes

    @classmethod
    def of(cls, study: Study, depth: float, cuts=(), cells=500):
        """The equations of a study with one parameter."""
        network = PlainNetwork(study.network, study.data, study.cap, study.penalty, depth)
        gamma, penalty = study.penalty.gamma, study.penalty

        def exponent(x):
            return 0.25 * gamma * penalty(x[:, None])

        rate = 4 / study.diffusion - 1
        radius = max(study.annuli.radius, study.initial.outer_radius)
        while rate * min(exponent(radius * np.array([-1.0, 1.0]))) < 38:
            radius *= 1.05
        breaks = [s * b for b in study.cap.breaks for s in (-1, 1)]
        D, T = study.diffusion, study.horizon
        cuts = (*cuts, *breaks)
        return cls(network, depth, study.initial, study.annuli, radius, exponent, D, T, cuts, cells)

    def numbers(self) -> dict[tuple[str, str], Number]:
        """(A)–(D) and the L¹ norm, times N, by quantity and annulus."""
        found = {"mean": self._supremum(0), "risk": self._supremum(1)}
        result = {(name, ""): number for name, number in found.items()}
        weighted, plain = self._norms(self.bound_exponent), self._norms(np.zeros_like)
        labels = ("", *self.annuli.labels)
        result |= {("density_l1", label): n for label, n in zip(labels, weighted, strict=True)}
        return result | {("l1", ""): plain[0]}

    # -- the grid

    @cached_property
    def ends(self):
        """Cuts, edges of annuli and of the support, and both walls."""
        edges = self.annuli.edges
        c, r = self.initial.center[0], self.initial.radius
        support = () if isinstance(self.initial, Gaussian) else (c - r, c + r)
        inner = np.unique([0.0, *edges, *-edges, *support, *self.cuts])
        inner = inner[np.abs(inner) < self.radius * (1 - 1e-12)]
        ends = np.array([-self.radius, *inner, self.radius])
        return ends[np.concatenate([[True], np.diff(ends) > 1e-11 * self.radius])]

    @cached_property
    def nodes(self):
        """Nodes of the coarsest grid, an even number of intervals between ends."""
        size = 2 * self.radius / self.cells
        counts = [max(8, 2 * math.ceil((b - a) / (2 * size))) for a, b in pairwise(self.ends)]
        pieces = [
            np.linspace(*ab, n + 1) for ab, n in zip(pairwise(self.ends), counts, strict=True)
        ]
        for _ in range(10):
            pieces, changed = self._refined(pieces)
            if not changed or sum(map(len, pieces)) > 20 * self.cells:
                break
        return np.concatenate([*(piece[:-1] for piece in pieces), [self.radius]])

    def _refined(self, pieces):
        """Halve groups of intervals over which a potential changes or bends too much."""
        refined, changed = [], False
        spread = self.initial.support_radius
        for piece in pieces:
            values = self.potentials(piece)[0] / self.diffusion
            step = np.abs(np.diff(values))
            bend = np.abs(np.diff(values, 2))
            bend = np.maximum(np.append(bend, 0), np.insert(bend, 0, 0))
            near = np.abs(piece[:-1] - self.initial.center[0]) < spread
            narrow = near & (np.diff(piece) > spread / 25)
            pairs = ((step > 0.7) | (bend > 0.02) | narrow).reshape(-1, 2).any(axis=1)
            middles = 0.5 * (piece[1:] + piece[:-1])[np.repeat(pairs, 2)]
            changed |= middles.size > 0
            refined.append(np.union1d(piece, middles))
        return refined, changed

    def _halved(self, times):
        nodes = self.nodes
        for _ in range(times):
            nodes = np.union1d(nodes, 0.5 * (nodes[1:] + nodes[:-1]))
        return nodes

    @cached_property
    def _levels(self):
        """The equations on three grids, each in the next."""
        V, E = self.potentials(self._halved(2))
        grids = [self._halved(k) for k in range(3)]
        return [Level(self, x, V[:: 4 >> k], E[:: 4 >> k]) for k, x in enumerate(grids)]

    # -- extrapolation

    def _supremum(self, index):
        """Largest absolute value of the mean's or the risk's curve over time."""
        curves = [level.curves[:, index] for level in self._levels]
        best, rough = extrapolated(curves)
        times = self._levels[0].times
        values = [_largest(times, curve) for curve in (best, rough)]
        start = (len(times) - 1) % 2  # so that the horizon stays
        every_other = _largest(times[start::2], best[start::2])
        errors = abs(values[0] - values[1]), abs(values[0] - every_other) / 16
        return Number(values[0], sum(errors) + self._blur(values[0]))

    def _norms(self, exponent):
        """``∫ e^{exponent} N|p − p^N|`` of the whole and by region."""
        steps = (1, 2, 4)
        densities = [
            (level.masses[1] / level.volumes)[::k]
            for level, k in zip(self._levels, steps, strict=True)
        ]
        best, rough = extrapolated(densities)
        sums = [self._integrals(self.nodes, f, exponent) for f in (best, rough)]
        coarse = self._integrals(self.nodes[::2], best[::2], exponent)
        errors = np.abs(sums[0] - sums[1]) + np.abs(sums[0] - coarse) / 8
        return [Number(v, e + self._blur(v)) for v, e in zip(sums[0], errors, strict=True)]

    def _integrals(self, nodes, values, exponent):
        """Splines between ends, which are cut where they change sign."""
        sums = np.zeros(self.annuli.count + 2)
        places = np.searchsorted(nodes, self.ends - 1e-13 * self.radius)
        for a, b in pairwise(places):
            k = slice(a, b + 1)
            spline = PPoly.from_spline(make_interp_spline(nodes[k], values[k], k=min(5, b - a)))
            roots = spline.roots(extrapolate=False)
            pieces = np.union1d(nodes[k], roots[np.isfinite(roots)])
            half = 0.5 * np.diff(pieces)
            x = (0.5 * (pieces[1:] + pieces[:-1])[:, None] + half[:, None] * GAUSS[0]).ravel()
            w = (half[:, None] * GAUSS[1]).ravel() * np.exp(exponent(x))
            region = int(self.annuli.region(np.array([0.5 * abs(nodes[a] + nodes[b])]))[0])
            sums[region] += w @ np.abs(spline(x))
        return np.array([sums.sum(), *sums[:-1]])

    def _blur(self, value):
        """What errors of the states of the Neural ODE make of a number."""
        worst = max(getattr(self.potentials, "worst", [0.0]), default=0.0)
        size = max(float(np.abs(self._levels[0].E).max()), 1e-300)
        factor = 1.0 if math.isinf(self.depth) else self.depth
        return abs(value) * min(1.0, 4 * factor * worst / size) + 1e-13 * abs(value)


@dataclass(frozen=True)
class Level:
    """The semidiscrete equations on one grid."""

    problem: FiniteVolumes
    nodes: np.ndarray
    V: np.ndarray
    E: np.ndarray

    @cached_property
    def volumes(self):
        """Lengths of the volumes around the nodes."""
        half = 0.5 * np.diff(self.nodes)
        return np.append(half, 0.0) + np.insert(half, 0, 0.0)

    def rates(self, V):
        """Rates per mass with which it moves to the next node, and back."""
        D, h = self.problem.diffusion, np.diff(self.nodes)
        jump = np.diff(V) / D
        return np.stack(
            [
                D / h * bernoulli(jump) / self.volumes[:-1],
                D / h * bernoulli(-jump) / self.volumes[1:],
            ]
        )

    @cached_property
    def operators(self):
        """Rates of V and V_N, and N times their difference."""
        N = self.problem.depth
        here = self.rates(self.V)
        if math.isinf(N):
            # A complex step gives the derivative without cancellation.
            return here, here, self.rates(self.V + 1e-30j * self.E).imag / 1e-30
        there = self.rates(self.V - self.E / N)
        return here, there, N * (here - there)

    @cached_property
    def start(self):
        """Masses at t = 0: integrals of p_0 against the hat functions."""
        x, h = self.nodes, np.diff(self.nodes)
        s = 0.5 * (1 + GAUSS[0])
        values = self.problem.initial((x[:-1, None] + h[:, None] * s)[..., None])
        right = h * (values @ (0.5 * GAUSS[1] * s))
        left = h * (values @ (0.5 * GAUSS[1] * (1 - s)))
        masses = np.append(left, 0.0) + np.insert(right, 0, 0.0)
        return masses / masses.sum()

    @cached_property
    def times(self):
        """From 0 to the horizon, first in growing steps."""
        T = self.problem.horizon
        scale = min(T, self.problem.initial.radius**2 / self.problem.diffusion)
        count = math.ceil(math.log(T / (FIRST * scale)) / math.log1p(RATIO))
        return np.insert(np.geomspace(FIRST * scale, T, count + 1), 0, 0.0)

    @cached_property
    def _path(self):
        """Curves (K, 2) of N·(mean) and N·(risk), and the masses of p and N(p − p^N) at T."""
        poles, residues = pade(STAGES)
        masses = np.stack([self.start, 0 * self.start])
        curves = [self._observed(masses)]
        for step in np.diff(self.times):
            masses = self._advanced(masses, step, poles, residues)
            curves.append(self._observed(masses))
        return np.array(curves), masses

    @property
    def curves(self):
        """``N E[θ_t − θ^N_t]`` and ``N E[V(θ_t) − V_N(θ^N_t)]`` at all times, (K, 2)."""
        return self._path[0]

    @property
    def masses(self):
        """Of p and ``N(p − p^N)`` at the horizon, (2, n)."""
        return self._path[1]

    def _observed(self, masses):
        N = self.problem.depth
        there = self.V - (0.0 if math.isinf(N) else self.E / N)
        return self.nodes @ masses[1], (there - there.min()) @ masses[1] + self.E @ masses[0]

    def _advanced(self, masses, step, poles, residues):
        """One step: the equations of p and of the difference are block triangular."""
        here, there, change = self.operators
        new = np.zeros_like(masses)
        for pole, residue in zip(poles, residues, strict=True):
            u = resolvent(here, step, pole, masses[0])
            z = resolvent(there, step, pole, masses[1] - step * moved(change, u))
            new += ((1 if pole.imag == 0 else 2) * residue * np.stack([u, z])).real
        return new


def bernoulli(x):
    """``x/(e^x − 1)``."""
    safe = np.where(x == 0, 1.0, x)
    with np.errstate(over="ignore"):
        return np.where(x == 0, 1.0, safe / np.expm1(safe))


def moved(rates, masses):
    """The generator with these rates, applied to masses."""
    flow = rates[0] * masses[:-1] - rates[1] * masses[1:]
    return np.insert(flow, 0, 0.0) - np.append(flow, 0.0)


def resolvent(rates, step, pole, masses):
    """``(step·A − pole)^{-1}`` applied to masses."""
    up, down = rates
    bands = np.zeros((3, len(masses)), dtype=complex)
    bands[0, 1:], bands[2, :-1] = step * down, step * up
    bands[1] = -pole - step * (np.append(up, 0.0) + np.insert(down, 0, 0.0))
    return solve_banded((1, 1), bands, masses.astype(complex), check_finite=False)


def pade(stages):
    """Poles in the upper half plane and residues of Padé's (s − 1, s) approximation of e^z."""
    k, n = stages - 1, 2 * stages - 1
    f = math.factorial
    numerator = [f(n - j) * f(k) / (f(n) * f(j) * f(k - j)) for j in range(k + 1)]
    denominator = [
        (-1) ** j * f(n - j) * f(stages) / (f(n) * f(j) * f(stages - j)) for j in range(stages + 1)
    ]
    P, Q = (np.polynomial.Polynomial(c) for c in (numerator, denominator))
    poles = Q.roots().astype(complex)
    poles = poles[poles.imag > -1e-9]
    poles[np.abs(poles.imag) < 1e-9] = poles[np.abs(poles.imag) < 1e-9].real
    residues = P(poles) / Q.deriv()(poles)
    # e^0 = 1 to the last digit, for steps multiply what is missing.
    at_zero = np.sum((-residues / poles).real * np.where(poles.imag > 0, 2, 1))
    return poles, residues / at_zero


def extrapolated(levels):
    """The limit of three values at widths h, h/2, h/4, and that of the first two alone.

    Where a kink is no node, errors jump about as h changes; the last two alone may agree by chance.
    """
    coarse, middle, fine = levels
    first, second = (4 * middle - coarse) / 3, (4 * fine - middle) / 3
    return (16 * second - first) / 15, first


def _largest(times, curve):
    """Largest absolute value of a smooth curve, whose time is measured logarithmically."""
    spline = PPoly.from_spline(make_interp_spline(np.log(times[1:]), curve[1:], k=5))
    stationary = spline.derivative().roots(extrapolate=False)
    inner = spline(stationary[np.isfinite(stationary)])
    return float(np.max(np.abs(np.concatenate([curve, inner]))))

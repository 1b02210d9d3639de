"""The same quantities from the Fokker–Planck equation: what paths must agree with."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.interpolate import make_interp_spline

from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.runtime.wording import one_line
from fokkerplanck.simulation.potentials import Potential
from fokkerplanck.solution.density import Density
from fokkerplanck.solution.solve import Solution, solve
from fokkerplanck.study import Study

#: Degree of the elements; a companion of less tells the error.
_DEGREE = 8

#: Tolerance of the Krylov spaces.
_TOLERANCE = 1e-10

#: Points of each axis, radii and angles where densities are looked at.
_GRID, _RADII, _ANGLES = 192, 160, 64

#: Densities are looked at up to so many standard deviations.
_DEVIATIONS = 9.0

#: The solution is known from this part of the horizon on.
_EARLY = 1 / 8


@dataclass(frozen=True, eq=False)
class Law:
    """A distribution function on an interval; outside it is 0 and 1."""

    function: Callable[[Array], Array]
    low: float
    high: float

    def __call__(self, x: Array) -> Array:
        """Probability below x, shape-preserving."""
        return np.clip(self.function(np.clip(x, self.low, self.high)), 0.0, 1.0)

    @classmethod
    def of(cls, x: Array, density: Array) -> "Law":
        """Integral of a density that is known at the points x, scaled to 1 at the end."""
        integral = make_interp_spline(x, density, k=5).antiderivative()
        first, last = float(integral(x[0])), float(integral(x[-1]))
        return cls(lambda y: (integral(y) - first) / (last - first), float(x[0]), float(x[-1]))


@dataclass(frozen=True, eq=False)
class DepthReference:
    """What the solver says of one depth."""

    difference: Array  #: N E[θ − θ^N] and N E[V − V_N] at the times, shape (K, m + 1)
    error: Array  #: of the same shape
    laws: dict[str, Law]  #: of ``radius`` and of the parameters ``0``, ``1``, ... at the horizon


@dataclass(frozen=True, eq=False)
class Reference:
    """What the solver says of a study."""

    times: Array  #: shape (K,)
    depths: dict[float, DepthReference]  #: infinite depth is the Neural ODE, with laws alone


@dataclass(frozen=True, eq=False)
class Solver:
    """Solves for p and p^N on one mesh, so that their errors cancel where they are alike."""

    study: Study
    comm: Any  #: communicator of mpi4py
    potentials: Mapping[float, Potential]  #: V_N by depth, V under infinite depth
    sigma: Array  #: Σ of the paths, shape (m, m)
    times: Array  #: output times, of which the early ones are left out

    def reference(self, progress: Progress) -> Reference | str:
        """Solve for all depths, or say why that cannot be done. Collective."""
        if self.study.dimension > 2:
            return "densities of more than two parameters are not solved for; verify, and --against"
        if self.study.cap.kind == "none":
            return "densities without a cap are not solved for"
        if not np.array_equal(
            self.sigma, self.study.settings.noise.scale * np.eye(len(self.sigma))
        ):
            return "densities are solved for with the study's own noise only"
        depths = [depth for depth in self.potentials if math.isfinite(depth)]
        try:
            found = self._differences(depths, _DEGREE, progress)
            # errors depend on N but little once N is out of them
            outer = sorted({depths[0], depths[-1]})
            other = self._differences(outer, _DEGREE - 2, progress)
        except (ValueError, ArithmeticError) as error:
            return one_line(error)
        spread = np.abs([found[N].difference - other[N].difference for N in outer]).max(axis=0)
        known = {N: replace(depth, error=spread) for N, depth in found.items()}
        return Reference(self._late, known)

    def _differences(
        self, depths: Sequence[float], degree: int, progress: Progress
    ) -> dict[float, DepthReference]:
        """What elements of a degree say, without errors. Collective."""
        solution = self._solve(math.inf, degree, None)
        limit = self._expectations(solution, math.inf)
        none = np.zeros_like(limit)
        found = {math.inf: DepthReference(none, none, self._laws(solution))}
        for depth in progress.track(depths, "densities"):
            other = self._solve(depth, degree, solution)
            difference = depth * (limit - self._expectations(other, depth))
            found[depth] = DepthReference(difference, none, self._laws(other))
        return found

    def _solve(self, depth: float, degree: int, like: Solution | None) -> Solution:
        """The solution of a depth, on the mesh of another. Collective."""
        study = self.study
        return solve(
            lambda points: self._values(depth, points),
            study.initial,
            study.horizon,
            self._radius,
            study.diffusion,
            domain=None if like is None else like.operator.space.domain,
            degree=degree,
            tolerance=_TOLERANCE,
            comm=self.comm,
        )

    def _values(self, depth: float, points: Array) -> Array:
        """V_N (P,) at points (P, m)."""
        return self.potentials[depth](np.ascontiguousarray(points.T))[0]

    @cached_property
    def _late(self) -> Array:
        return self.times[self.times >= _EARLY * self.study.horizon]

    @cached_property
    def _radius(self) -> float:
        return max(self.study.annuli.radius, 2.0 * self.study.initial.outer_radius)

    def _expectations(self, solution: Solution, depth: float) -> Array:
        """``E[θ_t]`` and ``E[V_N(θ_t)]`` at the times, shape (K, m + 1). Collective."""

        def rows(points: Array) -> Array:
            return np.concatenate([points, self._values(depth, points)[:, None]], axis=1)

        return np.stack([solution.density(t).expectation(rows) for t in self._late])

    def _laws(self, solution: Solution) -> dict[str, Law]:
        """Distribution functions of |θ| and of each parameter at the horizon. Collective."""
        p, m = solution.density(self.study.horizon), self.study.dimension
        spread = _DEVIATIONS * np.sqrt(np.diag(p.covariance))
        radius = min(float(np.abs(p.mean).max() + spread.max()), 0.999 * self._radius)
        laws = {"radius": radial_law(p, m, radius)}
        if m == 1:
            x = np.linspace(-radius, radius, 4 * _GRID + 1)
            laws["0"] = Law.of(x, p(x[:, None]))
        if m == 2:
            x = np.linspace(-radius, radius, _GRID + 1) / math.sqrt(2.0)
            grid = np.stack(np.meshgrid(x, x, indexing="ij"), -1).reshape(-1, 2)
            values = p(grid).reshape(len(x), len(x))
            # the trapezoidal rule converges fast for what falls off at both ends
            laws |= {"0": Law.of(x, values.sum(axis=1)), "1": Law.of(x, values.sum(axis=0))}
        return laws


def radial_law(p: Density | Callable[[Array], Array], m: int, radius: float) -> Law:
    """Distribution function of |θ| under a density of m <= 3 parameters. Collective."""
    r = np.linspace(0.0, radius, _RADII + 1)
    directions, weights = directions_and_weights(m)
    points = r[:, None, None] * directions
    values = p(points.reshape(-1, m)).reshape(len(r), -1)
    return Law.of(r, r ** (m - 1) * (values @ weights))


def directions_and_weights(m: int) -> tuple[Array, Array]:
    """A rule on the unit sphere of R^m, m <= 3: unit vectors (q, m) and weights (q,)."""
    if m == 1:
        return np.array([[-1.0], [1.0]]), np.ones(2)
    angles = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if m == 2:
        return circle, np.full(_ANGLES, 2 * np.pi / _ANGLES)
    heights, weights = np.polynomial.legendre.leggauss(_ANGLES // 4)
    belt = np.sqrt(1 - heights**2)
    around = circle[::2]
    points = [
        np.column_stack([b * around, np.full(len(around), z)])
        for b, z in zip(belt, heights, strict=True)
    ]
    return np.concatenate(points), np.repeat(weights * 2 * np.pi / len(around), len(around))


def annulus_probabilities(law: Law, annuli: Annuli) -> Array:
    """Probabilities of the core, the annuli and what lies beyond."""
    return np.diff(np.concatenate([[0.0], law(annuli.edges), [1.0]]))

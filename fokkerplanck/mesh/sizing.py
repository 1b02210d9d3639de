"""How large the ball and how fine the mesh must be for a potential and an accuracy."""

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from fokkerplanck.mesh.angular import (
    COUNTS,
    EXPONENT_PER_CELL,
    MANY_DIRECTIONS,
    angular_partition,
    cells_per_edge,
    directions,
)
from fokkerplanck.mesh.recipe import Family, Recipe
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.double_range import LARGEST_EXPONENT, check_range
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.problem.problem import Problem
from fokkerplanck.runtime.arrays import Array

#: Largest radial cell near the origin, in units of the smaller of 1 and √(2DT).
LARGEST_CELL = 0.5

#: Largest radial cell at a distance, relative to its radius.
LARGEST_RATIO = 0.2

#: Radial cells of the ball may be larger than these by the first factor, and V/D may change more
#: across them by the second: there, unknowns are dear, and the angular resolution is what limits.
BALL_FACTOR, BALL_EXPONENT_FACTOR = 2.0, 1.5

#: Largest change of the heat kernel's exponent over a cell; on the line, unknowns cost nothing.
_HEAT_PER_CELL = {1: 4.0, 2: 8.0, 3: 12.0}

#: Exponents of the heat kernel up to which numbers are resolved, by dimension: down to 1e-220 on
#: the line, where unknowns cost nothing, else to where numbers need not meet the accuracy.
_FARTHEST = {1: 506.0, 2: 69.0, 3: 69.0}

#: Share of the accuracy that the angular resolution may spend.
_ANGULAR_SHARE = 0.1

#: Share of the accuracy to which the integrand of (C) must have fallen at the boundary.
_OUTER_SHARE = 3e-3

#: Degrees of the geometry, by dimension; the ball has fewer cells around.
_GEOMETRY_DEGREES = {1: 1, 2: 6, 3: 8}

#: Radii at which a potential is looked at.
_NUM_RADII = 49

#: Kinks are met by cell ends unless another end is so near, in units of the annuli's radius.
_ROOM = 2e-7


@dataclass(frozen=True)
class Surroundings:
    """What the mesh must respect besides the potential."""

    problem: Problem
    annuli: Annuli
    cap_breaks: tuple[float, ...] = ()  #: radii where the cap is not analytic
    kinks: tuple[float, ...] = ()  #: places on the line where a potential is not

    @property
    def dimension(self) -> int:
        """Number of parameters m."""
        return self.problem.dimension

    @property
    def initial(self) -> InitialDensity:
        """The initial density p_0."""
        return self.problem.initial

    @property
    def breaks(self) -> tuple[float, ...]:
        """Radii of spheres on which facets lie, besides those of the annuli."""
        edge = self.initial.is_compact and self.initial.is_centered
        return (*self.cap_breaks, *((self.initial.radius,) if edge else ()))

    @property
    def farthest_exponent(self) -> float:
        """Exponent of the heat kernel at the farthest annulus that is to be resolved."""
        return float(self._heat_exponent(np.array(self._farthest)))

    def heat_slope(self, radii: Array) -> Array:
        """Steepest slope of that exponent, as far as numbers are to be resolved, same shape.

        What comes far by the horizon has crossed all that lies before with one and the same slope.
        """
        radius = np.maximum(radii, self._farthest)
        slope = np.maximum(radius - self.initial.outer_radius, 0.0) / self._spread
        return np.where(self._heat_exponent(radii) <= _FARTHEST[self.dimension], slope, 0.0)

    @property
    def _farthest(self) -> float:
        """Inner radius of the farthest annulus that is to be resolved, or 0."""
        inner = self.annuli.edges[:-1]
        resolved = self._heat_exponent(inner) <= _FARTHEST[self.dimension]
        return float(np.max(inner, where=resolved, initial=0.0))

    def _heat_exponent(self, radii: Array) -> Array:
        """``(r − r_0)²/(4DT)``, r_0 being where the support of p_0 ends."""
        return np.maximum(radii - self.initial.outer_radius, 0.0) ** 2 / (2.0 * self._spread)

    @property
    def _spread(self) -> float:
        """``2DT``."""
        return 2.0 * self.problem.diffusion * self.problem.horizon

    @property
    def points(self) -> tuple[float, ...]:
        """Further cell ends on the line: kinks, and the ends of the support of p_0."""
        if self.dimension > 1:
            return ()
        center, radius = self.initial.center[0], self.initial.radius
        edge = (center - radius, center + radius) if self.initial.is_compact else ()
        met = {
            0.0,
            *edge,
            *(s * r for r in (*self.annuli.edges, *self.breaks) for s in (-1.0, 1.0)),
        }
        return (*edge, *_apart(self.kinks, sorted(met), _ROOM * self.annuli.radius))


def _apart(values: Sequence[float], met: Sequence[float], gap: float) -> list[float]:
    """Those values between which, and the ends that are met already, there is room for a cell."""
    kept = list(met)
    found = []
    for value in values:
        place = bisect(kept, value)
        if all(abs(value - other) > gap for other in kept[max(place - 1, 0) : place + 1]):
            kept.insert(place, value)
            found.append(value)
    return found


def outer_radius(
    penalty: Callable[[Array], Array], gamma: float, around: Surroundings, accuracy: float
) -> float:
    """Radius beyond which the integrand ``e^{γH/4}|p − p^N|`` is negligible for every number.

    The density is bounded by its Gibbs shape, so the integrand falls like
    ``e^{−(1/D − 1/4)γH}``; it must have fallen by a small part of the accuracy from the inner edge
    of the last annulus, which that annulus' integral is made of. What is left is part of the
    uncertainty, where the whole ball, and V for (B), enter as factors.
    """
    rate = (1.0 / around.problem.diffusion - 0.25) * gamma
    inner = around.annuli.radius / 2 if around.annuli.count else 0.0
    unit = directions(around.dimension, MANY_DIRECTIONS)
    needed = float(np.max(penalty(inner * unit))) + -math.log(_OUTER_SHARE * accuracy) / rate
    radius = max(around.annuli.radius, around.initial.outer_radius)
    with np.errstate(over="ignore"):
        while float(np.min(penalty(radius * unit))) < needed:
            radius *= 1.05
    return radius


def choose_recipe(
    potential: Callable[[Array], Array],
    around: Surroundings,
    radius: float,
    degree: int,
    accuracy: float,
    refinement: float = 1.0,
) -> Recipe:
    """Mesh recipe that resolves ``e^{−V/D}``, the heat kernel and the diffusive length.

    Args:
        potential: V at points of shape (P, m), or several potentials, shape (j, P).
        around: the problem, its annuli and breaks.
        radius: outer radius.
        degree: lowest degree of the elements that will be used.
        accuracy: relative accuracy that is aimed at.
        refinement: factor by which cells are smaller than the rules ask.

    Raises:
        ValueError: ``e^{−V/D}`` leaves double range on the ball.
    """
    m, diffusion = around.dimension, around.problem.diffusion

    def scaled(points: Array) -> Array:
        return potential(points) / diffusion

    radii = np.linspace(0.0, radius, _NUM_RADII)
    sizes = _radial_sizes(potential, around, radii) / refinement
    edges = (*around.annuli.edges, *around.breaks, radius)
    spheres = np.unique([r for r in edges if r <= radius])
    sides: tuple[tuple[float, ...], ...] = ()
    cells = COUNTS[0]
    if m == 2:
        sides = angular_partition(
            scaled, spheres, degree, _ANGULAR_SHARE * accuracy, 1.0 / refinement
        )
    if m == 3:
        cells = cells_per_edge(scaled, spheres, degree, refinement)
    return Recipe(
        family=get_args(Family)[m - 1],
        annuli=around.annuli,
        radius=radius,
        breaks=tuple(b for b in around.breaks if b < radius),
        points=around.points,
        sizes=tuple(zip(radii.tolist(), sizes.tolist(), strict=True)),
        sides=sides,
        sectors=4 * cells,
        geometry_degree=_GEOMETRY_DEGREES[m],
    )


def _radial_sizes(potential: Callable[[Array], Array], around: Surroundings, radii: Array) -> Array:
    """Radial size of the cells at some radii, same shape.

    It is the least of what the diffusive length, the steepest slope of V/D at a radius, and the
    heat kernel allow.
    """
    m = around.dimension
    points = radii[:, None, None] * directions(m)
    with np.errstate(over="ignore", invalid="ignore"):
        values = potential(points.reshape(-1, m)).reshape(-1, len(radii), points.shape[1])
    _check_heights(values, radii, around)
    slope = np.max(np.abs(np.gradient(values, radii, axis=1)), axis=(0, 2))
    slope /= around.problem.diffusion
    diffusive = np.maximum(
        LARGEST_CELL * min(1.0, around.problem.diffusive_length), LARGEST_RATIO * radii
    )
    factor, exponent = (BALL_FACTOR, BALL_EXPONENT_FACTOR) if m == 3 else (1.0, 1.0)
    heat = np.maximum(around.heat_slope(radii), 1e-300)
    steep = exponent * EXPONENT_PER_CELL / np.maximum(slope, 1e-300)
    sizes: Array = np.minimum(np.minimum(factor * diffusive, steep), _HEAT_PER_CELL[m] / heat)
    return sizes


def _check_heights(values: Array, radii: Array, around: Surroundings) -> None:
    """Refuse a ball on which the Gibbs density underflows; V has the shape (j, radii, units)."""
    highest = np.max(np.nan_to_num(values, nan=np.inf, posinf=np.inf), axis=(0, 2))
    lowest = np.min(values, initial=np.inf, where=np.isfinite(values))
    exponents = (highest - lowest) / around.problem.diffusion
    too_high = exponents > LARGEST_EXPONENT
    nearest = float(np.min(radii, where=too_high, initial=np.inf))
    check_range(float(np.max(exponents)), nearest, around.annuli)

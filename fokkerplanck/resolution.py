"""How large the ball and how fine the mesh must be for a potential and an accuracy."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fokkerplanck.annuli import Annuli
from fokkerplanck.initial import Gaussian, InitialDensity
from fokkerplanck.mesh import Recipe

Array = npt.NDArray[np.float64]

#: Largest change of V/D over a cell in the radial direction.
EXPONENT_PER_CELL = 8.0

#: Largest radial cell near the origin, in units of the smaller of 1 and the diffusive length √(2DT).
LARGEST_CELL = 0.5

#: Largest radial cell at a distance, relative to its radius.
LARGEST_RATIO = 0.25

#: Largest number of cells around.
MAX_SECTORS = 96

_NUM_ANGLES = 512
_NUM_DIRECTIONS = 24
_NUM_RADII = 49


@dataclass(frozen=True)
class Surroundings:
    """What the mesh must respect besides the potential."""

    annuli: Annuli
    initial: InitialDensity
    diffusion: float  #: D
    horizon: float  #: T
    cap_breaks: tuple[float, ...]  #: radii where the cap is not analytic

    @property
    def dimension(self) -> int:
        """Number of parameters m."""
        return self.initial.dimension

    @property
    def breaks(self) -> tuple[float, ...]:
        """Radii of spheres on which facets lie, besides those of the annuli."""
        compact = not isinstance(self.initial, Gaussian)
        edge = (self.initial.radius,) if compact and self.initial.is_centered else ()
        return (*self.cap_breaks, *edge)

    @property
    def points(self) -> tuple[float, ...]:
        """Ends of the support of p_0 on the line."""
        if self.dimension > 1 or isinstance(self.initial, Gaussian):
            return ()
        return (
            self.initial.center[0] - self.initial.radius,
            self.initial.center[0] + self.initial.radius,
        )


def directions(dimension: int) -> Array:
    """Unit vectors that sample the sphere, shape (K, m)."""
    if dimension == 1:
        return np.array([[-1.0], [1.0]])
    angles = 2.0 * np.pi * (np.arange(_NUM_DIRECTIONS) + 0.31) / _NUM_DIRECTIONS
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def outer_radius(
    penalty: Callable[[Array], Array], gamma: float, around: Surroundings, accuracy: float
) -> float:
    """Radius beyond which the integrand ``e^{γH/4}|p − p^N|`` is negligible for every number.

    The density is bounded by its Gibbs shape, so the integrand falls like
    ``e^{−(1/D − 1/4)γH}``; it must have fallen by a hundredth of the accuracy from the inner edge
    of the last annulus, which that annulus' integral is made of.
    """
    rate = (1.0 / around.diffusion - 0.25) * gamma
    inner = around.annuli.radius / 2 if around.annuli.count else 0.0
    unit = directions(around.dimension)
    needed = float(np.max(penalty(inner * unit))) + math.log(100.0 / accuracy) / rate
    radius = max(around.annuli.radius, around.initial.outer_radius)
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
    """Mesh recipe that resolves ``e^{−V/D}`` and the diffusive length.

    Args:
        potential: V at points of shape (P, m).
        around: annuli, initial density and scales.
        radius: outer radius.
        degree: lowest degree of the elements that will be used.
        accuracy: relative accuracy that is aimed at.
        refinement: factor by which cells are smaller than the rules ask.
    """
    radii = np.linspace(0.0, radius, _NUM_RADII)
    unit = directions(around.dimension)
    points = radii[:, None, None] * unit
    values = potential(points.reshape(-1, around.dimension)).reshape(len(radii), len(unit))
    slope = np.max(np.abs(np.gradient(values, radii, axis=0)), axis=1) / around.diffusion
    diffusive = math.sqrt(2.0 * around.diffusion * around.horizon)
    largest = np.maximum(LARGEST_CELL * min(1.0, diffusive), LARGEST_RATIO * radii)
    sizes = np.minimum(largest, EXPONENT_PER_CELL / np.maximum(slope, 1e-300)) / refinement
    sectors = 16.0
    if around.dimension > 1:
        sectors = max(sectors, _sectors_needed(potential, around, radius, degree, accuracy))
    return Recipe(
        family="interval" if around.dimension == 1 else "disk",
        annuli=around.annuli,
        radius=radius,
        breaks=tuple(b for b in around.breaks if b < radius),
        points=around.points,
        sizes=tuple(zip(radii.tolist(), sizes.tolist(), strict=True)),
        sectors=min(4 * math.ceil(sectors * refinement / 4), MAX_SECTORS),
    )


def _sectors_needed(
    potential: Callable[[Array], Array],
    around: Surroundings,
    radius: float,
    degree: int,
    accuracy: float,
) -> float:
    """Cells around that resolve V/D as a function of the angle.

    The Fourier coefficients fall like ``e^{−aK}`` where a is the width of the strip in which V is
    analytic. Elements of degree p on sectors of half width h converge like ``ρ^{−2p}`` with
    ``ρ = a/h + √(1 + a²/h²)``, the Bernstein ellipse that fits into the strip.
    """
    edges = around.annuli.edges
    radii = np.unique([r for r in (*edges, *around.breaks, radius) if r <= radius])
    angles = 2.0 * np.pi * np.arange(_NUM_ANGLES) / _NUM_ANGLES
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = (radii[:, None, None] * circle).reshape(-1, 2)
    values = potential(points).reshape(len(radii), -1) / around.diffusion
    spectrum = np.max(np.abs(np.fft.rfft(values, axis=1)), axis=0) / _NUM_ANGLES
    above = np.flatnonzero(spectrum > accuracy)
    wavenumber = float(above[-1]) if above.size else 0.0
    decades = math.log(1.0 / accuracy)
    return math.pi * wavenumber / decades * math.sinh(decades / (2.0 * degree))

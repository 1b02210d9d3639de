"""Initial densities ``p_0``, normalised to mass 1."""

from dataclasses import dataclass
from functools import cached_property
from math import gamma, pi
from typing import ClassVar

import flint
import numpy as np
from scipy.integrate import quad

from fokkerplanck.runtime.arrays import Array


def _sphere_area(dimension: int) -> float:
    """Surface area of the unit sphere in ``R^dimension``."""
    return float(2.0 * pi ** (dimension / 2) / gamma(dimension / 2))


#: Relative error of a closed form in double precision.
_ROUNDING = 1e-14

#: Bits in which differences of ``ln Γ`` keep double precision for every power.
_BITS = 256


def _beta(a: float, b: float) -> float:
    """``B(a, b)``; in double precision it has 1e-9 left at powers of 1e6."""
    with flint.ctx.workprec(_BITS):
        ratio = (flint.arb(b).lgamma() - (flint.arb(b) + a).lgamma()).exp()
        return float(flint.arb(a).gamma() * ratio)


@dataclass(frozen=True)
class InitialDensity:
    """A radial density ``c f(|θ − center|/radius)``, with ``f`` given by the subclass.

    Raises:
        ValueError: the radius is not positive or the centre is not a finite point.
    """

    center: tuple[float, ...]  #: point of ``R^m``
    radius: float  #: radius of the support (`Gaussian`: standard deviation per axis)

    #: Radii, in units of `radius`, beyond which the density vanishes (to rounding).
    reach: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        """Check the radius and the centre."""
        if not (np.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"initial radius must be positive, got {self.radius!r}")
        if not (len(self.center) > 0 and np.all(np.isfinite(self.center))):
            raise ValueError(f"initial center must be a finite point, got {self.center!r}")

    def profile(self, s: Array) -> Array:
        """Unnormalised radial profile at ``s = |θ − center|/radius``, shape-preserving."""
        raise NotImplementedError

    @property
    def dimension(self) -> int:
        """Number of parameters m."""
        return len(self.center)

    @property
    def support_radius(self) -> float:
        """Radius of the ball around `center` outside of which the density vanishes."""
        return self.reach * self.radius

    @property
    def outer_radius(self) -> float:
        """Radius of the smallest ball around the origin that holds the support."""
        return float(np.linalg.norm(self.center)) + self.support_radius

    @property
    def is_centered(self) -> bool:
        """Whether the support is a ball around the origin."""
        return not np.any(self.center)

    @property
    def is_compact(self) -> bool:
        """Whether the density vanishes outside a ball."""
        return True

    @property
    def is_smooth_inside(self) -> bool:
        """Whether all derivatives have limits where the edge is approached from inside."""
        return True

    @cached_property
    def _scale(self) -> float:
        return 1.0 / self._radial_integral(1)[0]

    def _radial_integral(self, exponent: int) -> tuple[float, float]:
        """``∫ f(|θ − center|/radius)^exponent dθ`` and its relative error."""
        m = self.dimension
        moment, error = self._moment(exponent)
        return _sphere_area(m) * self.radius**m * moment, error

    def _moment(self, exponent: int) -> tuple[float, float]:
        """``∫ f(s)^exponent s^{m−1} ds`` and its relative error.

        By adaptive quadrature, for profiles without a closed form.
        """

        def integrand(s: float) -> float:
            return float(self.profile(np.array(s)) ** exponent) * s ** (self.dimension - 1)

        moment, error = quad(integrand, 0.0, self.reach, epsabs=0.0, epsrel=1e-13, limit=400)
        return moment, error / moment

    def __call__(self, points: Array) -> Array:
        """Density at points of shape (P, m), shape (P,)."""
        offset = np.asarray(points) - np.asarray(self.center)
        return self.at_distance(np.linalg.norm(offset, axis=-1))

    def at_distance(self, distance: Array) -> Array:
        """Density at these distances from the centre, shape-preserving."""
        return self._scale * self.profile(distance / self.radius)

    @property
    def l2_norm(self) -> float:
        """``‖p_0‖_2``."""
        return float(self._scale * np.sqrt(self._radial_integral(2)[0]))

    @property
    def l2_norm_error(self) -> float:
        """Error of ``‖p_0‖_2``, absolute."""
        mass, square = (self._radial_integral(exponent)[1] for exponent in (1, 2))
        return self.l2_norm * (mass + 0.5 * square + _ROUNDING)


class Bump(InitialDensity):
    """Smooth density ``∝ exp(1 − 1/(1 − s²))`` with compact support, s = |θ − center|/radius."""

    def profile(self, s: Array) -> Array:
        """Unnormalised radial profile."""
        inside = s < 1.0
        gap = np.where(inside, 1.0 - s * s, 1.0)
        return np.where(inside, np.exp(1.0 - 1.0 / gap), 0.0)


@dataclass(frozen=True)
class Polynomial(InitialDensity):
    """Density ``∝ (1 − s²)^power`` on its support."""

    power: float = 2.0  #: smoothness at the edge, at least 0

    def __post_init__(self) -> None:
        """Check the power too."""
        super().__post_init__()
        if not (np.isfinite(self.power) and self.power >= 0):
            raise ValueError(f"initial power must not be negative, got {self.power!r}")

    @property
    def is_smooth_inside(self) -> bool:
        """Whether the power is an integer."""
        return float(self.power).is_integer()

    def profile(self, s: Array) -> Array:
        """Unnormalised radial profile."""
        return np.where(s < 1.0, np.maximum(1.0 - s * s, 0.0) ** self.power, 0.0)

    def _moment(self, exponent: int) -> tuple[float, float]:
        """``B(m/2, exponent·power + 1)/2``, which no narrow peak escapes."""
        return 0.5 * _beta(0.5 * self.dimension, exponent * self.power + 1.0), _ROUNDING


class Uniform(InitialDensity):
    """Constant density on its support."""

    def profile(self, s: Array) -> Array:
        """Unnormalised radial profile."""
        return np.where(s < 1.0, 1.0, 0.0)

    def _moment(self, exponent: int) -> tuple[float, float]:
        """``1/m``."""
        del exponent
        return 1.0 / self.dimension, _ROUNDING


class Gaussian(InitialDensity):
    """Normal density with standard deviation `radius` per axis; not compactly supported."""

    reach: ClassVar[float] = 12.0

    @property
    def is_compact(self) -> bool:
        """It is positive everywhere."""
        return False

    def profile(self, s: Array) -> Array:
        """Unnormalised radial profile."""
        return np.exp(-0.5 * s * s)

    def _moment(self, exponent: int) -> tuple[float, float]:
        """``Γ(m/2) (2/exponent)^{m/2}/2``; what lies beyond `reach` is below rounding."""
        half = 0.5 * self.dimension
        return 0.5 * gamma(half) * (2.0 / exponent) ** half, _ROUNDING


#: Names of the families in study files.
FAMILIES: dict[str, type[InitialDensity]] = {
    "bump": Bump,
    "polynomial": Polynomial,
    "uniform": Uniform,
    "gaussian": Gaussian,
}

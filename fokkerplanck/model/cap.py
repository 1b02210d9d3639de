"""The radial cap T_Λ, which acts on the parameters of the data term only."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from fokkerplanck.runtime.arrays import Array

KINDS: Final = ("smooth", "tanh", "hard", "none")
# Λ∫(1 − S) with S(s) = s⁴(35 − 84s + 70s² − 20s³), lowest power first
_SMOOTH_INTEGRAL: Final = (0.0, 1.0, 0.0, 0.0, 0.0, -7.0, 14.0, -10.0, 2.5)


@dataclass(frozen=True)
class Cap:
    """Radial cap ``T_Λ(θ) = ρ(|θ|) θ/|θ|``.

    ========  ==========================================  ==================
    kind      ρ(r)                                        smoothness
    ========  ==========================================  ==================
    smooth    r up to Λ, a C⁴ bend, 3Λ/2 from 2Λ on       C⁴
    tanh      Λ tanh(r/Λ)                                 analytic
    hard      min(r, Λ)                                   Lipschitz
    none      r                                           analytic
    ========  ==========================================  ==================

    Raises:
        ValueError: The kind is unknown or the radius not positive.
    """

    kind: Literal["smooth", "tanh", "hard", "none"] = "smooth"
    radius: float = 1.0  #: Λ > 0; ignored by ``none``

    def __post_init__(self) -> None:
        """Check kind and radius."""
        if self.kind not in KINDS:
            raise ValueError(f"cap kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.kind != "none" and not (np.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"cap radius must be positive, got {self.radius}")

    @property
    def breaks(self) -> tuple[float, ...]:
        """Radii where the cap is not analytic; beyond the last, ρ is constant."""
        if self.kind == "smooth":
            return (self.radius, 2 * self.radius)
        return (self.radius,) if self.kind == "hard" else ()

    def __call__(self, theta: Array) -> Array:
        """Return the capped parameters of ``theta``, both of shape ``(P, m)``."""
        radius = np.linalg.norm(theta, axis=1)
        return self._ratio(radius)[:, None] * theta

    def pull_back(self, theta: Array, gradient: Array) -> Array:
        """Turn gradients with respect to capped parameters into gradients with respect to θ.

        With the unit vector ``e = θ/|θ|`` the transposed Jacobian is
        ``(ρ/r)(I − e eᵀ) + ρ' e eᵀ``, the identity at θ = 0.

        Args:
            theta: Parameters before the cap, shape ``(P, m)``.
            gradient: Gradients at the capped parameters, shape ``(P, m)``.

        Returns:
            Gradients, shape ``(P, m)``.
        """
        radius = np.linalg.norm(theta, axis=1)
        ratio, slope = self._ratio(radius), self._slope(radius)
        unit = theta / np.where(radius > 0, radius, 1.0)[:, None]
        radial = np.einsum("pi,pi->p", unit, gradient)
        return ratio[:, None] * gradient + ((slope - ratio) * radial)[:, None] * unit

    def _ratio(self, r: Array) -> Array:
        """Return ``ρ(r)/r``, which is 1 at 0."""
        safe = np.where(r > 0, r, 1.0)
        if self.kind == "smooth":
            s = np.clip((r - self.radius) / self.radius, 0.0, 1.0)
            capped = self.radius * (1 + np.polynomial.polynomial.polyval(s, _SMOOTH_INTEGRAL))
            return np.where(r > self.radius, capped / safe, 1.0)
        if self.kind == "tanh":
            return np.where(r > 0, self.radius * np.tanh(safe / self.radius) / safe, 1.0)
        if self.kind == "hard":
            return np.where(r > self.radius, self.radius / safe, 1.0)
        return np.ones_like(r)

    def _slope(self, r: Array) -> Array:
        """Return ``ρ'(r)``; at the kink of ``hard`` the derivative from inside."""
        if self.kind == "smooth":
            s = np.clip((r - self.radius) / self.radius, 0.0, 1.0)
            return 1 - s**4 * (35 - 84 * s + 70 * s**2 - 20 * s**3)
        if self.kind == "tanh":
            return 1 - np.tanh(r / self.radius) ** 2
        if self.kind == "hard":
            return np.where(r > self.radius, 0.0, 1.0)
        return np.ones_like(r)

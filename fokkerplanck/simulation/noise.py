"""What is random: Wiener increments and the points of p_0, each addressed by its path."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.runtime.arrays import Array, Indices
from fokkerplanck.simulation.philox import MOST_STEPS, fill_normals

#: Streams of random numbers.
INCREMENTS, STARTS = 0, 1

#: Points of the table of the radial law of p_0.
_RADII: Final = 2**14 + 1


@dataclass(frozen=True, eq=False)
class Wiener:
    """``Σ W`` of each path, step by step."""

    seed: int
    sigma: Array  #: Σ, shape (m, m)

    def increments(self, paths: Indices, step: int, h: Array) -> tuple[Array, Array]:
        """``ΣΔW`` and ``ΣΔZ`` with ``ΔZ = ∫ (W_s − W_t) ds`` over one step, shapes (m, P).

        ``ΔZ = ½ h (ΔW + √(h/3) ζ)`` with normals ζ of their own, so that ΔZ has variance h³/3 and
        covariance h²/2 with ΔW.

        Args:
            paths: numbers of the paths, shape (P,).
            step: number of the step, the same for all of them.
            h: step sizes, shape (P,).
        """
        assert step < MOST_STEPS
        m = len(self.sigma)
        normals = np.empty((2 * m, len(paths)))
        fill_normals(self.seed, INCREMENTS, paths, step, normals)
        root = np.sqrt(h)
        moved = self._times_sigma(root * normals[:m])
        other = self._times_sigma(root * normals[m:])
        return moved, 0.5 * h * (moved + other / np.sqrt(3.0))

    def _times_sigma(self, normals: Array) -> Array:
        """Σ times columns, summed in one order whatever their number is."""
        if self._is_scalar:
            return self.sigma[0, 0] * normals
        total = self.sigma[:, :1] * normals[:1]
        for k in range(1, len(normals)):
            total += self.sigma[:, k : k + 1] * normals[k : k + 1]
        return total

    @cached_property
    def _is_scalar(self) -> bool:
        return bool(np.array_equal(self.sigma, self.sigma[0, 0] * np.eye(len(self.sigma))))


def merged(
    first: tuple[Array, Array], second: tuple[Array, Array], h: Array
) -> tuple[Array, Array]:
    """``ΔW`` and ``ΔZ`` of two steps of size h taken as one."""
    return first[0] + second[0], first[1] + second[1] + h * first[0]


@dataclass(frozen=True, eq=False)
class Starts:
    """Points of p_0: a direction, and a radius by the inverse of its law."""

    initial: InitialDensity
    seed: int

    def points(self, paths: Indices) -> Array:
        """Points (m, P) for the numbers of paths (P,)."""
        m = self.initial.dimension
        normals = np.empty((2 * ((m + 1) // 2) + 2, len(paths)))
        fill_normals(self.seed, STARTS, paths, 0, normals)
        direction, pair = normals[:m], normals[-2:]
        # half the square of the length of a normal pair is exponential, so this is uniform
        share = np.exp(-0.5 * (pair[0] ** 2 + pair[1] ** 2))
        radius = self.initial.radius * np.interp(share, *self._law)
        length = np.sqrt(np.einsum("ip,ip->p", direction, direction))
        return np.array(self.initial.center)[:, None] + (radius / length) * direction

    @cached_property
    def _law(self) -> tuple[Array, Array]:
        """P(|θ − center| <= s radius) and s, increasing."""
        s = np.linspace(0.0, self.initial.reach, _RADII)
        density = self.initial.profile(s) * s ** (self.initial.dimension - 1)
        law = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
        return law / law[-1], s

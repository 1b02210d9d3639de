"""The potentials of all depths, tabulated at the Gauss points of one space."""

import math
from dataclasses import dataclass

from fokkerplanck.runtime.arrays import Array


@dataclass(frozen=True)
class PotentialTable:
    """The potentials at the Gauss points of one space.

    With ``E_N = N(V − V_N)``, and ``E_inf = ℓ`` its limit, the potential of depth N is
    ``V_N = V − E_N/N``.
    """

    potential: Array  #: V, shape (C, q)
    differences: dict[float, Array]  #: E_N per depth, shape (C, q)
    gradients: dict[float, Array]  #: ∇E_N per depth, shape (C, q, m)
    errors: dict[float, float]  #: estimated relative error of E_N per depth

    def perturbed(self, depth: float) -> Array:
        """V_N at the Gauss points."""
        if math.isinf(depth):
            return self.potential
        return self.potential - self.differences[depth] / depth

    def interpolated(self, matrix: Array) -> "PotentialTable":
        """The tables at other points of the same cells, by an interpolation matrix (P, q)."""
        return PotentialTable(
            self.potential @ matrix.T,
            {depth: values @ matrix.T for depth, values in self.differences.items()},
            {depth: matrix @ values for depth, values in self.gradients.items()},
            self.errors,
        )

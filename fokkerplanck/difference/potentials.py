"""The potentials of all depths, tabulated at the Gauss points of one space."""

import math
from dataclasses import dataclass, replace

from fokkerplanck.fem.space import Space
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

    def with_gradient_of_limit(self, space: Space) -> "PotentialTable":
        """The same with ∇ℓ from the polynomials through ℓ.

        Where trajectories cross a kink of a network, the derivative of ξ jumps, which the equations
        of sensitivities do not know.
        """
        if math.inf not in self.differences:
            return self
        gradient = space.gradient(self.differences[math.inf])
        return replace(self, gradients={**self.gradients, math.inf: gradient})

    def perturbed(self, depth: float) -> Array:
        """V_N at the Gauss points."""
        if math.isinf(depth):
            return self.potential
        return self.potential - self.differences[depth] / depth

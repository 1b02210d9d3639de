"""The Fokker–Planck operator relative to the Gibbs density: mass and stiffness.

With ``π = exp(−(V − min V)/D)`` and ``p = π u`` the equation ``∂_t p = ∇·(D∇p + p∇V)`` reads
``π ∂_t u = ∇·(D π ∇u)``: symmetric, and exact for every space that contains the constants in
total mass, in the Gibbs state and in the decay of ``∫ p² e^{V/D}``. `forms` has the weak forms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fokkerplanck.fem.space import Space
from fokkerplanck.operators.element_matrices import element_matrices
from fokkerplanck.operators.matrix_free import MatrixFree
from fokkerplanck.problem.double_range import LARGEST_EXPONENT, check_range
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import agreed, largest, smallest

#: Largest change of V/D over a cell; beyond it the matrices are singular to rounding.
LARGEST_CHANGE = 20.0

#: Power of π in the inner product of the Krylov basis.
KRYLOV_POWER = 0.125


@dataclass(frozen=True)
class GibbsOperator:
    """Mass M and stiffness K of one potential on one space.

    Args:
        space: the Galerkin space.
        potential: V at the Gauss points, shape (C, q).
        diffusion: scalar D > 0.

    Raises:
        ValueError: ``exp(−V/D)`` leaves double range on the domain, or V is not finite.
    """

    space: Space
    potential: Array
    diffusion: float

    def __post_init__(self) -> None:
        """Check the range of the potential. Collective."""
        comm = self.space.domain.comm
        if not agreed(comm, np.isfinite(self.potential)):
            raise ValueError("potential must be finite on the domain, got inf or nan")
        exponents = (self.potential - self.minimum) / self.diffusion
        radii = np.linalg.norm(self.space.points, axis=2)
        nearest = smallest(comm, radii[exponents > LARGEST_EXPONENT])
        check_range(largest(comm, exponents), nearest, self.space.domain.annuli)

    def check_cells(self) -> None:
        """Refuse cells over which the Gibbs density changes so much that matrices degenerate.

        Collective.

        Raises:
            ValueError: the mesh is too coarse for the potential.
        """
        space, comm = self.space, self.space.domain.comm
        change = np.ptp(self.log_gibbs, axis=1)
        worst = largest(comm, change)
        radii = np.linalg.norm(space.points, axis=2).min(axis=1)
        nearest = smallest(comm, radii[change > LARGEST_CHANGE])
        if worst > LARGEST_CHANGE:
            raise ValueError(
                f"V/D must change by less than {LARGEST_CHANGE:g} over a cell, got {worst:.3g}; "
                f"give a finer domain, or a radius below {nearest:.3g}"
            )

    @cached_property
    def minimum(self) -> float:
        """Smallest V over the Gauss points. Collective at first use."""
        return smallest(self.space.domain.comm, self.potential)

    @cached_property
    def log_gibbs(self) -> Array:
        """``ln π = −(V − min V)/D`` at the Gauss points, shape (C, q)."""
        return -(self.potential - self.minimum) / self.diffusion

    @cached_property
    def gibbs(self) -> Array:
        """π at the Gauss points, shape (C, q)."""
        return np.exp(self.log_gibbs)

    @cached_property
    def matrix_free(self) -> MatrixFree:
        """The same operator by sum factorisation, on the disk and in the ball."""
        return MatrixFree(self.space, self.gibbs, self.diffusion)

    def apply_mass(self, coefficients: Array) -> Array:
        """The mass matrix times owned coefficients. Collective."""
        if self.space.domain.dimension > 1:
            return self.matrix_free.apply(coefficients)
        return self.space.load(self.gibbs * self.space.evaluate(coefficients))

    def coupling(self, drift: Array) -> Callable[[Array], Array]:
        """The map from owned coefficients of u to ``∫ π u b·∇φ_i``, owned entries.

        Each call of it is collective.

        Args:
            drift: b at the Gauss points, shape (C, q, m).
        """
        if self.space.domain.dimension > 1:
            return self.matrix_free.coupling(drift)
        space = self.space
        inverses = space.geometry.inverses[..., 0, 0]
        flux = space.weights * self.gibbs * inverses * drift[..., 0]
        return lambda u: space.assemble((flux * space.evaluate(u)) @ space.slopes[0])

    def diagonal(self, shift: float) -> Array:
        """Diagonal of ``M + K/shift``, owned entries. Collective."""
        space = self.space
        mass, stiffness = self._coefficients(slice(None), shift)
        entries = mass @ space.basis**2
        for a, left in enumerate(space.slopes):
            for b, right in enumerate(space.slopes):
                entries += stiffness[..., a, b] @ (left * right)
        return space.assemble(entries)

    def element_matrices(self, cells: slice, shift: float) -> Array:
        """``M + K/shift`` on some cells, shape (C, num_basis, num_basis)."""
        return element_matrices(self.space, *self._coefficients(cells, shift))

    def _coefficients(self, cells: slice, shift: float) -> tuple[Array, Array]:
        """Coefficients (C, q) of M and (C, q, m, m) of K/shift in reference coordinates."""
        inverses = self.space.geometry.inverses[cells]
        mass = self.space.weights[cells] * self.gibbs[cells]
        metric = np.matmul(inverses, np.swapaxes(inverses, 2, 3))
        return mass, (self.diffusion / shift * mass)[..., None, None] * metric

    @cached_property
    def krylov_weights(self) -> Array:
        """Diagonal of an inner product like ``∫ π^a u v`` with a = 1/8, shape (num_owned,).

        Rounding errors of a Krylov basis are small relative to its norm. With the full weight π
        the density loses its digits far out; with a small power it keeps them.
        """
        volume = self.space.assemble(self.space.weights @ self.space.basis**2)
        weighted = self.space.assemble((self.space.weights * self.gibbs) @ self.space.basis**2)
        return volume * (weighted / volume) ** KRYLOV_POWER

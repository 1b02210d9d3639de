"""Element matrices of mass and stiffness by sum factorisation.

Basis functions and Gauss rule are tensor products, so that a sum over the Gauss points of a cell is
one sum per axis in turn: with n basis functions per axis on m axes an element matrix costs about
``n^{2m+1}`` multiplications instead of ``n^{3m}``.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fokkerplanck.fem.space import Space
from fokkerplanck.runtime.arrays import Array


def element_matrices(space: Space, mass: Array, stiffness: Array) -> Array:
    """Matrices ``Σ_q c φ_i φ_j + Σ_ab G_ab ∂_aφ_i ∂_bφ_j`` on cells, in reference coordinates.

    Args:
        space: of the basis functions.
        mass: c at the Gauss points, the weights of the rule included, shape (C, q).
        stiffness: G, the same, symmetric, shape (C, q, m, m).

    Returns:
        Shape (C, num_basis, num_basis).
    """
    return _Factorisation(space).compute(mass, stiffness)


@dataclass(frozen=True)
class _Factorisation:
    """The tables of one axis, and the sums with them."""

    space: Space

    @cached_property
    def _tables(self) -> Array:
        """Basis functions of one axis and their derivatives at the Gauss points, (2, n_q, n)."""
        return self.space.element.lines(self.space.rule.nodes)

    def compute(self, mass: Array, stiffness: Array) -> Array:
        """The matrices of `element_matrices`."""
        m = stiffness.shape[-1]
        n_q, n = self._tables.shape[1:]
        order = self.space.rule.order
        mass = mass[:, order].reshape(-1, *[n_q] * m)
        stiffness = stiffness[:, order].reshape(-1, *[n_q] * m, m, m)
        # Terms that differentiate alike along the first axis share its sum.
        kinds = [(0, 0), (0, 1), (1, 0), (1, 1)] if m > 1 else [(0, 0), (1, 1)]
        first = np.concatenate([self._pairs(kind) for kind in kinds])
        rest = np.concatenate([self._rest(kind, mass, stiffness) for kind in kinds], axis=1)
        # Axes are (i_1, j_1, i_2, j_2, ...): the row's indices go first.
        matrices = np.matmul(first.T, rest).reshape(-1, *[n] * (2 * m))
        split = (0, *range(1, 2 * m, 2), *range(2, 2 * m + 1, 2))
        matrices = matrices.transpose(split).reshape(-1, n**m, n**m)
        place = self.space.element.place
        return matrices[:, place[:, None], place]

    def _pairs(self, kind: tuple[int, int]) -> Array:
        """Products of two basis functions of one axis, differentiated or not, shape (n_q, n²)."""
        left, right = (self._tables[i] for i in kind)
        return (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)

    def _rest(self, kind: tuple[int, int], mass: Array, stiffness: Array) -> Array:
        """Sums over all axes but the first, of the terms that differentiate so on the first.

        Returns:
            Shape (C, n_q, n^{2(m−1)}).
        """
        m = stiffness.shape[-1]
        rows, columns = ([0] if derivative else range(1, m) for derivative in kind)
        terms = [(stiffness[..., a, b], a, b) for a in rows for b in columns]
        if kind == (0, 0):
            terms.append((mass, m, m))
        total = np.zeros((*mass.shape[:2], self._tables.shape[2] ** (2 * m - 2)))
        for values, a, b in terms:
            total += self._along(values, [(int(k == a), int(k == b)) for k in range(1, m)])
        return total

    def _along(self, values: Array, kinds: list[tuple[int, int]]) -> Array:
        """Sum over all axes but the first, the last one first."""
        done = values[..., None]
        for kind in reversed(kinds):
            # The last two axes, (n_q, rest), become (n², rest), then one.
            done = np.matmul(self._pairs(kind).T, done)
            done = done.reshape(*done.shape[:-2], -1)
        return done

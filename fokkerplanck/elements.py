"""Element matrices of mass and stiffness by sum factorisation.

Basis functions and Gauss rule are tensor products, so that a sum over the Gauss points of a cell is
one sum per axis in turn: with n basis functions per axis on m axes an element matrix costs about
``n^{2m+1}`` multiplications instead of ``n^{3m}``.
"""

from dataclasses import dataclass
from functools import cached_property, reduce

import basix
import numpy as np
import numpy.typing as npt

from fokkerplanck.space import Space

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


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
        element = basix.create_element(
            basix.ElementFamily.P,
            basix.CellType.interval,
            self.space.degree,
            basix.LagrangeVariant.gll_warped,
        )
        nodes = self.space.tensor_rule[1]
        return element.tabulate(1, nodes[:, None])[..., np.argsort(element.points[:, 0]), 0]

    @cached_property
    def _order(self) -> Indices:
        """Place of each of the element's basis functions in the tensor product."""
        points = self.space.functions.element.basix_element.points
        return np.argsort(np.lexsort(np.round(points, 12).T[::-1]))

    def compute(self, mass: Array, stiffness: Array) -> Array:
        """The matrices of `element_matrices`."""
        m = stiffness.shape[-1]
        n_q, n = self._tables.shape[1:]
        order = self.space.tensor_rule[0]
        mass = mass[:, order].reshape(-1, *[n_q] * m)
        stiffness = stiffness[:, order].reshape(-1, *[n_q] * m, m, m)
        inner, outer = [], []
        for which in ((0, 0), (0, 1), (1, 0), (1, 1)):
            # Terms that differentiate alike along the first axis share its sum.
            inner.append(self._rest(which, mass, stiffness))
            outer.append(self._pairs(which))
        first = np.concatenate(outer).T
        matrices = np.matmul(first, np.concatenate(inner, axis=1))
        # Axes are (i_1, j_1, i_2, j_2, ...): the row's indices go first.
        matrices = matrices.reshape(-1, *[n] * (2 * m))
        split = (0, *range(1, 2 * m, 2), *range(2, 2 * m + 1, 2))
        matrices = matrices.transpose(split).reshape(-1, n**m, n**m)
        return matrices[:, self._order[:, None], self._order]

    def _pairs(self, which: tuple[int, int]) -> Array:
        """Products of two basis functions of one axis, differentiated or not, shape (n_q, n²)."""
        left, right = (self._tables[i] for i in which)
        return (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)

    def _rest(self, which: tuple[int, int], mass: Array, stiffness: Array) -> Array:
        """Sums over all axes but the first, of the terms that differentiate so on the first.

        Returns:
            Shape (C, n_q, n^{2(m−1)}).
        """
        m = stiffness.shape[-1]
        rows = [0] if which[0] else range(1, m)
        columns = [0] if which[1] else range(1, m)
        terms = [(stiffness[..., a, b], a, b) for a in rows for b in columns]
        if which == (0, 0):
            terms.append((mass, m, m))
        cells, n_q = mass.shape[:2]
        sums = [
            self._along(values, [(int(k == a), int(k == b)) for k in range(1, m)])
            for values, a, b in terms
        ]
        if not sums:
            return np.zeros((cells, n_q, self._tables.shape[2] ** (2 * m - 2)))
        return reduce(np.add, sums).reshape(cells, n_q, -1)

    def _along(self, values: Array, which: list[tuple[int, int]]) -> Array:
        """Sum over all axes but the first, the last one first."""
        done = values[..., None]
        for pair in reversed(which):
            # The last two axes, (n_q, rest), become (n², rest), then one.
            done = np.matmul(self._pairs(pair).T, done)
            done = done.reshape(*done.shape[:-2], -1)
        return done

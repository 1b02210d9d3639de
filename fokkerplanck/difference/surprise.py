"""What the potentials do between the Gauss points of a mesh, where nobody else looks.

Inside a cell a potential is known by its values at the Gauss points. Where it is smooth, the
polynomial through them errs by about the last of its coefficients, and integrals by much less. A
narrow feature between two points, or a kink between a cell end and the first of them, leaves no
trace in the coefficients: there the polynomial errs by more than they explain, a surprise.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np

from fokkerplanck.difference.potentials import PotentialTable
from fokkerplanck.fem.gauss import GaussRule
from fokkerplanck.fem.space import Space
from fokkerplanck.runtime.arrays import Array

#: Random places in a cell, and places between its sides and the Gauss points next to them, by
#: dimension; on the line they cost nothing.
_PLACES = {1: (6, 6), 2: (6, 4), 3: (4, 2)}

#: Polynomials err by at most so many times their last coefficients, times the points per axis.
_EXPLAINED = 2.0

#: Rounding of a potential, relative to its range over a cell and to its size.
_ROUNDING = 1e-11


@dataclass(frozen=True)
class Surprise:
    """Errors of the polynomials in each cell beyond what their coefficients explain."""

    potential: Array  #: of V, shape (C,)
    differences: dict[float, Array]  #: of E_N per depth, shape (C,)

    @classmethod
    def between(cls, tables: PotentialTable, there: PotentialTable, space: Space) -> "Surprise":
        """Compare the polynomials of a space's tables with values at `places`.

        Args:
            tables: at the Gauss points.
            there: at the places in each cell.
            space: whose Gauss points they are.
        """
        matrix = space.gauss_interpolation(places(space.rule))

        def excess(values: Array, found: Array, error: float) -> Array:
            return _excess(values, found, matrix, space.rule, error)

        return cls(
            excess(tables.potential, there.potential, 0.0),
            {
                depth: excess(values, there.differences[depth], tables.errors[depth])
                for depth, values in tables.differences.items()
            },
        )

    def parts(self, depth: float, density: Array, difference: Array, diffusion: float) -> Array:
        """How much each cell may change ``∫ w N|p − p^N|``, shape (C,).

        To first order the density errs by δV/D of itself, and the difference by δE_N/D of p.

        Args:
            depth: N.
            density: ``∫ w p`` over each cell, shape (C,).
            difference: ``∫ w N|p − p^N|`` over each cell, shape (C,).
            diffusion: D.
        """
        return (self.differences[depth] * density + self.potential * difference) / diffusion


def places(rule: GaussRule) -> Array:
    """Where each cell is looked at, reference points of shape (P, m), never Gauss points."""
    inside, sides = _PLACES[rule.dimension]
    rng = np.random.default_rng(20_11_1919)
    points = rng.random((inside + sides, rule.dimension))
    for k in range(sides):
        gap = rule.nodes[0] * (0.2 + 0.3 * (k // 2 % 3))
        points[inside + k, k % rule.dimension] = gap if k % 2 else 1.0 - gap
    return points


def _excess(values: Array, found: Array, matrix: Array, rule: GaussRule, error: float) -> Array:
    """Largest error of the polynomials that their coefficients do not explain, shape (C,)."""
    size = np.max(np.abs(values), axis=1, initial=0.0)
    gap = np.max(np.abs(found - values @ matrix.T), axis=1, initial=0.0)
    explained = _EXPLAINED * rule.count * _last_coefficients(values, rule)
    return np.maximum(gap - explained - (_ROUNDING + error) * size, 0.0)


def _last_coefficients(values: Array, rule: GaussRule) -> Array:
    """Largest of the last two Legendre coefficients along any axis, shape (C,)."""
    n, m = rule.count, rule.dimension
    table = np.polynomial.legendre.legvander(2.0 * rule.nodes - 1.0, n - 1)
    transform = (2.0 * np.arange(n) + 1.0)[:, None] * (table * rule.line[1][:, None]).T
    tensor = values[:, rule.order].reshape(-1, *(n,) * m)
    coefficients = reduce(
        lambda done, axis: np.moveaxis(np.tensordot(done, transform, (axis, 1)), -1, axis),
        range(1, m + 1),
        tensor,
    )
    index = np.indices((n,) * m).max(axis=0)
    return np.max(np.abs(coefficients[:, index >= n - 2]), axis=1, initial=0.0)

"""What the potentials do between the Gauss points of a mesh, where nobody else looks.

Inside a cell a potential is known by its values at the Gauss points. Where it is smooth, the
polynomial through them errs by about the last of its coefficients, and integrals by much less. A
narrow feature between two points, or a kink between a cell end and the first of them, leaves no
trace in the coefficients: there the polynomial errs by more than they explain, a surprise.
"""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np

from fokkerplanck.difference.potentials import PotentialTable
from fokkerplanck.fem.cells import CellMap
from fokkerplanck.fem.gauss import GaussRule
from fokkerplanck.fem.space import Space
from fokkerplanck.runtime.arrays import Array, Indices
from fokkerplanck.runtime.ranks import largest

#: Random places in a cell, and places between its sides and the Gauss points next to them, by
#: dimension; on the line they cost nothing.
_PLACES = {1: (6, 16), 2: (6, 8), 3: (4, 6)}

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

    @classmethod
    def at(cls, tables: PotentialTable, there: PotentialTable, spots: "Spots") -> "Surprise":
        """Compare the polynomials with values at scattered points.

        Args:
            tables: at the Gauss points.
            there: at the points, each array of shape (P,); of some of the depths, the largest of
                which stand for the others.
            spots: where the points are.
        """
        potential = spots.excess(tables.potential, there.potential, 0.0)
        known = {
            depth: spots.excess(tables.differences[depth], values, tables.errors[depth])
            for depth, values in there.differences.items()
        }
        most: Array = np.stack(list(known.values())).max(axis=0)
        return cls(
            spots.by_cell(potential),
            {depth: spots.by_cell(known.get(depth, most)) for depth in tables.differences},
        )

    def __or__(self, other: "Surprise") -> "Surprise":
        """The larger of both in each cell."""
        return Surprise(
            np.maximum(self.potential, other.potential),
            {
                depth: np.maximum(values, other.differences[depth])
                for depth, values in self.differences.items()
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


@dataclass(frozen=True)
class Spots:
    """Points of the line in the owned cells of a space."""

    space: Space
    points: Array  #: shape (P,)
    cells: Indices  #: shape (P,)
    reference: Array  #: shape (P, 1)

    @classmethod
    def of(cls, space: Space, points: Array) -> "Spots":
        """Those of some increasing points that lie in owned cells."""
        ends = CellMap.of(space.domain).nodes[..., 0]
        first, last = (
            np.searchsorted(points, ends.min(axis=1)),
            np.searchsorted(points, ends.max(1)),
        )
        cells = np.repeat(np.arange(len(ends)), last - first)
        index = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
        mine = points[np.concatenate([np.zeros(0, dtype=np.intp), *index])]
        left, right = ends[cells, 0], ends[cells, 1]
        return cls(space, mine, cells, ((mine - left) / (right - left))[:, None])

    def excess(self, values: Array, found: Array, error: float) -> Array:
        """Errors at the points of the polynomials that coefficients do not explain, shape (P,)."""
        rule, cells = self.space.rule, self.cells
        explained = _EXPLAINED * rule.count * _last_coefficients(values, rule)[cells]
        size = np.max(np.abs(values), axis=1, initial=0.0)[cells]
        unexplained = self._gaps(values, found) - explained - (_ROUNDING + error) * size
        return np.maximum(unexplained, 0.0)

    def missed(
        self, tables: PotentialTable, there: PotentialTable, diffusion: float, tolerance: float
    ) -> list[tuple[float, float]]:
        """Where cells should end: at points where potentials are missed, and beside. Collective.

        Functionals of a Galerkin solution err like the square of what polynomials do.

        Returns:
            Errors of V/D, or of E_N relative to its size, and points, the largest error first.
        """
        comm = self.space.domain.comm
        errors = self._gaps(tables.potential, there.potential) / diffusion
        # differences that are rounding altogether are not missed
        noise = _ROUNDING * largest(comm, np.abs(tables.potential)) / tolerance
        for depth, values in there.differences.items():
            scale = largest(comm, np.abs(tables.differences[depth])) + noise
            error = self._gaps(tables.differences[depth], values)
            errors = np.maximum(errors, error / max(scale, np.finfo(float).tiny))
        bad = errors > math.sqrt(tolerance)
        ends = CellMap.of(self.space.domain).nodes[self.cells[bad], :, 0]
        found = np.column_stack([errors[bad], ends.mean(axis=1)])
        pairs = [tuple(pair) for pair in np.unique(found, axis=0).tolist()]
        pairs += zip(errors[bad].tolist(), self.points[bad].tolist(), strict=True)
        return sorted((pair for part in comm.allgather(list(pairs)) for pair in part), reverse=True)

    def _gaps(self, values: Array, found: Array) -> Array:
        """Errors of the polynomials at the points, shape (P,)."""
        rule, cells = self.space.rule, self.cells
        table = rule.tables(self.reference)[0]
        return np.abs(found - np.sum(table * values[cells][:, rule.order], axis=1))

    def by_cell(self, values: Array) -> Array:
        """Largest value in each cell, shape (C,)."""
        largest = np.zeros(len(self.space.dofs))
        np.maximum.at(largest, self.cells, values)
        return largest


def places(rule: GaussRule) -> Array:
    """Where each cell is looked at, reference points of shape (P, m), never Gauss points."""
    inside, sides = _PLACES[rule.dimension]
    rng = np.random.default_rng(20_11_1919)
    points = rng.random((inside + sides, rule.dimension))
    for k in range(sides):
        gap = rule.nodes[0] * 0.6 * 0.3 ** (k // (2 * rule.dimension))
        axis = k // 2 % rule.dimension
        points[inside + k, axis] = gap if k % 2 else 1.0 - gap
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

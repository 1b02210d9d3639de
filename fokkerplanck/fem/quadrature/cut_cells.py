"""Gauss rules on boxes of the reference cell that a sphere may cut.

Inside a box the sphere is the graph of a function over the other axes, along an axis on which the
distance from the centre is monotone. Lines along that axis are cut at the sphere, and the other
axes where the sphere leaves through a side or an edge of the box, so that the rule converges as
fast as without a cut.

References:
    [Say15] builds such rules by the same reduction to fewer dimensions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from fokkerplanck.fem.cells import CellMap
from fokkerplanck.fem.gauss import gauss_line
from fokkerplanck.fem.quadrature.cut_kernels import add_moments, place_points, sample_ranges
from fokkerplanck.runtime.arrays import Array, Indices, Mask

Rule = tuple[Array, Array]

#: Samples per axis that decide where a box lies.
_SAMPLES = 6

#: Safety factor on what a function may do between samples.
_BETWEEN = 1.2

#: Change of g across boxes that are so small, by dimension and in units of the squared radius, that
#: a cap that no Gauss point sees does not count.
_SMALL = {1: np.inf, 2: 1e-3, 3: 0.04}

#: The same for the change of g across a side of a box; cells may follow the sphere.
_FLAT = 1e-6

#: Part of the squared radius by which the ball is shrunk, so that cells whose facets lie on the
#: sphere do not cross it by rounding.
_SHRINKAGE = 3e-14


@dataclass(frozen=True)
class Boxes:
    """Boxes ``low <= X <= high`` of reference coordinates, each in a cell."""

    cells: Indices  #: shape (B,)
    low: Array  #: shape (B, m)
    high: Array  #: shape (B, m)

    def __len__(self) -> int:
        """Number of boxes."""
        return len(self.cells)

    def __getitem__(self, index: npt.NDArray[np.generic] | slice) -> "Boxes":
        """Some of the boxes."""
        return Boxes(self.cells[index], self.low[index], self.high[index])

    @classmethod
    def joined(cls, parts: Sequence["Boxes"]) -> "Boxes":
        """The boxes of all parts."""
        columns = zip(*[(part.cells, part.low, part.high) for part in parts], strict=True)
        return cls(*[np.concatenate(column) for column in columns])

    def halves(self, axes: Indices) -> "Boxes":
        """The boxes that each box splits into along its axis, axes of shape (B,)."""
        index = np.arange(len(self))
        middle = 0.5 * (self.low + self.high)[index, axes]
        low, high = self.low.copy(), self.high.copy()
        low[index, axes] = middle
        high[index, axes] = middle
        lower, upper = Boxes(self.cells, self.low, high), Boxes(self.cells, low, self.high)
        return Boxes.joined([lower, upper])

    def chunks(self, size: int) -> list["Boxes"]:
        """The boxes in parts of at most `size`."""
        return [self[i : i + size] for i in range(0, len(self), size)]

    @property
    def volumes(self) -> Array:
        """Volumes in reference coordinates, shape (B,)."""
        return np.prod(self.high - self.low, axis=1)

    def turned(self, order: Sequence[int]) -> tuple[Array, Array]:
        """Low and high ends, shape (B, 3), the axes in this order after trivial ones."""
        lead = ((0, 0), (3 - len(order), 0))
        low, high = self.low[:, order], self.high[:, order]
        return np.pad(low, lead), np.pad(high, lead, constant_values=1.0)


@dataclass(frozen=True)
class Orientation:
    """How a rule lies in boxes: what its outer, base and line axis are."""

    axes: tuple[int, ...]  #: of the cell, in this order; g is monotone on the last one, the line
    is_cut: bool  #: whether the sphere may end lines


@dataclass(frozen=True)
class Classification:
    """Where boxes lie with respect to a ball."""

    outside: Mask  #: shape (B,)
    cut: Mask  #: by the sphere, perhaps; shape (B,)
    #: Axes by how clearly g is monotone on them, the most clearly last, shape (B, m).
    order: Indices
    graph: Mask  #: whether it is monotone on that axis, shape (B,)

    def orientations(self, ready: Mask) -> Iterator[tuple[Orientation, Indices]]:
        """The orientations that occur among some boxes, each with the boxes that have it."""
        kinds = np.column_stack([self.cut, self.order])
        for kind in np.unique(kinds[ready], axis=0):
            is_cut, *axes = kind.tolist()
            part = np.flatnonzero(ready & np.all(kinds == kind, axis=1))
            yield Orientation(tuple(axes), bool(is_cut)), part


@dataclass(frozen=True)
class Sphere:
    """The sphere ``g(X) = |x(X) − center|² − radius² = 0`` in reference coordinates."""

    cell_map: CellMap
    center: Array  #: shape (m,)
    radius: float

    @property
    def numbers(self) -> Array:
        """The centre and the squared radius, shape (m + 1,)."""
        return np.array([*self.center, (1.0 - _SHRINKAGE) * self.radius**2])

    def place(self, boxes: Boxes) -> Classification:
        """Where boxes lie, by samples of g and of its derivatives."""
        m = boxes.low.shape[1]
        ranges = self._sample_ranges(boxes)
        outside, cut = ranges.are_positive, ranges.may_vanish
        line = np.argmax(ranges.steepness, axis=1)
        graph = ranges.steepness.max(axis=1) > 0.0
        order = np.tile(np.arange(m), (len(boxes), 1))
        part = np.flatnonzero(cut & graph)
        order[part], tame = self._order(boxes[part], line[part])
        graph[part] = tame | (ranges.changes[part] < _SMALL[m] * self.radius**2)
        return Classification(outside, cut, order, graph)

    def _order(self, boxes: Boxes, line: Indices) -> tuple[Indices, Mask]:
        """Axes with `line` as the last one and, before it, a base axis.

        On sides of the box across the line axis g is to be monotone on the base axis, unless the
        sphere does not meet them; else it might cut off a cap there that no Gauss point sees.

        Returns:
            The axes, shape (B, m), and whether there is such a base axis, shape (B,).
        """
        index, m = np.arange(len(boxes)), boxes.low.shape[1]
        least = np.full((len(boxes), m), np.inf)
        for end in (boxes.low, boxes.high):
            low, high = boxes.low.copy(), boxes.high.copy()
            low[index, line] = high[index, line] = end[index, line]
            ranges = self._sample_ranges(Boxes(boxes.cells, low, high))
            met = ranges.may_vanish & (ranges.changes > _FLAT * self.radius**2)
            least = np.where(met[:, None], np.minimum(least, ranges.steepness), least)
        rank = np.zeros((len(boxes), m), dtype=np.int64)
        if m > 1:
            least[index, line] = -np.inf
            rank[index, np.argmax(least, axis=1)] = 1
        rank[index, line] = 2
        return np.argsort(rank, axis=1), least.max(axis=1) > 0.0

    def _sample_ranges(self, boxes: Boxes) -> "_Ranges":
        m = boxes.low.shape[1]
        identity = tuple(range(m))
        samples = np.linspace(0.0, 1.0, _SAMPLES)
        found = sample_ranges(
            self.maps(boxes, identity), *boxes.turned(identity), samples, self.numbers
        )
        return _Ranges(found[:, :, 0], found[:, :, 4 - m :])

    def maps(self, boxes: Boxes, order: Sequence[int]) -> Array:
        """Legendre coefficients of the cells' maps, axes as in `Boxes.turned`, (B, m, a, b, c)."""
        coefficients = self.cell_map.legendre[boxes.cells]
        turned = coefficients.transpose(0, 1, *(2 + axis for axis in order))
        count, m, *shape = turned.shape
        return np.ascontiguousarray(turned).reshape(count, m, *[1] * (3 - m), *shape)


@dataclass(frozen=True)
class _Ranges:
    """Least and largest samples of g and of its derivatives over the extents of boxes."""

    values: Array  #: shape (B, 2)
    slopes: Array  #: shape (B, 2, m)

    @property
    def changes(self) -> Array:
        """By how much g may change across a box, shape (B,)."""
        return np.abs(self.slopes).max(axis=1).sum(axis=1)

    @property
    def steepness(self) -> Array:
        """Least slope on axes along which g is monotone, else not positive, shape (B, m)."""
        return np.maximum(self.slopes[:, 0], -self.slopes[:, 1])

    @property
    def are_positive(self) -> Mask:
        """Whether g is positive between the samples, too."""
        return self.values[:, 0] > self._between

    @property
    def may_vanish(self) -> Mask:
        """Whether g may vanish somewhere."""
        return ~self.are_positive & (self.values[:, 1] >= -self._between)

    @property
    def _between(self) -> Array:
        return _BETWEEN / (2 * _SAMPLES - 2) * self.changes


def box_moments(
    sphere: Sphere,
    boxes: Boxes,
    orientation: Orientation,
    rules: Sequence[Rule],
    density: Callable[[Array], Array],
    size: int,
) -> tuple[Array, Array]:
    """``∫ f P_i P_j P_k`` over the parts of boxes in the ball, P_i the Legendre polynomials.

    Args:
        sphere: that bounds the ball.
        boxes: the boxes.
        orientation: of the rule in all of them.
        rules: points on (0, 1) and weights on each axis of the cell.
        density: f as a function of the distance from the centre.
        size: number n of polynomials per axis.

    Returns:
        Moments of shape (B, n, ..., n), and the largest f times volume per box, (B,).
    """
    order = orientation.axes
    m, count = len(order), len(boxes)
    turned_rules = (*[line_rule(1)] * (3 - m), *(rules[axis] for axis in order))
    turned = boxes.turned(order)
    lines, distances, volumes = place_points(
        sphere.maps(boxes, order), *turned, orientation.is_cut, sphere.numbers, turned_rules
    )
    nodes, weights = turned_rules[2]
    values = density(np.sqrt(distances)) * volumes
    largest = np.zeros(count)
    np.maximum.at(largest, lines[:, 0].astype(np.int64), values.max(axis=1, initial=0.0))
    moments = np.zeros((count, *[1] * (3 - m), *[size] * m))
    add_moments(lines, values * weights, nodes, moments)
    back = (0, *(1 + np.argsort(order)))
    return moments.reshape(count, *[size] * m).transpose(back), largest * boxes.volumes


@cache
def line_rule(count: int, flat: bool = False) -> Rule:
    """Gauss points on (0, 1) and their weights.

    If `flat`, they are those of ``∫ f(ψ(u)) ψ'(u) du``, ψ' having double zeros at both ends, where
    the integrand may then be a fractional power.
    """
    u, weights = gauss_line(count)
    if flat:
        return u**3 * (10.0 - 15.0 * u + 6.0 * u**2), 30.0 * (u * (1.0 - u)) ** 2 * weights
    return u, weights

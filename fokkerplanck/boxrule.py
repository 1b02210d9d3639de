"""Gauss rules on boxes of the reference cell that a sphere may cut.

Inside a box the sphere is the graph of a function over the other axes, along an axis on which the
distance from the centre is monotone. Lines along that axis are cut at the sphere, and the other
axis where the sphere leaves through a side of the box, so that the rule converges as fast as
without a cut.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from fokkerplanck.cellmap import CellMap

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: What `Sphere.place` says of boxes that are cut along no axis, or not cut.
NO_AXIS, NOT_CUT = -1, -2

#: Samples per axis that decide where a box lies.
_SAMPLES = 6

#: Steps of the root finder; about ten are needed.
_MAX_ITERATIONS = 40

#: Safety factor on the extent of a box between samples.
_EXTENT = 1.1

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

    def halves(self, axes: Indices) -> "Boxes":
        """The boxes that each box splits into along its axis, axes of shape (B,)."""
        index = np.arange(len(self))
        middle = 0.5 * (self.low + self.high)[index, axes]
        low, high = self.low.copy(), self.high.copy()
        low[index, axes] = middle
        high[index, axes] = middle
        lows, highs = np.concatenate([self.low, low]), np.concatenate([high, self.high])
        return Boxes(np.concatenate([self.cells, self.cells]), lows, highs)

    def chunks(self, size: int) -> list["Boxes"]:
        """The boxes in parts of at most `size`."""
        return [self[i : i + size] for i in range(0, len(self), size)]

    def at(self, unit: Array) -> Array:
        """Points of all boxes at unit coordinates (s, m), shape (B, s, m)."""
        return self.low[:, None, :] + (self.high - self.low)[:, None, :] * unit


@dataclass(frozen=True)
class Sphere:
    """The sphere ``g(X) = |x(X) − center|² − radius² = 0`` in reference coordinates."""

    cell_map: CellMap
    center: Array  #: shape (m,)
    radius: float

    def level(self, cells: Indices, reference: Array) -> Array:
        """Values of g, shape (P,), at reference points of shape (P, m)."""
        points = self.cell_map.points(cells, reference)
        return np.sum((points - self.center) ** 2, axis=1) - (1.0 - _SHRINKAGE) * self.radius**2

    def is_inside(self, cells: Indices, reference: Array) -> npt.NDArray[np.bool_]:
        """Whether reference points lie in the ball."""
        return self.level(cells, reference) <= 0.0

    def place(self, boxes: Boxes) -> tuple[npt.NDArray[np.bool_], Indices]:
        """Where boxes lie with respect to the ball that the sphere bounds.

        Returns:
            Which boxes lie inside, shape (B,), and for each box that the sphere may cut the axis
            on which g is most clearly monotone, or `NO_AXIS`; `NOT_CUT` for the other boxes.
        """
        m = boxes.low.shape[1]
        grid = np.linspace(0.0, 1.0, _SAMPLES)
        unit = np.stack(np.meshgrid(*[grid] * m, indexing="ij"), -1).reshape(-1, m)
        cells = np.repeat(boxes.cells, len(unit))
        points, jacobians = self.cell_map(cells, boxes.at(unit).reshape(-1, m))
        offset = points - self.center
        slopes = np.einsum("pi,pia->pa", offset, jacobians).reshape(len(boxes), -1, m)
        slopes *= (boxes.high - boxes.low)[:, None, :]
        points = points.reshape(len(boxes), -1, m)
        middle = points.mean(axis=1, keepdims=True)
        extent = _EXTENT * np.max(np.linalg.norm(points - middle, axis=2), axis=1)
        distance = np.linalg.norm(middle[:, 0] - self.center, axis=1)
        steepness = np.maximum(slopes.min(axis=1), -slopes.max(axis=1))
        axis = np.where(steepness.max(axis=1) > 0.0, np.argmax(steepness, axis=1), NO_AXIS)
        inside = distance + extent < self.radius
        return inside, np.where(inside | (distance > self.radius + extent), NOT_CUT, axis)

    def roots(self, cells: Indices, start: Array, end: Array) -> Array:
        """Fractions of segments, shape (L,), at which g changes sign.

        Where it does not, the fraction is 1 on segments inside and 0 on segments outside. The
        roots are found by regula falsi with the Illinois modification.
        """
        at_low, at_high = self.level(cells, start), self.level(cells, end)
        fraction = (at_low <= 0.0).astype(np.float64)
        active = np.flatnonzero((at_low <= 0.0) != (at_high <= 0.0))
        at_low, at_high = at_low[active], at_high[active]
        low, high = np.zeros(len(active)), np.ones(len(active))
        for _ in range(_MAX_ITERATIONS):
            if not len(active):
                break
            x = high - at_high * (high - low) / (at_high - at_low)
            at = start[active] + x[:, None] * (end - start)[active]
            at_x = self.level(cells[active], at)
            same = (at_x <= 0.0) == (at_high <= 0.0)
            low, at_low = np.where(same, low, high), np.where(same, 0.5 * at_low, at_high)
            moving = (np.abs(x - high) > 1e-16) & (at_x != 0.0)
            high, at_high = x, at_x
            fraction[active] = np.clip(x, 0.0, 1.0)
            active, low, high = active[moving], low[moving], high[moving]
            at_low, at_high = at_low[moving], at_high[moving]
        return fraction


@dataclass(frozen=True)
class FlatRule:
    """A quadrature rule on many boxes: reference points (Q, m), weights (Q,), box of each (Q,)."""

    points: Array
    weights: Array
    box: Indices


@cache
def _gauss(count: int) -> tuple[Array, Array]:
    """Gauss points on (0, 1) and their weights."""
    legendre, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (legendre + 1.0), 0.5 * weights


def whole_rule(boxes: Boxes, counts: tuple[int, ...]) -> tuple[list[Array], Array]:
    """The tensor Gauss rule, with `counts` points per axis, on whole boxes.

    Returns:
        Coordinates along each axis, shape (B, count), and weights (B, Q), C-ordered.
    """
    rules = [_gauss(count) for count in counts]
    extent = boxes.high - boxes.low
    axes = [
        boxes.low[:, k, None] + extent[:, k, None] * nodes for k, (nodes, _) in enumerate(rules)
    ]
    product = np.prod(np.meshgrid(*[weights for _, weights in rules], indexing="ij"), axis=0)
    return axes, np.outer(np.prod(extent, axis=1), product.ravel())


def cut_rule(boxes: Boxes, axis: int, sphere: Sphere, counts: tuple[int, ...]) -> FlatRule:
    """The Gauss rule on the part of each box inside the sphere, which is a graph along `axis`.

    Args:
        boxes: the boxes.
        axis: on which g is monotone in every box.
        sphere: the sphere g = 0.
        counts: points per axis, on each piece between cuts.
    """
    nodes, weights = _gauss(counts[axis])
    owner, start, length = _lines(boxes, axis, sphere, counts)
    end = start.copy()
    end[:, axis] = boxes.high[owner, axis]
    fraction = sphere.roots(boxes.cells[owner], start, end)
    # g is monotone along a line: its inner part begins at the low end or ends at the high end.
    begins_inside = sphere.is_inside(boxes.cells[owner], start)
    first = np.where(begins_inside | (fraction == 0.0), 0.0, fraction)
    part = np.where(begins_inside, fraction, np.where(fraction > 0.0, 1.0 - fraction, 0.0))
    span = (end - start)[:, axis]
    points = np.repeat(start[:, None, :], len(nodes), axis=1)
    points[..., axis] += span[:, None] * (first[:, None] + part[:, None] * nodes)
    product = (length * span * part)[:, None] * weights
    box = np.repeat(owner, len(nodes))
    return FlatRule(points.reshape(-1, len(counts)), product.ravel(), box)


def _lines(
    boxes: Boxes, axis: int, sphere: Sphere, counts: tuple[int, ...]
) -> tuple[Indices, Array, Array]:
    """Lines along `axis` on which to integrate: box, low end (L, m) and weight of each."""
    m = len(counts)
    owner, length = np.arange(len(boxes)), np.ones(len(boxes))
    slices = boxes
    if m == 1:
        return owner, boxes.low.copy(), length
    if m == 3:
        outer = (axis + 2) % m
        nodes, weights = _gauss(counts[outer])
        slices = _planes(boxes, outer, nodes)
        owner = np.repeat(owner, len(nodes))
        length = (boxes.high - boxes.low)[owner, outer] * np.tile(weights, len(boxes))
    base = (axis + 1) % m
    nodes, weights = _gauss(counts[base])
    piece, left, right = _pieces(slices, axis, base, sphere)
    start = np.repeat(slices.low[piece, None, :], len(nodes), axis=1)
    start[..., base] = left[:, None] + (right - left)[:, None] * nodes
    product = (length[piece] * (right - left))[:, None] * weights
    return np.repeat(owner[piece], len(nodes)), start.reshape(-1, m), product.ravel()


def _planes(boxes: Boxes, outer: int, nodes: Array) -> Boxes:
    """Flat boxes across the axis `outer`, through unit coordinates (n,) of each box."""
    index = np.repeat(np.arange(len(boxes)), len(nodes))
    flat = boxes[index]
    low, high = flat.low.copy(), flat.high.copy()
    position = low[:, outer] + (high - low)[:, outer] * np.tile(nodes, len(boxes))
    low[:, outer] = position
    high[:, outer] = position
    return Boxes(flat.cells, low, high)


def _pieces(boxes: Boxes, axis: int, base: int, sphere: Sphere) -> tuple[Indices, Array, Array]:
    """Intervals of the base axis, split where the sphere leaves through a side of the box."""
    count = len(boxes)
    grid = np.linspace(0.0, 1.0, 2 * _SAMPLES)
    ends = [boxes.low[:, base], boxes.high[:, base]]
    owners = [np.arange(count), np.arange(count)]
    for side in (boxes.low[:, axis], boxes.high[:, axis]):
        line = np.repeat(boxes.low[:, None, :], len(grid), axis=1)
        line[..., axis] = side[:, None]
        line[..., base] = ends[0][:, None] + (ends[1] - ends[0])[:, None] * grid
        m = line.shape[2]
        start, end = line[:, :-1].reshape(-1, m), line[:, 1:].reshape(-1, m)
        owner = np.repeat(np.arange(count), len(grid) - 1)
        fraction = sphere.roots(boxes.cells[owner], start, end)
        hit = (fraction > 0.0) & (fraction < 1.0)
        owners.append(owner[hit])
        ends.append((start + fraction[:, None] * (end - start))[hit, base])
    owner, position = np.concatenate(owners), np.concatenate(ends)
    order = np.lexsort((position, owner))
    owner, position = owner[order], position[order]
    same = owner[1:] == owner[:-1]
    return owner[:-1][same], position[:-1][same], position[1:][same]

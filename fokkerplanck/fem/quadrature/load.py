"""The load vector ``∫ p_0 φ_i`` of an initial density, to rounding.

The density starts from its exact integrals against the basis functions; interpolation in the space
would cost digits, because a compact `p_0` is not analytic at its edge. Cells are bisected until
Gauss rules with more and with fewer points agree; where the edge cuts a box, the rule fits it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from fokkerplanck.fem.cells import CellMap
from fokkerplanck.fem.element import along_axes
from fokkerplanck.fem.quadrature.cut_cells import (
    Boxes,
    Classification,
    Orientation,
    Rule,
    Sphere,
    box_moments,
    line_rule,
)
from fokkerplanck.fem.space import Space
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.runtime.arrays import Array, Indices, Mask
from fokkerplanck.runtime.ranks import Exchange, total

#: A box is accepted when fewer points change its integrals by less than this part, by dimension, of
#: its volume times the largest density in it, ...
_RELATIVE = {1: 1e-13, 2: 1e-13, 3: 1e-11}

#: ... or by less than this part of the whole mass, by dimension.
_ABSOLUTE = {1: 1e-20, 2: 1e-20, 3: 1e-12}

#: What rounding may change where the support is no farther from the origin than it is large.
_ROUNDING = 2e-15

#: Gauss points per axis beyond those of the space, which the check has.
_SURPLUS = 4

#: Factor by which points are more where the rule is to be flat at the ends of lines.
_FLAT_FACTOR = 2

#: A cell is bisected at most this often, by dimension.
_MAX_LEVEL = {1: 24, 2: 32, 3: 48}

#: Boxes that are integrated at once, by dimension.
_CHUNK = {1: 256, 2: 256, 3: 32}

#: Largest mass of p_0 that the domain may miss.
_LARGEST_LOSS = 1e-10


def initial_load(space: Space, initial: InitialDensity) -> Array:
    """Load vector ``∫ p_0 φ_i``, scaled so that its sum, the mass, is 1. Collective.

    Args:
        space: the Galerkin space.
        initial: the initial density.

    Returns:
        Owned entries, shape (num_owned,).

    Raises:
        ValueError: the dimensions differ, or the domain does not hold the support.
    """
    domain = space.domain
    if initial.dimension != domain.dimension:
        raise ValueError(
            f"initial center must have {domain.dimension} coordinates, as the mesh has, "
            f"got {initial.dimension}"
        )
    local = _shared_integrals(space, initial)
    mass = total(domain.comm, local)
    if not abs(mass - 1.0) < _LARGEST_LOSS:
        raise ValueError(
            f"initial density must lie inside the mesh of radius {domain.recipe.radius:g}, but "
            f"{1.0 - mass:.1e} of its mass does not (outer radius {initial.outer_radius:g}); "
            "enlarge the mesh or shrink the initial radius"
        )
    return space.assemble(local / mass)


def _shared_integrals(space: Space, initial: InitialDensity) -> Array:
    """``∫ p_0 φ_i`` over each owned cell, shape (C, num_basis). Collective.

    The cells that the support meets go round robin to all ranks: often few ranks own them.
    """
    own = CellMap.of(space.domain)
    met = _CellIntegrals(space, initial, own).meets_support
    exchange = Exchange.round_robin(len(met), space.domain.comm)
    nodes = exchange.send(own.nodes[met].reshape(len(met), own.nodes.shape[1] * own.nodes.shape[2]))
    received = CellMap(own.element, nodes.reshape(-1, *own.nodes.shape[1:]))
    integrals = np.zeros((len(own.nodes), space.basis.shape[1]))
    integrals[met] = exchange.send_back(_CellIntegrals(space, initial, received).compute())
    return integrals


@dataclass(frozen=True, eq=False)
class _CellIntegrals:
    """``∫ p_0 φ_i`` over each of some cells by adaptive bisection."""

    space: Space
    initial: InitialDensity
    cell_map: CellMap

    @cached_property
    def _edge(self) -> Sphere:
        return Sphere(self.cell_map, np.asarray(self.initial.center), self.initial.support_radius)

    @property
    def _dimension(self) -> int:
        return self.space.domain.dimension

    @property
    def _rounding(self) -> float:
        """What rounding of the edge's place may change, relative to the integrals."""
        return _ROUNDING * self.initial.outer_radius / self.initial.support_radius

    @property
    def _rules(self) -> tuple[Rule, Rule]:
        """Rules on an axis: of the check, and of the integrals."""
        flat = not self.initial.is_smooth_inside
        count = self.space.gauss * (_FLAT_FACTOR if flat else 1)
        return line_rule(count, flat), line_rule(count + _SURPLUS, flat)

    @property
    def _whole(self) -> Boxes:
        """All cells."""
        count, m = len(self.cell_map.nodes), self._dimension
        return Boxes(np.arange(count), np.zeros((count, m)), np.ones((count, m)))

    @property
    def meets_support(self) -> Indices:
        """Cells in which there is something to integrate."""
        return np.flatnonzero(~self._place(self._whole).outside)

    def compute(self) -> Array:
        """Integrals of the cells, shape (C, num_basis)."""
        element, boxes = self.space.element, self._whole
        m, count = self._dimension, len(boxes)
        moments = np.zeros((count, *[element.degree + 1] * m))
        for level in range(_MAX_LEVEL[m] + 1):
            parts = [self._add(part, level, moments) for part in boxes.chunks(_CHUNK[m])]
            boxes = Boxes.joined([part for part in parts if len(part)] or [boxes[:0]])
        flat = moments.reshape(count, (element.degree + 1) ** m)
        return along_axes([element.legendre] * m, flat)[:, element.place]

    def _add(self, boxes: Boxes, level: int, moments: Array) -> Boxes:
        """Add moments of boxes to those of their cells; return halves of those left out."""
        place = self._place(boxes)
        # Where the sphere is no graph over an axis there is no rule yet; all axes have their turn.
        split = _Split.where(place.cut & ~place.graph, level % self._dimension)
        for orientation, part in place.orientations(~place.outside & split.is_whole):
            values, needed = self._integrate(boxes[part], orientation)
            if level < _MAX_LEVEL[self._dimension]:
                split.axes[part] = needed.axes
            done = part[split.is_whole[part]]
            np.add.at(moments, boxes.cells[done], values[split.is_whole[part]])
        return split.halves(boxes)

    def _integrate(self, boxes: Boxes, orientation: Orientation) -> tuple[Array, "_Split"]:
        """Moments over boxes, and the axes on which they must be split for the accuracy.

        Fewer Gauss points on all axes tell whether a box must be split, fewer on one of them along
        which axis.
        """
        m, size = self._dimension, self.space.degree + 1
        low, high = self._rules

        def moments(part: Boxes, rules: Sequence[Rule]) -> tuple[Array, Array]:
            density = self.initial.at_distance
            return box_moments(self._edge, part, orientation, rules, density, size)

        values, largest = moments(boxes, [high] * m)
        tolerance = (_RELATIVE[m] + self._rounding) * largest + _ABSOLUTE[m]

        def gaps(part: Indices, rules: Sequence[Rule]) -> Array:
            other, _ = moments(boxes[part], rules)
            return np.abs(values[part] - other).reshape(len(part), -1).sum(axis=1)

        split = _Split.where(gaps(np.arange(len(boxes)), [low] * m) > tolerance, 0)
        bad = np.flatnonzero(~split.is_whole)
        if len(bad):
            fewer = [[low if k == axis else high for k in range(m)] for axis in range(m)]
            split.axes[bad] = np.argmax([gaps(bad, rules) for rules in fewer], axis=0)
        return values, split

    def _place(self, boxes: Boxes) -> Classification:
        """Where boxes lie with respect to the support."""
        if not self.initial.is_compact:
            return _uncut(np.zeros(len(boxes), dtype=bool), self._dimension)
        if not self._edge_is_on_facets:
            return self._edge.place(boxes)
        middles = self._edge.cell_map.points(boxes.cells, 0.5 * (boxes.low + boxes.high))
        return _uncut(
            np.linalg.norm(middles, axis=1) > self.initial.support_radius, self._dimension
        )

    @cached_property
    def _edge_is_on_facets(self) -> bool:
        """Whether no cell is cut by the edge of the support."""
        gaps = np.abs(self.space.domain.recipe.spheres / self.initial.support_radius - 1.0)
        on_sphere = bool(np.min(gaps) < 1e-12)
        return self.initial.is_centered and on_sphere and self._dimension > 1


@dataclass(frozen=True, eq=False)
class _Split:
    """Along which axis each of some boxes is halved, if it is."""

    axes: Indices  #: shape (B,), -1 for a box that stays whole

    @classmethod
    def where(cls, halved: Mask, axis: int) -> Self:
        """Some boxes are halved, all along one axis."""
        return cls(np.where(halved, axis, -1))

    @property
    def is_whole(self) -> Mask:
        """Boxes that are not halved, shape (B,)."""
        return self.axes < 0

    def halves(self, boxes: Boxes) -> Boxes:
        """The halves of those that are."""
        halved = ~self.is_whole
        return boxes[halved].halves(self.axes[halved])


def _uncut(outside: Mask, dimension: int) -> Classification:
    """Where boxes lie that are not cut."""
    order = np.broadcast_to(np.arange(dimension), (len(outside), dimension))
    return Classification(outside, np.zeros_like(outside), order, np.ones_like(outside))

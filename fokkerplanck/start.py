"""The load vector ``∫ p_0 φ_i`` of an initial density, to rounding.

The density starts from its exact integrals against the basis functions; interpolation in the space
would cost digits, because a compact `p_0` is not analytic at its edge. Cells are bisected until
Gauss rules with more and with fewer points agree; where the edge cuts a box, the rule fits it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from fokkerplanck.boxrule import NO_AXIS, NOT_CUT, Boxes, Sphere, cut_rule, whole_rule
from fokkerplanck.cellmap import CellMap
from fokkerplanck.initial import Gaussian, InitialDensity
from fokkerplanck.sharing import Route
from fokkerplanck.space import Space
from fokkerplanck.tensor import contract

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: A box is accepted when fewer points change its integrals by less than this part, by dimension, of
#: its volume times the largest density in it, ...
_RELATIVE = {1: 1e-13, 2: 1e-13, 3: 1e-11}

#: ... or by less than this part of the whole mass.
_ABSOLUTE = 1e-20

#: A cell is bisected at most this often.
_MAX_LEVEL = 24

#: Boxes that are integrated at once, by dimension.
_CHUNK = {1: 256, 2: 256, 3: 8}

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
    local = _dealt_integrals(space, initial)
    mass = float(domain.comm.allreduce(float(local.sum())))
    if not abs(mass - 1.0) < _LARGEST_LOSS:
        raise ValueError(
            f"initial density must lie inside the mesh of radius {domain.recipe.radius:g}, but "
            f"{1.0 - mass:.1e} of its mass does not (outer radius {initial.outer_radius:g}); "
            "enlarge the mesh or shrink the initial radius"
        )
    return space.assemble(local / mass)


def _dealt_integrals(space: Space, initial: InitialDensity) -> Array:
    """``∫ p_0 φ_i`` over each owned cell, shape (C, num_basis). Collective.

    The cells that the support meets are dealt to all ranks: often few ranks own them.
    """
    own = CellMap.of(space.domain)
    met = _CellIntegrals(space, initial, own).meets_support
    route = Route.dealing(len(met), space.domain.comm)
    nodes = route.send(own.nodes[met].reshape(len(met), own.nodes.shape[1] * own.nodes.shape[2]))
    dealt = CellMap(own.element, nodes.reshape(-1, *own.nodes.shape[1:]))
    integrals = np.zeros((len(own.nodes), space.basis.shape[1]))
    integrals[met] = route.send_back(_CellIntegrals(space, initial, dealt).compute())
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

    @cached_property
    def _orders(self) -> tuple[tuple[int, ...], ...]:
        """Gauss points per axis: of the integrals, then of their check on each axis in turn."""
        m, low = self.space.domain.dimension, self.space.gauss
        fine = (low + 4,) * m
        return (fine, *((*fine[:axis], low, *fine[axis + 1 :]) for axis in range(m)))

    @property
    def _whole(self) -> Boxes:
        """All cells."""
        count, m = len(self.cell_map.nodes), self.space.domain.dimension
        return Boxes(np.arange(count), np.zeros((count, m)), np.ones((count, m)))

    @property
    def meets_support(self) -> Indices:
        """Cells in which there is something to integrate."""
        inside, axis = self._place(self._whole)
        return np.flatnonzero(inside | (axis != NOT_CUT))

    def compute(self) -> Array:
        """Integrals of the cells, shape (C, num_basis)."""
        m, boxes = self.space.domain.dimension, self._whole
        total = np.zeros((len(boxes), self.space.basis.shape[1]))
        waiting = [(0, part) for part in boxes.chunks(_CHUNK[m])]
        while waiting:
            level, boxes = waiting.pop()
            values, errors = self._evaluate(boxes, level)
            done = np.all(errors <= 1.0, axis=1) | (level == _MAX_LEVEL)
            np.add.at(total, boxes.cells[done], values[done])
            halves = boxes[~done].halves(np.argmax(errors[~done], axis=1))
            waiting += [(level + 1, part) for part in halves.chunks(_CHUNK[m])]
        return total

    def _evaluate(self, boxes: Boxes, level: int) -> tuple[Array, Array]:
        """Integrals over boxes, shape (B, num_basis), and errors on each axis, (B, m).

        The errors are relative to what a box may contribute, and to the tolerance.
        """
        m = self.space.domain.dimension
        values = np.zeros((len(boxes), self.space.basis.shape[1]))
        errors = np.zeros((len(boxes), m))
        inside, axis = self._place(boxes)
        for direction in (None, *range(m)):
            part = np.flatnonzero(inside if direction is None else axis == direction)
            if len(part):
                runs = [self._integrate(boxes[part], direction, n) for n in self._orders]
                (values[part], largest), checks = runs[0], runs[1:]
                gaps = [np.abs(values[part] - other).sum(axis=1) for other, _ in checks]
                errors[part] = (
                    np.stack(gaps, axis=1) / (_RELATIVE[m] * largest + _ABSOLUTE)[:, None]
                )
        # Where the sphere is no graph over an axis, the box must be split.
        errors[axis == NO_AXIS, level % m] = np.inf
        return values, errors

    def _place(self, boxes: Boxes) -> tuple[npt.NDArray[np.bool_], Indices]:
        """Which boxes lie inside the support, and how its edge cuts the others."""
        if isinstance(self.initial, Gaussian):
            return np.ones(len(boxes), dtype=bool), np.full(len(boxes), NOT_CUT)
        if not self._edge_is_on_facets:
            return self._edge.place(boxes)
        inside = self._edge.is_inside(boxes.cells, 0.5 * (boxes.low + boxes.high))
        return inside, np.full(len(boxes), NOT_CUT)

    @cached_property
    def _edge_is_on_facets(self) -> bool:
        """Whether no cell is cut by the edge of the support."""
        gaps = np.abs(self.space.domain.recipe.spheres / self.initial.support_radius - 1.0)
        on_sphere = bool(np.min(gaps) < 1e-12)
        return self.initial.is_centered and on_sphere and self.space.domain.dimension > 1

    def _integrate(
        self, boxes: Boxes, direction: int | None, counts: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """``∫ p_0 φ_i`` by the rule with these numbers of Gauss points.

        Returns:
            Integrals of shape (B, num_basis), and the largest ``p_0`` times volume per box, (B,).
        """
        if direction is None:
            return self._integrate_whole(boxes, counts)
        rule = cut_rule(boxes, direction, self._edge, counts)
        points, jacobians = self.cell_map(boxes.cells[rule.box], rule.points)
        density = self.initial(points) * np.abs(np.linalg.det(jacobians))
        largest = np.zeros(len(boxes))
        np.maximum.at(largest, rule.box, density)
        largest *= np.prod(boxes.high - boxes.low, axis=1)
        entries = (density * rule.weights, (rule.box, np.arange(len(rule.box))))
        sums = csr_array(entries, shape=(len(boxes), len(rule.box)))
        return np.asarray(sums @ self.space.table(rule.points)), largest

    def _integrate_whole(self, boxes: Boxes, counts: tuple[int, ...]) -> tuple[Array, Array]:
        """The same on boxes that the edge does not cut, one axis after the other."""
        element, m = self.space.element, self.space.domain.dimension
        axes, weights = whole_rule(boxes, counts)
        points, jacobians = self.cell_map.on_grids(boxes.cells, axes)
        density = self.initial(points.reshape(-1, m)).reshape(weights.shape)
        density *= np.abs(np.linalg.det(jacobians))
        lines = [element.lines(x.ravel())[0].reshape(*x.shape, -1) for x in axes]
        tensor = (density * weights).reshape(-1, *counts, 1)
        sums = contract([np.swapaxes(line, 1, 2) for line in lines], tensor)
        values = sums.reshape(len(boxes), -1)[:, element.place]
        return values, density.max(axis=1) * np.prod(boxes.high - boxes.low, axis=1)

"""The density p^N at the horizon as it is reported: its smallest value, and its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fokkerplanck.difference.number import Number
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.problem.numerics import STRIDE
from fokkerplanck.runtime.arrays import Array, Indices
from fokkerplanck.runtime.ranks import smallest
from fokkerplanck.solution.companions import LEAST_PART, Companions
from fokkerplanck.solution.field import Field

#: Cells whose nodes come that close to the smallest value, relatively, are searched.
_CLOSE = 0.1

#: Points along an axis that are looked at, and how often their distance is halved.
_LOOKS, _HALVINGS = 5, 20


@dataclass(frozen=True, eq=False)
class ReportedDensity:
    """``p^N`` at the horizon with what its error is estimated from."""

    horizon: float
    density: Field
    companions: Companions
    relative_wall: float  #: largest ``|p^N/π_N|`` at the wall, up to now
    rounding: Field  #: its rounding errors
    risk: Field  #: what the error of ``N(V − V_N)`` makes, in size

    @classmethod
    def of(cls, fine: PairSolution, coarse: PairSolution) -> "ReportedDensity":
        """That of a solution, judged by a coarser one. Collective."""
        time, made_with = fine.horizon, fine.discretisation
        # No flux leaves the ball: what should have left by now is reflected.
        so_far = [fine.nodal_density(t) for t in made_with.output_times]
        wall = max(density.at_wall for density in so_far)
        earlier = fine.nodal_density(time, STRIDE), fine.nodal_density(time, 2 * STRIDE)
        companions = Companions(coarse.nodal_density(time), earlier, wall, rounding=0.0)
        error = made_with.tables.errors[fine.depth] / fine.depth
        return cls(
            time,
            so_far[-1],
            companions,
            max(density.relative_at_wall for density in so_far),
            fine.nodal_rounding(time),
            fine.difference(time).scaled(error),
        )

    def parts(self, cells: Indices, reference: Array) -> Mapping[str, Array]:
        """Parts of the uncertainty at reference points (P, m), each in an owned cell (P,)."""
        values = np.array([field.in_cells(cells, reference) for field in self._fields])
        gibbs = self.density.gibbs_in_cells(cells, reference)
        # differences vanish here and there by accident
        distance, change, before = (
            np.maximum(np.abs(gap), LEAST_PART * gibbs * largest[cells])
            for gap, largest in zip(self.companions.differences(values), self._gaps, strict=True)
        )
        return {
            **self.companions.judged((distance, change, before), values[0], self._reach(gibbs)),
            "risk": np.abs(self.risk.in_cells(cells, reference)),
            "rounding": np.abs(self.rounding.in_cells(cells, reference)),
        }

    def _reach(self, gibbs: Array) -> Array:
        """Part of the density at the wall that is an error where π_N is this large.

        All of it at most; and an error of ``p^N/π_N`` is largest at the wall.
        """
        wall = self.companions.wall
        return np.minimum(1.0, gibbs * self.relative_wall / wall) if wall > 0.0 else 0.0 * gibbs

    def uncertainty_in_all_cells(self, reference: Array) -> Array:
        """The uncertainty (C, n) at the same reference points (n, m) in each owned cell."""
        count, cells = len(reference), self.density.space.domain.num_owned_cells
        every = np.repeat(np.arange(cells), count)
        parts = self.parts(every, np.tile(reference, (cells, 1)))
        return sum(parts.values(), np.zeros(len(every))).reshape(cells, count)

    @property
    def minimum(self) -> Number:
        """Smallest value in the core and the annuli, never clipped. Collective."""
        cell, place = self._lowest_place()
        value = self.density.in_cells(cell, place)
        own = [(float(v), i) for i, v in enumerate(value)]
        parts = self.parts(cell, place)
        found = [(v, {name: float(part[i]) for name, part in parts.items()}) for v, i in own]
        gathered = self.density.space.domain.comm.allgather(found)
        lowest, its_parts = min(
            (each for rank in gathered for each in rank), key=lambda one: one[0]
        )
        return Number(lowest, self.horizon, its_parts)

    def _lowest_place(self) -> tuple[Indices, Array]:
        """Cell (1,) and reference point (1, m) of this rank's smallest value, if it is a candidate.

        Collective.
        """
        space = self.density.space
        nodes, domain = space.element.points, space.domain
        inside = domain.regions[: domain.num_owned_cells] <= domain.annuli.count
        values = np.where(inside[:, None], self.density.in_all_cells(nodes), np.inf)
        lowest = smallest(domain.comm, values)
        cells = np.flatnonzero(values.min(axis=1) <= lowest + _CLOSE * abs(lowest))
        places = nodes[np.argmin(values[cells], axis=1)]
        found, places = self._descended(cells, places)
        best = np.argsort(found)[:1]
        return cells[best], places[best]

    def _descended(self, cells: Indices, places: Array) -> tuple[Array, Array]:
        """Smallest values (K,) near points (K, m) of cells (K,), and their places."""
        m, half = places.shape[1], min(1.0, 1.6 / self.density.space.degree)
        steps = np.linspace(-1.0, 1.0, _LOOKS)
        lattice = np.stack(np.meshgrid(*(steps,) * m, indexing="ij"), axis=-1).reshape(-1, m)
        values = np.empty(len(cells))
        for _ in range(_HALVINGS):
            near = np.clip(places[:, None] + half * lattice, 0.0, 1.0)
            there = self.density.in_cells(np.repeat(cells, len(lattice)), near.reshape(-1, m))
            there = there.reshape(len(cells), len(lattice))
            best = np.argmin(there, axis=1)
            rows = np.arange(len(cells))
            values, places = there[rows, best], near[rows, best]
            half *= 0.5
        return values, places

    @property
    def _fields(self) -> list[Field]:
        return [self.density, *self.companions.fields]

    @cached_property
    def _gaps(self) -> tuple[Array, Array, Array]:
        """Largest differences to the companions in each owned cell, relative to π; (C,) each."""
        nodes = self.density.space.element.points
        values = np.array([field.in_all_cells(nodes) for field in self._fields])
        log_gibbs = (
            self.density.operator.log_gibbs @ self.density.space.gauss_interpolation(nodes).T
        )
        distance, change, before = (
            np.max(np.abs(gap) / np.exp(log_gibbs), axis=1)
            for gap in self.companions.differences(values)
        )
        return distance, change, before

"""Exact sampling of a density that is known on cells."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from fokkerplanck.fem.cells import CellMap
from fokkerplanck.mesh.recipe import Domain
from fokkerplanck.runtime.arrays import Array, Indices

#: Factor by which a bound exceeds the largest value that was seen.
_MARGIN = 1.2

#: Fewest proposals at once.
_BATCH = 64


def draw(
    domain: Domain,
    masses: Array,
    density: Callable[[Indices, Array], Array],
    at_gauss: Array,
    num: int,
    seed: int,
) -> Array:
    """Independent samples of a density, shape (num, m), the same on every rank. Collective.

    The cell of each sample is drawn first, then its place in the cell by rejection. Cells are
    numbered as they were when the mesh was made, and each has its own random stream, so the result
    does not depend on the number of ranks. Where rounding leaves a negative density, it is drawn
    with probability zero.

    Args:
        domain: the meshed ball.
        masses: mass of each owned cell, shape (C,).
        density: values at reference points (P, m) in owned cells (P,).
        at_gauss: values at the Gauss points, shape (C, q), a first guess of the bounds.
        num: number of samples.
        seed: of all random streams.
    """
    if num < 0:
        raise ValueError(f"number of samples must not be negative, got {num}")
    original = domain.mesh.topology.original_cell_index[: domain.num_owned_cells]
    gathered = domain.comm.allgather((original, masses))
    by_cell = np.zeros(sum(len(cells) for cells, _ in gathered))
    for cells, values in gathered:
        by_cell[cells] = np.maximum(values, 0.0)
    cumulative = np.cumsum(by_cell)
    levels = np.random.default_rng(np.random.SeedSequence(seed)).random(num)
    chosen = np.searchsorted(cumulative, levels * cumulative[-1], side="right")
    samples = np.zeros((num, domain.dimension))
    sampler = _CellSampler(CellMap.of(domain), density)
    for cell in np.flatnonzero(np.isin(original, chosen)):
        number = int(original[cell])
        index = np.flatnonzero(chosen == number)
        stream = np.random.SeedSequence(seed, spawn_key=(number,))
        bound = float(at_gauss[cell].max() * sampler.largest_determinant(int(cell)))
        samples[index] = sampler.draw(int(cell), len(index), bound, stream)
    domain.comm.Allreduce(MPI.IN_PLACE, samples, op=MPI.SUM)
    return samples


@dataclass(frozen=True)
class _CellSampler:
    """Rejection from the uniform distribution on the reference cell."""

    cell_map: CellMap
    density: Callable[[Indices, Array], Array]

    def largest_determinant(self, cell: int) -> float:
        """Largest Jacobian determinant over the geometry nodes of a cell."""
        nodes = self.cell_map.reference_nodes
        _, jacobians = self.cell_map(np.full(len(nodes), cell), nodes)
        return float(np.max(np.abs(np.linalg.det(jacobians))))

    def draw(self, cell: int, num: int, largest: float, stream: np.random.SeedSequence) -> Array:
        """Samples in one cell, shape (num, m).

        Where a value exceeds the bound, the bound grows and the cell starts anew.
        """
        bound = _MARGIN * largest
        while True:
            samples, seen = self._attempt(cell, num, bound, np.random.default_rng(stream))
            if seen <= bound:
                return samples
            bound = _MARGIN * seen

    def _attempt(
        self, cell: int, num: int, bound: float, rng: np.random.Generator
    ) -> tuple[Array, float]:
        """Samples by rejection under a bound, and the largest value that was seen."""
        m = self.cell_map.element.dimension
        kept: list[Array] = []
        missing, seen = num, 0.0
        while missing > 0 and seen <= bound:
            proposals = rng.random((max(2 * missing, _BATCH), m + 1))
            cells = np.full(len(proposals), cell)
            points, jacobians = self.cell_map(cells, proposals[:, :m])
            values = self.density(cells, proposals[:, :m]) * np.abs(np.linalg.det(jacobians))
            seen = max(seen, float(values.max()))
            accepted = points[proposals[:, m] * bound < values]
            kept.append(accepted[:missing])
            missing -= len(kept[-1])
        return np.concatenate(kept), seen

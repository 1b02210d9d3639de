"""Chunks of paths dealt to ranks, and their sums in one order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from fokkerplanck.risk.sweep import RiskError
from fokkerplanck.runtime.arrays import Array, Indices
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.simulation.noise import Starts, Wiener
from fokkerplanck.simulation.paths import Ensemble, integrate, integrate_pair
from fokkerplanck.simulation.potentials import Potential, PotentialFactory, TabulatedPotential
from fokkerplanck.simulation.schemes import AdaptiveSteps, FixedSteps, Scheme, StepRule
from fokkerplanck.simulation.statistics import Counters, Sums, added, changes
from fokkerplanck.simulation.store import Store
from fokkerplanck.study import Study, StudyError

#: Output times are the multiples of this part of the horizon.
NUM_TIMES: Final = 32

#: Numbers that a block of paths may hold per potential.
_BLOCK: Final = 2048

#: Paths in a chunk, by tables and by kernels.
_CHUNK: Final = 16_384
_DIRECT_CHUNK: Final = 1_024

#: An adaptive step is at most this over the number of steps, in units of 1/|∇²V|.
_SHARE: Final = 20.0

#: The first paths, of which the error of the time step is measured.
NUM_COMPANIONS: Final = 65_536


@dataclass(frozen=True, eq=False)
class Simulation:
    """The coupled paths of a study."""

    study: Study
    comm: Any  #: communicator of mpi4py
    scheme: Scheme
    num_steps: int  #: of the horizon, a multiple of twice `NUM_TIMES`; the fewest if adaptive
    seed: int
    exceed: tuple[float, ...]
    sigma: Array  #: Σ, shape (m, m)
    tables: bool = True  #: whether drift tables may be used

    @property
    def depths(self) -> tuple[float, ...]:
        """Finite depths."""
        return tuple(depth for depth in self.study.depths if np.isfinite(depth))

    @property
    def adaptive(self) -> bool:
        """Whether steps follow the path; without a cap they must."""
        return self.study.cap.kind == "none"

    @cached_property
    def factory(self) -> PotentialFactory:
        """Makes the potentials."""
        return PotentialFactory(self.study, self.comm, self.tables)

    @cached_property
    def ensemble(self) -> Ensemble:
        """The paths. Collective at first use."""
        potentials = tuple(self.factory.potential(depth) for depth in (np.inf, *self.depths))
        return Ensemble(
            potentials,
            Starts(self.study.initial, self.seed),
            Wiener(self.seed, self.sigma),
            self.scheme,
            self._rule(self.num_steps),
            np.linspace(0.0, self.study.horizon, NUM_TIMES + 1),
        )

    @property
    def by_depth(self) -> dict[float, Potential]:
        """V under infinite depth, and each V_N. Collective at first use."""
        return dict(zip((np.inf, *self.depths), self.ensemble.potentials, strict=True))

    def coarse(self) -> Ensemble:
        """The same paths with half as many steps. Collective at first use."""
        return replace(self.ensemble, rule=self._rule(self.num_steps // 2))

    @cached_property
    def counters(self) -> Counters:
        """What is counted."""
        return Counters(self.depths, self.study.annuli, self.exceed)

    @property
    def chunk(self) -> int:
        """Paths in a chunk."""
        return _CHUNK if self.tabulated else _DIRECT_CHUNK

    @property
    def tabulated(self) -> bool:
        """Whether all potentials have tables. Collective at first use."""
        return all(isinstance(V, TabulatedPotential) for V in self.ensemble.potentials)

    def _rule(self, num_steps: int) -> StepRule:
        size = self.study.horizon / num_steps
        return AdaptiveSteps(size, _SHARE / num_steps) if self.adaptive else FixedSteps(size)

    def run(self, num_paths: int, store: Store, progress: Progress) -> Sums:
        """Follow so many paths; return their sums. Collective."""

        def sums(paths: Indices) -> Sums:
            return self.counters.count(integrate(self.ensemble, paths))

        return self.summed("paths", sums, num_paths, store, progress)

    def companions(self, num_paths: int, store: Store, progress: Progress) -> Sums:
        """Follow the first paths with single and double steps; return sums of the changes."""

        def sums(paths: Indices) -> Sums:
            return changes(*integrate_pair(self.coarse(), paths), self.depths)

        return self.summed("steps", sums, min(num_paths, NUM_COMPANIONS), store, progress)

    def summed(
        self,
        kind: str,
        sums: Callable[[Indices], Sums],
        num_paths: int,
        store: Store,
        progress: Progress,
        chunk: int | None = None,
    ) -> Sums:
        """The sums over paths 0, 1, ..., chunk by chunk. Collective.

        Each chunk is added up by one rank, and the chunks in their order, so the result is the same
        to the last bit on any number of ranks; what the store has is not computed again.

        Args:
            kind: name of the files.
            sums: of the paths with given numbers.
            num_paths: how many paths.
            store: keeps the sums of each chunk.
            progress: hears of it.
            chunk: paths in a chunk, if not as usual.
        """
        chunk = chunk or self.chunk
        sizes = [min(chunk, num_paths - k) for k in range(0, num_paths, chunk)]
        missing = [k for k, size in enumerate(sizes) if not store.has(kind, k, size)]
        self.comm.barrier()  # before the first of them is written
        problem = ""
        try:
            for k in progress.track(missing[self.comm.rank :: self.comm.size], kind):
                store.save(kind, k, self._chunk_sums(sums, k * chunk, sizes[k]))
        except RiskError as error:
            problem = str(error)
        if problems := [text for text in self.comm.allgather(problem) if text]:
            raise StudyError(f"a path leaves the double range: {problems[0]}; take more steps")
        total: Sums | None = None
        for k in range(len(sizes)):
            total = added(total, store.load(kind, k))
        assert total is not None
        return total

    def _chunk_sums(self, sums: Callable[[Indices], Sums], first: int, size: int) -> Sums:
        """The sums of one chunk, block by block."""
        block = max(_BLOCK // self.study.dimension, 16)
        total: Sums | None = None
        for start in range(first, first + size, block):
            total = added(total, sums(np.arange(start, min(start + block, first + size))))
        assert total is not None
        return total

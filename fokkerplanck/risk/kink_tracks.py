"""The functions of one parameter whose zeros are kinks of a potential, numbered.

There is one for each argument, sample and layer, and one for each argument of the penalty.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import Cap, DataMeasure, Penalty
from fokkerplanck.model.evaluation import Program
from fokkerplanck.model.expressions import component
from fokkerplanck.risk.sign_changes import Intervals, classified
from fokkerplanck.risk.singular_arguments import SingularArgument, singular_arguments
from fokkerplanck.risk.trajectories import Trajectories
from fokkerplanck.runtime.arrays import Array, Indices

#: States that are computed at a time.
_CHUNK: Final = 200_000

#: What stands for infinity, so that differences are numbers.
_HUGE: Final = 1e150


class Tracks(Protocol):
    """Numbered functions of one parameter."""

    @property
    def arguments(self) -> tuple[SingularArgument, ...]:
        """The arguments; function k belongs to the one of number ``argument_of(k)``."""
        ...

    @property
    def count(self) -> int:
        """How many functions there are."""
        ...

    def argument_of(self, track: Indices) -> Indices:
        """Numbers of the arguments, shape (K,)."""
        ...

    def sweep(self, grid: Array) -> tuple[Intervals, Intervals]:
        """Intervals of an equidistant grid with one zero, and those with an unknown number."""
        ...

    def __call__(self, track: Indices, points: Array) -> Array:
        """Functions of given numbers, (K,), at points of shape (K, q)."""
        ...


@dataclass(frozen=True)
class NetworkTracks:
    """Arguments ``g(T_Λ θ, x_i(T_Λ θ))`` of a network's layers and samples."""

    trajectories: Trajectories
    data: DataMeasure
    cap: Cap

    @cached_property
    def arguments(self) -> tuple[SingularArgument, ...]:
        """The arguments of the field."""
        return singular_arguments(self.trajectories.network.expressions)

    @cached_property
    def _programs(self) -> list[Program]:
        symbols = self.trajectories.symbols
        return [Program([argument.expression], symbols) for argument in self.arguments]

    def argument_values(self, number: int, theta: Array, x: Array) -> Array:
        """The argument of a number at capped parameters and states (1, ...) that broadcast."""
        return finite(self._programs[number]([theta, *x])[0])

    @property
    def count(self) -> int:
        """Probes times arguments times samples."""
        return len(self.trajectories.probes) * len(self.arguments) * self.data.num_samples

    def argument_of(self, track: Indices) -> Indices:
        """Numbers of the arguments, shape (K,)."""
        return (track // self.data.num_samples) % len(self.arguments)

    def sample_of(self, track: Indices) -> Indices:
        """Numbers of the samples, shape (K,)."""
        return track % self.data.num_samples

    def capped(self, points: Array) -> Array:
        """``T_Λ θ`` for θ of any shape."""
        return self.cap(points.reshape(-1, 1)).reshape(points.shape)

    def losses(self, track: Indices, points: Array) -> Array:
        """``w_s |y_s − x_N|²`` of the functions' samples, (K,), at points (K, q)."""
        sample = self.sample_of(track)
        x = np.repeat(self.data.inputs[sample].T[:, :, None], points.shape[1], axis=2)
        end = self.trajectories.final([self.capped(points)], x)
        weights = np.asarray(self.data.weights)[sample]
        return weights[:, None] * np.sum(
            (end - self.data.targets[sample].T[:, :, None]) ** 2, axis=0
        )

    def sweep(self, grid: Array) -> tuple[Intervals, Intervals]:
        """Look at all functions on a grid."""
        theta = [self.capped(grid)]
        single: list[Intervals] = []
        suspects: list[Intervals] = []
        x = self.data.inputs.T[:, :, None]
        first = 0
        probes = self.trajectories.probes
        for i, states in enumerate(self.trajectories.states(theta, x)):
            if i not in probes:
                continue
            for number in range(len(self.arguments)):
                values = self.argument_values(number, theta[0], states)
                values = np.broadcast_to(values, (self.data.num_samples, len(grid)))
                for found, mask in zip((single, suspects), classified(values), strict=True):
                    found.append(on_grid(grid, values, mask, first))
                first += self.data.num_samples
        return Intervals.joined(single), Intervals.joined(suspects)

    def __call__(self, track: Indices, points: Array) -> Array:
        """Functions of given numbers, (K,), at points of shape (K, q)."""
        size = max(1, _CHUNK // points.shape[1])
        starts = range(0, len(track), size)
        parts = [self._chunk(track[k : k + size], points[k : k + size]) for k in starts]
        return np.concatenate(parts) if parts else np.empty(points.shape)

    def _chunk(self, track: Indices, points: Array) -> Array:
        """The same, with trajectories that end where their argument is wanted."""
        probes = np.array(self.trajectories.probes)
        probe = probes[track // (len(self.arguments) * self.data.num_samples)]
        order = np.argsort(-probe, kind="stable")
        probe, which = probe[order], self.argument_of(track)[order]
        theta = self.capped(points)[order]
        inputs = self.data.inputs[self.sample_of(track[order])].T
        x = np.repeat(inputs[:, :, None], points.shape[1], axis=2)
        result = np.empty(points.shape)
        for i in range(int(probe.max(initial=-1)) + 1):
            active, done = int(np.sum(probe > i)), int(np.sum(probe >= i))
            for j in np.unique(which[active:done]):
                here = active + np.flatnonzero(which[active:done] == j)
                result[order[here]] = self.argument_values(int(j), theta[here], x[:, here])
            theta, x = theta[:active], x[:, :active]
            if active:
                x = self.trajectories.advanced([theta], x)
        return result


@dataclass(frozen=True)
class PenaltyTracks:
    """Arguments of the penalty."""

    penalty: Penalty

    @cached_property
    def arguments(self) -> tuple[SingularArgument, ...]:
        """The arguments of H."""
        return () if self.penalty.is_quadratic else singular_arguments([self.penalty.expression])

    @property
    def count(self) -> int:
        """As many as there are arguments."""
        return len(self.arguments)

    def argument_of(self, track: Indices) -> Indices:
        """Numbers of the arguments, shape (K,)."""
        return track

    def sweep(self, grid: Array) -> tuple[Intervals, Intervals]:
        """Look at all functions on a grid."""
        track = np.arange(self.count)
        values = self(track, np.tile(grid, (self.count, 1)))
        single, unclear = classified(values)
        return on_grid(grid, values, single, 0), on_grid(grid, values, unclear, 0)

    def __call__(self, track: Indices, points: Array) -> Array:
        """Functions of given numbers, (K,), at points of shape (K, q)."""
        result = np.empty(points.shape)
        for j, argument in enumerate(self.arguments):
            here = track == j
            program = Program([argument.expression], [component("theta", 0)])
            result[here] = finite(program([points[here]])[0])
        return result


def finite(values: Array) -> Array:
    """The values, with zero where a formula has none.

    There is no potential there either, and nothing to be found.
    """
    return np.nan_to_num(values, nan=0.0, posinf=_HUGE, neginf=-_HUGE)


def on_grid(grid: Array, values: Array, mask: npt.NDArray[np.bool_], first: int) -> Intervals:
    """The intervals of a grid that a mask names.

    Args:
        grid: points, shape (P,).
        values: of the functions number first, first + 1, ..., shape (n, P).
        mask: shape (n, P − 1).
        first: number of the first function.
    """
    row, column = np.nonzero(mask)
    size = np.abs(values).max(axis=1) if row.size else np.zeros(len(values))
    return Intervals(row + first, grid[column], grid[column + 1], size[row])

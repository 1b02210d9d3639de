"""Coupled paths: the Neural ODE's and those of all depths, driven by one Wiener path."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fokkerplanck.runtime.arrays import Array, Indices, Mask
from fokkerplanck.simulation.noise import Starts, Wiener, merged
from fokkerplanck.simulation.philox import MOST_STEPS
from fokkerplanck.simulation.potentials import Potential
from fokkerplanck.simulation.schemes import Scheme, StepRule

#: A step that would end this little before an output time, in units of itself, ends at it.
_SLACK = 1e-6


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What drives the paths, and by which scheme they are followed."""

    potentials: tuple[Potential, ...]  #: V, then V_N for n − 1 depths
    starts: Starts
    wiener: Wiener
    scheme: Scheme
    rule: StepRule
    times: Array  #: output times, from 0 to the horizon, shape (K + 1,)

    @property
    def dimension(self) -> int:
        """Number m of parameters."""
        return self.starts.initial.dimension


@dataclass(frozen=True, eq=False)
class CoupledPaths:
    """What is kept of P paths."""

    states: Array  #: θ of V and of each V_N at the output times, shape (K + 1, n, m, P)
    values: Array  #: V and V_N there, shape (K + 1, n, P)
    sups: Array  #: ``sup_t |θ − θ^N|`` over the steps, shape (n − 1, P)
    steps: Indices  #: how many steps each has taken, shape (P,)

    @classmethod
    def empty(cls, ensemble: Ensemble, num_paths: int) -> "CoupledPaths":
        """Room for so many paths."""
        shape = len(ensemble.times), len(ensemble.potentials)
        return cls(
            np.empty((*shape, ensemble.dimension, num_paths)),
            np.empty((*shape, num_paths)),
            np.zeros((shape[1] - 1, num_paths)),
            np.zeros(num_paths, np.int64),
        )


def integrate(ensemble: Ensemble, paths: Indices) -> CoupledPaths:
    """Follow the paths with these numbers, shape (P,), to the horizon."""
    kept, clock = CoupledPaths.empty(ensemble, len(paths)), Clock(ensemble.times, len(paths))
    state = np.repeat(ensemble.starts.points(paths)[None], len(ensemble.potentials), axis=0)
    for step in range(MOST_STEPS):
        value, slope = evaluated(ensemble.potentials, state)
        clock.store(kept.states, state)
        clock.store(kept.values, value)
        if (going := clock.passed()) is not None:
            state, slope = (np.compress(going, kind, -1) for kind in (state, slope))
        if not clock.active.size:
            break
        h = clock.limited(ensemble.rule(ensemble.potentials, state, slope))
        dW, dZ = ensemble.wiener.increments(paths[clock.active], step, h)
        for n, potential in enumerate(ensemble.potentials):
            state[n] = ensemble.scheme.step(potential, state[n], slope[n], h, dW, dZ)
        gap = distances(state)
        kept.sups[:, clock.active] = np.maximum(kept.sups[:, clock.active], gap)
        kept.steps[clock.active] += 1
    return kept


def integrate_pair(ensemble: Ensemble, paths: Indices) -> tuple[CoupledPaths, CoupledPaths]:
    """Follow paths with steps that the rule gives, and the same ones with two steps for each.

    The coarse states decide on the steps, and their increments are those of two fine steps.

    Returns:
        The fine and the coarse trajectories; the fine ones have no suprema.
    """
    fine, coarse = (CoupledPaths.empty(ensemble, len(paths)) for _ in range(2))
    clock = Clock(ensemble.times, len(paths))
    state = np.repeat(ensemble.starts.points(paths)[None], len(ensemble.potentials), axis=0)
    other = state.copy()
    for step in range(0, MOST_STEPS, 2):
        (value, slope), (seen, steep) = (evaluated(ensemble.potentials, s) for s in (state, other))
        for kept, at, values in ((fine, state, value), (coarse, other, seen)):
            clock.store(kept.states, at)
            clock.store(kept.values, values)
        if (going := clock.passed()) is not None:
            state, other, slope, steep = (
                np.compress(going, kind, -1) for kind in (state, other, slope, steep)
            )
        if not clock.active.size:
            break
        h = clock.limited(ensemble.rule(ensemble.potentials, other, steep))
        halves = [
            ensemble.wiener.increments(paths[clock.active], k, 0.5 * h) for k in (step, step + 1)
        ]
        whole = merged(halves[0], halves[1], 0.5 * h)
        for n, potential in enumerate(ensemble.potentials):
            other[n] = ensemble.scheme.step(potential, other[n], steep[n], h, *whole)
            state[n] = ensemble.scheme.step(potential, state[n], slope[n], 0.5 * h, *halves[0])
            middle = potential(state[n])[1]
            state[n] = ensemble.scheme.step(potential, state[n], middle, 0.5 * h, *halves[1])
        coarse.steps[clock.active] += 1
    return fine, coarse


def evaluated(potentials: Sequence[Potential], state: Array) -> tuple[Array, Array]:
    """Values (n, P) and gradients (n, m, P) of n potentials, each at its own states (n, m, P)."""
    pairs = [potential(state[n]) for n, potential in enumerate(potentials)]
    return np.stack([value for value, _ in pairs]), np.stack([slope for _, slope in pairs])


def distances(state: Array) -> Array:
    """``|θ − θ^N|``, shape (n − 1, P), from states of shape (n, m, P)."""
    gap = state[:1] - state[1:]
    return np.sqrt(np.einsum("nip,nip->np", gap, gap))


class Clock:
    """The time of each path, and which output time it comes to next."""

    def __init__(self, times: Array, num_paths: int) -> None:
        self.times = times
        self.active = np.arange(num_paths)  #: paths that have not reached the horizon
        self._now = np.zeros(num_paths)
        self._due = np.zeros(num_paths, np.int64)

    def store(self, kept: Array, values: Array) -> None:
        """Keep the last axis of ``values`` for the paths whose output time has come."""
        come = self._come
        for due in np.unique(self._due[come]):
            here = np.flatnonzero(come & (self._due == due))
            kept[due][..., self.active[here]] = values[..., here]

    def passed(self) -> Mask | None:
        """Go past output times; return which paths go on, if some do not."""
        self._due += self._come
        going = self._due < len(self.times)
        if going.all():
            return None
        self.active, self._now, self._due = self.active[going], self._now[going], self._due[going]
        return going

    def limited(self, h: Array) -> Array:
        """Steps that end at the next output time if they would end near it or beyond; go there."""
        target = self.times[self._due]
        left = target - self._now
        lands = left <= (1.0 + _SLACK) * h
        h = np.where(lands, left, h)
        self._now = np.where(lands, target, self._now + h)
        return h

    @property
    def _come(self) -> Mask:
        return self._now >= self.times[self._due]

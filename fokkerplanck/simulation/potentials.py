"""The potentials V and V_N with their gradients, as paths ask for them: again and again."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from fokkerplanck.model import Cap, Penalty
from fokkerplanck.risk import DepthLimit, NeuralODERisk, ResNetRisk
from fokkerplanck.risk.series import RiskSeries
from fokkerplanck.risk.sweep import RiskError
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.simulation.drift_table import DriftTable
from fokkerplanck.study import Study

#: Relative tolerance of the Neural ODE's integrator.
TOLERANCE: Final = 1e-13

#: Layers up to which networks are run as they are; deeper ones are expanded in 1/N.
MOST_LAYERS: Final = 1024

#: Without a cap, tables reach so many standard deviations of the noise beyond p_0.
_DEVIATIONS: Final = 2.0

Potential = Callable[[Array], tuple[Array, Array]]


class Term(Protocol):
    """A data term at capped points (P, m)."""

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Values (P,) and gradients (P, m)."""
        ...

    def value(self, theta: Array) -> Array:
        """Values (P,)."""
        ...


@dataclass(frozen=True, eq=False)
class DeepTerm:
    """Data term ``L − E_N/N`` of a network with many layers, ``E_N = N (L − L_N)`` expanded."""

    series: RiskSeries
    depth: float

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Values (P,) and gradients (P, m)."""
        table = self.series.tabulate(theta, (self.depth,))
        difference, slope = table.difference[self.depth], table.difference_gradient[self.depth]
        return table.value - difference / self.depth, table.gradient - slope / self.depth

    def value(self, theta: Array) -> Array:
        """Values (P,)."""
        return self(theta)[0]


@dataclass(frozen=True, eq=False)
class DirectPotential:
    """``V = L∘T_Λ + γH`` by the network's own kernels; called, it takes points (m, P)."""

    term: Term
    cap: Cap
    penalty: Penalty | None  #: none for the difference of two potentials

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Values (P,) and gradients (m, P)."""
        points = np.ascontiguousarray(theta.T)
        value, slope = self.term(self.cap(points))
        gradient = np.ascontiguousarray(self.cap.pull_back(points, slope).T)
        add_penalty(self.penalty, theta, value, gradient)
        return value, gradient

    def value(self, points: Array) -> Array:
        """Values (P,) at points (P, m)."""
        values = self.term.value(self.cap(points))
        return (
            values if self.penalty is None else values + self.penalty.gamma * self.penalty(points)
        )


@dataclass(frozen=True, eq=False)
class TabulatedPotential:
    """The same by a table; where that ends, by the kernels."""

    table: DriftTable
    direct: DirectPotential

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Values (P,) and gradients (m, P)."""
        value, gradient = np.empty(theta.shape[1]), np.empty(theta.shape)
        beyond = self.table.evaluate(theta, value, gradient)
        add_penalty(self.direct.penalty, theta, value, gradient)
        if beyond:
            far = np.flatnonzero(np.isnan(value))
            value[far], gradient[:, far] = self.direct(theta[:, far])
        return value, gradient


def add_penalty(penalty: Penalty | None, theta: Array, value: Array, gradient: Array) -> None:
    """Add ``γH`` and its gradient at points (m, P) in place."""
    if penalty is None:
        return
    if penalty.is_quadratic:
        value += penalty.gamma * np.einsum("ip,ip->p", theta, theta)
        gradient += (2.0 * penalty.gamma) * theta
    else:
        value += penalty.gamma * penalty(theta.T)
        gradient += penalty.gamma * penalty.gradient(theta.T).T


@dataclass(frozen=True, eq=False)
class PotentialFactory:
    """Makes the potentials of a study, with tables where there are at most two parameters."""

    study: Study
    comm: Any  #: communicator of mpi4py
    tables: bool = True  #: whether tables may be made

    def direct(self, depth: float) -> DirectPotential:
        """V_N by kernels; V for infinite depth."""
        return DirectPotential(self._term(depth), self.study.cap, self.study.penalty)

    def potential(self, depth: float) -> Potential:
        """V_N, or V for infinite depth, the fastest way. Collective."""
        return self._tabulated(self.direct(depth))

    def limit(self) -> Potential:
        """``ℓ∘T_Λ``, the limit of N (V − V_N), the fastest way. Collective."""
        term = DepthLimit(self.study.network, self.study.data, TOLERANCE)
        return self._tabulated(DirectPotential(term, self.study.cap, None))

    @cached_property
    def reach(self) -> float:
        """Radius of the ball of capped parameters that tables cover."""
        cap = self.study.cap
        if cap.kind == "none":
            spread = self.study.settings.noise.scale * math.sqrt(self.study.horizon)
            return self.study.initial.outer_radius + _DEVIATIONS * spread
        return cap.radius * (1.5 if cap.kind == "smooth" else 1.0)

    def _term(self, depth: float) -> Term:
        network, data = self.study.network, self.study.data
        if math.isinf(depth):
            return NeuralODERisk(network, data, TOLERANCE)
        if depth <= MOST_LAYERS or not network.is_smooth:
            return ResNetRisk(network, data, int(depth))
        return DeepTerm(RiskSeries(network, data, TOLERANCE), depth)

    def _tabulated(self, direct: DirectPotential) -> Potential:
        """The potential by a table if one can be made."""
        m = self.study.dimension
        if not self.tables or m > 2 or not self.study.network.is_smooth:
            return direct
        try:
            table = DriftTable.build(direct.term.value, self.study.cap, m, self.reach, self.comm)
        except RiskError:
            return direct
        return direct if table is None else TabulatedPotential(table, direct)

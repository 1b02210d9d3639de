"""The potentials V = L∘T_Λ + γH of the Fokker–Planck equations, at points and mesh-free."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.risk.distribution import distinct, tabulate_shared
from fokkerplanck.risk.series import RiskSeries, RiskTable
from fokkerplanck.runtime.arrays import Array


@dataclass(frozen=True, eq=False)
class NetworkPotential:
    """Potential ``V(θ) = E_μ |y - x(1; x, T_Λ θ)|² + γ H(θ)`` of the Neural ODE and its networks.

    Raises:
        ValueError: Network, data and penalty do not fit together.
    """

    network: Network
    data: DataMeasure
    cap: Cap
    penalty: Penalty
    tolerance: float = 1e-13  #: relative tolerance of the data term

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if self.penalty.dimension != self.dimension:
            raise ValueError(
                f"penalty must have the network's {self.dimension} parameter(s), "
                f"got {self.penalty.dimension}"
            )
        assert self._series is not None

    @property
    def dimension(self) -> int:
        """Number m of parameters."""
        return self.network.num_parameters

    @cached_property
    def _series(self) -> RiskSeries:
        return RiskSeries(self.network, self.data, self.tolerance)

    def __call__(self, points: npt.ArrayLike) -> Array:
        """Return V, shape ``(P,)``, at ``points`` of shape ``(P, m)``."""
        return self.tabulate(points, ()).value

    def gradient(self, points: npt.ArrayLike) -> Array:
        """Return ∇V, shape ``(P, m)``, at ``points`` of shape ``(P, m)``."""
        return self.tabulate(points, ()).gradient

    def tabulate(
        self, points: npt.ArrayLike, depths: Sequence[float], comm: Any = None
    ) -> RiskTable:
        """Return V, ∇V and the scaled differences ``N (V - V_N)`` with gradients.

        Collective if ``comm`` is given; the points of all ranks are then shared out evenly.

        Args:
            points: Parameters before the cap, shape ``(P, m)``; a rank may have none.
            depths: Numbers of layers; ``math.inf`` asks for ``lim N (V - V_N)``.
            comm: MPI communicator of mpi4py.

        Raises:
            RiskError: A state leaves the double range.
        """
        theta = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, self.dimension)
        capped = self.cap(theta)
        first, inverse = distinct(capped)
        table = self._risk(capped[first], depths, comm)

        def pulled(gradient: Array) -> Array:
            return self.cap.pull_back(theta, gradient[inverse])

        gamma = self.penalty.gamma
        return RiskTable(
            table.value[inverse] + gamma * self.penalty(theta),
            pulled(table.gradient) + gamma * self.penalty.gradient(theta),
            {n: values[inverse] for n, values in table.difference.items()},
            {n: pulled(values) for n, values in table.difference_gradient.items()},
            table.error,
            table.method,
        )

    def _risk(self, theta: Array, depths: Sequence[float], comm: Any) -> RiskTable:
        """Return the table of the data term at distinct points."""
        if comm is None or comm.size == 1:
            return self._series.tabulate(theta, depths)
        return tabulate_shared(self._series, theta, depths, comm)

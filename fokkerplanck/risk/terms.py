"""The data terms of the risks: values and θ-gradients at many parameter points."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk.sweep import GradientRoute, Sweep
from fokkerplanck.runtime.arrays import Array

SMALLEST_TOLERANCE: Final = 1e-14


class DataTerm(ABC):
    """A functional of the states, averaged over the data, with its θ-gradient."""

    def __call__(self, theta: npt.ArrayLike) -> tuple[Array, Array]:
        """Return values and gradients.

        Args:
            theta: Parameters, shape ``(P, m)``.

        Returns:
            Values, shape ``(P,)``, and gradients, shape ``(P, m)``.

        Raises:
            RiskError: A state leaves the double range.
        """
        return self._sweep.gradient(theta)

    def value(self, theta: npt.ArrayLike) -> Array:
        """Return the values alone, shape ``(P,)``, at ``theta`` of shape ``(P, m)``."""
        return self._sweep.value(theta)

    @property
    @abstractmethod
    def _sweep(self) -> Sweep:
        """What runs over the points."""


@dataclass(frozen=True, eq=False)
class ResNetRisk(DataTerm):
    """Data term ``L_N(θ) = E_μ |y - x_N(x, θ)|²`` of the network with N layers."""

    network: Network
    data: DataMeasure
    depth: int  #: number N of layers
    route: GradientRoute | None = None  #: gradient route; by default the faster
    threads: int = 1  #: threads that share the points

    def __post_init__(self) -> None:
        """Check the depth and that network and data fit."""
        check_depth(self.depth)
        assert self._sweep is not None

    @cached_property
    def _sweep(self) -> Sweep:
        return Sweep(self.network, self.data, "resnet", self.depth, self.route, self.threads)


@dataclass(frozen=True, eq=False)
class FlowTerm(DataTerm):
    """A data term of the Neural ODE.

    The reverse route integrates the adjoint equation together with the states back from t = 1, so
    that its memory does not grow with the number of steps.
    """

    kind: ClassVar[Literal["ode", "limit"]]

    network: Network
    data: DataMeasure
    tolerance: float = 1e-13  #: relative error of the integrator
    route: GradientRoute | None = None  #: gradient route; by default the faster
    threads: int = 1  #: threads that share the points

    def __post_init__(self) -> None:
        """Check the tolerance and that network and data fit."""
        check_tolerance(self.tolerance)
        assert self._sweep is not None

    @cached_property
    def _sweep(self) -> Sweep:
        return Sweep(self.network, self.data, self.kind, self.tolerance, self.route, self.threads)


class NeuralODERisk(FlowTerm):
    """Data term ``L(θ) = E_μ |y - x(1; x, θ)|²`` of the Neural ODE."""

    kind = "ode"


class DepthLimit(FlowTerm):
    """Sharp limit ``ℓ(θ) = lim N (L - L_N) = 2 E_μ⟨y - x(1), ξ(1)⟩``.

    The first-order correction ξ of the states solves ``ξ' = f'(x) ξ - ½ f'(x) f(x)``, ``ξ(0) = 0``.
    """

    kind = "limit"


def check_depth(depth: float) -> None:
    """Raise unless ``depth`` is a whole number of layers."""
    if isinstance(depth, bool) or not np.isfinite(depth) or depth != int(depth) or depth < 1:
        raise ValueError(f"depth must be a whole number of layers, at least 1, got {depth}")


def check_tolerance(tolerance: float) -> None:
    """Raise unless the integrator can reach ``tolerance``."""
    if not SMALLEST_TOLERANCE <= tolerance <= 1e-2:
        raise ValueError(f"tolerance must be between 1e-14 and 1e-2, got {tolerance}")

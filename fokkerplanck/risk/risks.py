"""The data terms of the risks: values and θ-gradients at many parameter points."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk.library import kernel
from fokkerplanck.risk.samples import Samples, blocked

Array = npt.NDArray[np.float64]

SMALLEST_TOLERANCE = 1e-14


class RiskError(ArithmeticError):
    """A trajectory leaves the double range."""


@dataclass(frozen=True, eq=False)
class ResNetRisk:
    """Data term ``L_N(θ) = E_μ |y - x_N(x, θ)|²`` of the network with N layers."""

    network: Network
    data: DataMeasure
    depth: int  #: number N of layers

    def __post_init__(self) -> None:
        """Check the depth and that network and data fit."""
        check_dimensions(self.network, self.data)
        check_depth(self.depth)

    @cached_property
    def _samples(self) -> Samples:
        return blocked(self.data)

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Return ``L_N`` and ``∇L_N``.

        Args:
            theta: Parameters, shape ``(P, m)``.

        Returns:
            Values, shape ``(P,)``, and gradients, shape ``(P, m)``.

        Raises:
            RiskError: A state leaves the double range.
        """
        theta = as_points(theta, self.network)
        value, gradient = np.empty(len(theta)), np.empty(theta.shape)
        run = kernel(self.network, "resnet_forward", self._samples.block)
        rows = self.network.dimension * (1 + self.network.num_parameters)
        run(rows, theta, *self._samples.arrays, int(self.depth), value, gradient)
        check_finite(theta, value, gradient)
        return value, gradient

    def value(self, theta: Array) -> Array:
        """Return ``L_N`` alone, shape ``(P,)``, at ``theta`` of shape ``(P, m)``."""
        theta = as_points(theta, self.network)
        value, gradient = np.empty(len(theta)), np.empty((len(theta), 0))
        run = kernel(self.network, "resnet_value", self._samples.block)
        run(
            self.network.dimension,
            theta,
            *self._samples.arrays,
            int(self.depth),
            value,
            gradient,
        )
        check_finite(theta, value, gradient)
        return value


@dataclass(frozen=True, eq=False)
class NeuralODERisk:
    """Data term ``L(θ) = E_μ |y - x(1; x, θ)|²`` of the Neural ODE."""

    network: Network
    data: DataMeasure
    tolerance: float = 1e-13  #: bound for the local relative error of the integrator

    def __post_init__(self) -> None:
        """Check the tolerance and that network and data fit."""
        check_dimensions(self.network, self.data)
        check_tolerance(self.tolerance)

    @cached_property
    def _samples(self) -> Samples:
        return blocked(self.data)

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Return ``L`` and ``∇L``; shapes and errors as :meth:`ResNetRisk.__call__`."""
        theta = as_points(theta, self.network)
        value, gradient, reached = np.empty(len(theta)), np.empty(theta.shape), np.empty(len(theta))
        run = kernel(self.network, "ode_forward", self._samples.block)
        rows = self.network.dimension * (1 + self.network.num_parameters)
        run(rows, theta, *self._samples.arrays, self.tolerance, value, gradient, reached)
        check_reached(theta, reached)
        check_finite(theta, value, gradient)
        return value, gradient


@dataclass(frozen=True, eq=False)
class DepthLimit:
    """Sharp limit ``ℓ(θ) = lim N (L - L_N) = 2 E_μ⟨y - x(1), ξ(1)⟩``.

    The first-order correction ξ of the states solves ``ξ' = f'(x) ξ - ½ f'(x) f(x)``, ``ξ(0) = 0``.
    """

    network: Network
    data: DataMeasure
    tolerance: float = 1e-13  #: bound for the local relative error of the integrator

    def __post_init__(self) -> None:
        """Check the tolerance and that network and data fit."""
        check_dimensions(self.network, self.data)
        check_tolerance(self.tolerance)

    @cached_property
    def _samples(self) -> Samples:
        return blocked(self.data)

    def __call__(self, theta: Array) -> tuple[Array, Array]:
        """Return ``ℓ`` and ``∇ℓ``; shapes and errors as :meth:`ResNetRisk.__call__`."""
        theta = as_points(theta, self.network)
        value, gradient, reached = np.empty(len(theta)), np.empty(theta.shape), np.empty(len(theta))
        run = kernel(self.network, "limit_forward", self._samples.block)
        rows = 2 * self.network.dimension * (1 + self.network.num_parameters)
        run(rows, theta, *self._samples.arrays, self.tolerance, value, gradient, reached)
        check_reached(theta, reached)
        check_finite(theta, value, gradient)
        return value, gradient


def as_points(theta: npt.ArrayLike, network: Network) -> Array:
    """Return parameters as a contiguous array of shape ``(P, m)``."""
    points = np.ascontiguousarray(theta, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != network.num_parameters:
        raise ValueError(
            f"parameters must have shape (points, {network.num_parameters}), got {points.shape}"
        )
    return points


def check_dimensions(network: Network, data: DataMeasure) -> None:
    """Raise unless the states of the network are those of the data."""
    if network.dimension != data.dimension:
        raise ValueError(
            f"data must have the network's dimension {network.dimension}, got {data.dimension}"
        )


def check_depth(depth: float) -> None:
    """Raise unless ``depth`` is a whole number of layers."""
    if isinstance(depth, bool) or depth != int(depth) or depth < 1:
        raise ValueError(f"depth must be a whole number of layers, at least 1, got {depth}")


def check_tolerance(tolerance: float) -> None:
    """Raise unless the integrator can reach ``tolerance``."""
    if not SMALLEST_TOLERANCE <= tolerance <= 1e-2:
        raise ValueError(f"tolerance must be between 1e-14 and 1e-2, got {tolerance}")


def check_finite(theta: Array, value: Array, gradient: Array) -> None:
    """Raise where a value or a gradient is not finite."""
    finite = np.ones(len(theta), dtype=bool)
    for array in (value, gradient):
        finite &= np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if not finite.all():
        worst = theta[np.argmin(finite)].tolist()
        raise RiskError(f"the network leaves the double range at theta = {worst}; cap theta")


def check_reached(theta: Array, reached: Array) -> None:
    """Raise where a trajectory of the Neural ODE ends before t = 1."""
    if (reached < 1).any():
        worst = int(np.argmin(reached))
        raise RiskError(
            f"the Neural ODE blows up at t = {reached[worst]:.6g} for theta = "
            f"{theta[worst].tolist()}; cap theta"
        )

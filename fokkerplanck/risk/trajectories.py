"""States of a network, or of the Neural ODE, layer by layer, with a θ for each trajectory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import sympy

from fokkerplanck.model import Network
from fokkerplanck.model.evaluation import Program
from fokkerplanck.model.expressions import component
from fokkerplanck.runtime.arrays import Array

#: Steps of the method of Runge and Kutta for the Neural ODE; across kinks its error is their square
#: inverse, and as much is the error of a kink's place, whose square is what counts.
ODE_STEPS: Final = 256


@dataclass(frozen=True)
class Trajectories:
    """The motion ``x_{i+1} = x_i + f(x_i)/N``; for infinite depth fine steps of ``x' = f(x)``."""

    network: Network
    depth: float  #: number N of layers, or infinity
    ode_steps: int = ODE_STEPS  #: steps of the integrator

    @property
    def num_steps(self) -> int:
        """Layers, or steps of the integrator."""
        return self.ode_steps if math.isinf(self.depth) else int(self.depth)

    @property
    def probes(self) -> tuple[int, ...]:
        """Steps before which zeros of an argument make kinks in θ of the final state.

        A trajectory of the Neural ODE that crosses a kink at an inner time is smooth in θ, up to
        the order of the kink.
        """
        return (0, self.num_steps) if math.isinf(self.depth) else tuple(range(self.num_steps))

    @cached_property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """Those of θ, then those of x."""
        m, d = self.network.num_parameters, self.network.dimension
        return tuple(component(name, i) for name, n in (("theta", m), ("x", d)) for i in range(n))

    @cached_property
    def _field(self) -> Program:
        return Program(self.network.expressions, self.symbols)

    def slope(self, theta: Sequence[Array], x: Array) -> Array:
        """``f_θ(x)``, shape (d, ...).

        Args:
            theta: m arrays.
            x: states, shape (d, ...), with which θ broadcasts.
        """
        parts = self._field([*theta, *x])
        result = np.empty((len(x), *np.broadcast_shapes(theta[0].shape, x.shape[1:])))
        for a, part in enumerate(parts):
            result[a] = part
        return result

    def advanced(self, theta: Sequence[Array], x: Array) -> Array:
        """The states one step later."""
        h = 1.0 / self.num_steps
        k1 = self.slope(theta, x)
        if math.isfinite(self.depth):
            return x + h * k1
        k2 = self.slope(theta, x + h / 2 * k1)
        k3 = self.slope(theta, x + h / 2 * k2)
        k4 = self.slope(theta, x + h * k3)
        return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def states(self, theta: Sequence[Array], x: Array) -> Iterator[Array]:
        """The states before each step, and the last one: ``num_steps + 1`` of them."""
        yield x
        for _ in range(self.num_steps):
            x = self.advanced(theta, x)
            yield x

    def final(self, theta: Sequence[Array], x: Array) -> Array:
        """The states behind the last layer."""
        for _ in range(self.num_steps):
            x = self.advanced(theta, x)
        return x

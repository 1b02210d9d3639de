"""One pass of a compiled kernel over parameter points, by the faster gradient route."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.risk.codegen.library import kernel
from fokkerplanck.risk.sample_blocks import Samples, blocked
from fokkerplanck.runtime.arrays import Array

GradientRoute = Literal["forward", "reverse"]

ROUTES: Final = ("forward", "reverse")
MOST_SENSITIVITIES: Final = 12  #: rows of dx/dθ up to which the forward route is the faster


_WAY_OUT = "choose a smaller cap.radius, or another field, which is finite for all capped theta"


class RiskError(ArithmeticError):
    """A trajectory leaves the double range."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """A functional of the states, summed over the data, for many parameters."""

    network: Network
    data: DataMeasure
    kind: Literal["resnet", "ode", "limit"]
    control: float  #: number of layers, or tolerance of the integrator
    route: GradientRoute | None = None  #: gradient route; by default the faster
    threads: int = 1  #: threads that share the points

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        check_dimensions(self.network, self.data)
        if self.route not in (None, *ROUTES):
            raise ValueError(f"gradient route must be forward or reverse, got {self.route!r}")
        check_threads(self.threads)

    @cached_property
    def samples(self) -> Samples:
        """The data in blocks."""
        return blocked(self.data)

    def gradient(self, theta: npt.ArrayLike) -> tuple[Array, Array]:
        """Return values, shape ``(P,)``, and gradients, shape ``(P, m)``."""
        m = self.network.num_parameters
        route = self.route or fastest_route(self.network)
        rows = self._rows * (1 + m) if route == "forward" else self._rows
        return self._run(f"{self.kind}_{route}", rows, theta, m)

    def value(self, theta: npt.ArrayLike) -> Array:
        """Return values alone, shape ``(P,)``."""
        return self._run(f"{self.kind}_value", self._rows, theta, 0)[0]

    @property
    def _rows(self) -> int:
        """States without sensitivities: x, and ξ for the limit."""
        return self.network.dimension * (2 if self.kind == "limit" else 1)

    def _run(self, name: str, rows: int, theta: npt.ArrayLike, columns: int) -> tuple[Array, Array]:
        """Run a kernel and check what it returns."""
        points = as_points(theta, self.network)
        run = kernel(self.network, name, self.samples.block)
        given = rows, points, self.samples, self.control
        value, gradient, _ = run_shared(run, *given, (1, columns, 0), self.threads)
        return value[:, 0], gradient[:, 0]


def fastest_route(network: Network) -> GradientRoute:
    """Return the gradient route that is the faster for the sizes of a network."""
    sensitivities = network.dimension * network.num_parameters
    return "forward" if sensitivities <= MOST_SENSITIVITIES else "reverse"


def run_shared(
    run: Callable[..., None],
    rows: int,
    theta: Array,
    samples: Samples,
    control: float,
    sizes: tuple[int, int, int],
    threads: int,
) -> tuple[Array, Array, Array]:
    """Run a kernel with its points shared out over threads, and check what it returns.

    Args:
        run: Kernel of :mod:`fokkerplanck.risk.kernels`.
        rows: Rows of a block's state.
        theta: Parameters, shape ``(P, m)``.
        samples: The data in blocks.
        control: Number of layers, or tolerance of the integrator.
        sizes: Number F of functionals, columns C of their gradients, final states E per block.
        threads: Threads that share the points.

    Returns:
        Values, shape ``(P, F)``, gradients, shape ``(P, F, C)``, and final states of the B blocks,
        shape ``(P, B, E)``.

    Raises:
        RiskError: A trajectory ends before t = 1, or a result is not finite.
    """
    functionals, columns, kept = sizes
    value, reached = np.empty((len(theta), functionals)), np.empty(len(theta))
    gradient = np.empty((*value.shape, columns))
    end = np.empty((len(theta), len(samples.weights), kept))

    def part(k: slice) -> None:
        results = value[k], gradient[k], end[k], reached[k]
        run(rows, theta[k], *samples.arrays, float(control), *results)

    in_threads(part, len(theta), threads)
    check_reached(theta, reached)
    check_finite(theta, value, gradient)
    return value, gradient, end


def in_threads(part: Callable[[slice], None], count: int, threads: int) -> None:
    """Run ``part`` on slices of ``range(count)``, one for each thread."""
    ends = np.linspace(0, count, threads + 1).astype(int).tolist()
    slices = [slice(a, b) for a, b in pairwise(ends)]
    if threads == 1:
        part(slices[0])
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, slices))


def as_points(theta: npt.ArrayLike, network: Network) -> Array:
    """Return parameters as a contiguous array of shape ``(P, m)``."""
    points = np.ascontiguousarray(theta, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != network.num_parameters:
        raise ValueError(
            f"parameters must have shape (points, {network.num_parameters}), got {points.shape}"
        )
    return points


def check_threads(threads: int) -> None:
    """Raise unless there is a thread to run on."""
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")


def _text(theta: Array) -> str:
    return str([float(f"{x:.6g}") for x in theta])


def check_dimensions(network: Network, data: DataMeasure) -> None:
    """Raise unless the states of the network are those of the data."""
    if network.dimension != data.dimension:
        raise ValueError(
            f"data must have the network's dimension {network.dimension}, got {data.dimension}"
        )


def check_finite(theta: Array, *results: Array) -> None:
    """Raise where a result is not finite; the first axis is that of the points."""
    finite = np.ones(len(theta), dtype=bool)
    for array in results:
        finite &= np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if not finite.all():
        raise RiskError(
            f"field must be finite, but the network leaves the double range at theta = "
            f"{_text(theta[np.argmin(finite)])}; {_WAY_OUT}"
        )


def check_reached(theta: Array, reached: Array) -> None:
    """Raise where a trajectory of the Neural ODE ends before t = 1."""
    if (reached < 1).any():
        worst = int(np.argmin(reached))
        raise RiskError(
            f"field must not grow so fast: the Neural ODE blows up at t = {reached[worst]:.6g} for "
            f"theta = {_text(theta[worst])}; {_WAY_OUT}"
        )

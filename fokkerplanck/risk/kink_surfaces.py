"""Kinks of potentials of several parameters: the cells that they cross, and their simple shapes.

A kink is the surface ``g(T_Λ θ, x_i(T_Λ θ)) = 0`` of an argument g, a sample and a layer i. In the
first layer x is the input, so that an argument that is affine in θ has a flat kink, a line in the
plane, and one with the squares of ``|θ|²`` a sphere.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import sympy
from scipy.optimize import brentq

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.model.evaluation import Program
from fokkerplanck.model.expressions import component
from fokkerplanck.risk.singular_arguments import singular_arguments
from fokkerplanck.risk.trajectories import Trajectories
from fokkerplanck.runtime.arrays import Array

#: Steps for the Neural ODE: cells are larger than what these leave.
_ODE_STEPS: Final = 16

#: States that are followed at a time.
_CHUNK: Final = 500_000

#: Between the points of a cell an argument may go beyond its values by this part of their range.
_MARGIN: Final = 0.1

#: Coefficients below this part of the largest one are zero but for rounding.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class KinkPlane:
    """The kink ``normal·θ = offset``; the normal is a unit vector."""

    normal: tuple[float, ...]
    offset: float
    reach: float  #: radius of the ball around the origin in which the kink is flat

    @property
    def distance(self) -> float:
        """Of the origin."""
        return abs(self.offset)


@dataclass(frozen=True)
class KinkSphere:
    """The kink ``|θ − center| = radius``, for two parameters a circle."""

    center: tuple[float, ...]
    radius: float
    reach: float  #: radius of the ball around the origin in which the kink is round

    @property
    def distance(self) -> float:
        """Of the origin."""
        return abs(math.hypot(*self.center) - self.radius)


def crossed_cells(
    network: Network, data: DataMeasure, cap: Cap, depths: Sequence[float], points: Array
) -> Array:
    """Return what share of the data has a kink in each cell, shape (C,), from 0 to 1.

    Args:
        network: the network.
        data: the samples.
        cap: of the parameters.
        depths: numbers of layers, infinity for the Neural ODE. Few and shallow ones will do: the
            kinks of deeper networks lie between them.
        points: of the cells, shape (C, q, m): Gauss points and corners.
    """
    arguments = [a.expression for a in singular_arguments(network.expressions)]
    share = np.zeros(len(points))
    if not arguments:
        return share
    weights = np.asarray(data.weights)
    size = max(1, _CHUNK // (points.shape[1] * data.num_samples))
    with np.errstate(all="ignore"):
        for depth in depths:
            trajectories = Trajectories(network, depth, _ODE_STEPS)
            program = Program(arguments, trajectories.symbols)
            for k in range(0, len(points), size):
                crossing = _crossing(trajectories, program, data, cap, points[k : k + size])
                share[k : k + size] = np.maximum(share[k : k + size], crossing @ weights)
    return share


def _crossing(
    trajectories: Trajectories, program: Program, data: DataMeasure, cap: Cap, points: Array
) -> Array:
    """Whether an argument of a sample may vanish in a cell, shape (C, S)."""
    cells, count, m = points.shape
    capped = cap(points.reshape(-1, m)).reshape(points.shape)
    theta = [capped[..., i, None] for i in range(m)]
    shape = (cells, count, data.num_samples)
    x = np.broadcast_to(data.inputs.T[:, None, None, :], (data.dimension, *shape))
    found = np.zeros((cells, data.num_samples), dtype=bool)
    for i, states in enumerate(trajectories.states(theta, x)):
        if i in trajectories.probes:
            for values in program([*theta, *states]):
                values = np.broadcast_to(values, shape)
                low, high = values.min(axis=1), values.max(axis=1)
                beyond = _MARGIN * (high - low)
                found |= (low - beyond <= 0) & (high + beyond >= 0) & (high > low)
    return found


def surfaces(
    network: Network, data: DataMeasure, cap: Cap, penalty: Penalty
) -> list[KinkPlane | KinkSphere]:
    """Return the flat and round kinks of the first layer, and those of the penalty."""
    m = network.num_parameters
    found: list[KinkPlane | KinkSphere] = []
    for argument in singular_arguments(network.expressions):
        for shape in _shapes(argument.expression, m, data.inputs):
            found += _uncapped(shape, cap)
    if not penalty.is_quadratic:
        for argument in singular_arguments([penalty.expression]):
            found += _shapes(argument.expression, m, np.zeros((1, 0)))
    return found


def _shapes(argument: sympy.Expr, m: int, inputs: Array) -> Iterator[KinkPlane | KinkSphere]:
    """The zeros of an argument of θ and x for each input, if they are flat or round."""
    theta = [component("theta", i) for i in range(m)]
    if not argument.is_polynomial(*theta):
        return
    terms = dict(sympy.Poly(argument, *theta).terms())
    x = [component("x", a) for a in range(inputs.shape[1])]
    values = Program(list(terms.values()), x)(list(inputs.T))
    for s in range(len(inputs)):
        numbers = (float(np.broadcast_to(v, len(inputs))[s]) for v in values)
        yield from _shape(dict(zip(terms, numbers, strict=True)), m)


def _shape(coefficients: dict[tuple[int, ...], float], m: int) -> Iterator[KinkPlane | KinkSphere]:
    """The zeros of one polynomial, by its coefficients under their exponents."""
    largest = max(map(abs, coefficients.values()))
    kept = {k: c for k, c in coefficients.items() if abs(c) > _ROUNDING * largest}
    unit = [tuple(int(i == j) for j in range(m)) for i in range(m)]
    constant, linear = kept.pop((0,) * m, 0.0), np.array([kept.pop(e, 0.0) for e in unit])
    squares = [kept.pop(tuple(2 * n for n in e), 0.0) for e in unit]
    if kept or np.ptp(squares) > _ROUNDING * largest:
        return
    if squares[0]:
        center = -0.5 * linear / squares[0]
        radius = float(center @ center - constant / squares[0])
        if radius > 0:
            yield KinkSphere(tuple(center.tolist()), math.sqrt(radius), math.inf)
    elif length := float(np.linalg.norm(linear)):
        yield KinkPlane(tuple((linear / length).tolist()), -constant / length, math.inf)


def _uncapped(shape: KinkPlane | KinkSphere, cap: Cap) -> Iterator[KinkPlane | KinkSphere]:
    """The shape of a kink in θ from that in the capped parameters ``T_Λ θ``, where it keeps it."""
    if cap.kind == "none" or (isinstance(shape, KinkPlane) and not shape.offset):
        yield shape
    elif isinstance(shape, KinkSphere) and not any(shape.center):
        yield from _uncapped_sphere(shape, cap)
    elif cap.kind != "tanh" and shape.distance < cap.radius:
        # T_Λ is the identity up to its first break.
        yield replace(shape, reach=cap.radius)


def _uncapped_sphere(shape: KinkSphere, cap: Cap) -> Iterator[KinkSphere]:
    """The sphere ``ρ(|θ|) = radius`` around the origin, if the cap reaches so far."""

    def excess(r: float) -> float:
        unit = np.zeros((1, len(shape.center)))
        unit[0, 0] = r
        return float(cap(unit)[0, 0]) - shape.radius

    far = 40.0 * cap.radius
    if excess(far) > 0:
        yield KinkSphere(shape.center, float(brentq(excess, 0.0, far, xtol=1e-15)), math.inf)

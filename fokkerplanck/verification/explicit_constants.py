"""Explicit a-priori constants of the bounds (A)–(C), of the L¹ and of the pathwise bound."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc

from fokkerplanck.difference.discretisation import Discretisation
from fokkerplanck.mesh.sizing import MANY_DIRECTIONS, directions
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import largest

#: Suprema are maxima over the Gauss points, enlarged by this factor.
MARGIN = 1.02

#: A pathwise bound that is so many times what it is without growth says nothing.
LARGEST_GROWTH = 1e6


@dataclass(frozen=True)
class ExplicitConstants:
    """Constants c with ``N·(left side) <= c ‖p_0‖_2`` at one depth.

    The energy estimate of the difference equation with weight ``e^{V_N/D}`` gives, for D < 2,

        (C) <= N⁻¹ C_1 √(T/2D) e^{C_0/(2DN)} e^{sup V/(2D)} (∫ e^{−(1/D − 1/2)γH})^{1/2} ‖p_0‖_2

    with ``C_0 = sup|E_N|``, ``C_1 = sup|∇E_N|`` and sup V over the support of p_0. (A) and (B)
    follow with the factors ``sup |θ|e^{−γH/4}`` and ``sup V e^{−γH/4}``; (B) has C_0 more.
    """

    density_l1: float  #: for (C), and so for each region of (D)
    mean: float  #: for (A)
    risk: float  #: for (B)
    #: for ``‖p − p^N‖_{L¹}``: ``C_1 √(T/2D)``, by Pinsker's inequality and Girsanov's theorem
    l1: float
    #: for ``sup_t |θ_t − θ^N_t|``, almost surely: ``C_1 (e^{κT} − 1)/κ``, κ the one-sided Lipschitz
    #: constant of −∇V_N, by Grönwall's inequality; infinite where it says nothing. This one is not
    #: divided by ‖p_0‖_2
    path: float


def explicit_constants(discretisation: Discretisation, depth: float) -> ExplicitConstants:
    """Evaluate the constants for one depth. Collective.

    The sharp limit obeys the same bounds with ``1/N = 0`` in the exponent.
    """
    problem, tables = discretisation.problem, discretisation.tables
    D = problem.diffusion
    space, comm = discretisation.space, discretisation.space.domain.comm
    inside = problem.initial(space.points.reshape(-1, problem.initial.dimension)) > 0.0
    C_0 = MARGIN * largest(comm, np.abs(tables.differences[depth]))
    C_1 = MARGIN * largest(comm, np.linalg.norm(tables.gradients[depth], axis=2))
    height = MARGIN * largest(
        comm, np.where(inside.reshape(tables.potential.shape), tables.potential, 0.0)
    )
    growth = C_0 / (2.0 * D * depth) + height / (2.0 * D)
    weight = math.sqrt(_penalty_integral(discretisation, 1.0 / D - 0.5))
    entropy = C_1 * math.sqrt(problem.horizon / (2.0 * D))
    density = entropy * _exp(growth) * weight
    expansion = _expansion(discretisation, tables.perturbed(depth))
    decay = np.exp(-discretisation.log_bound_weight)
    far = MARGIN * largest(comm, np.linalg.norm(space.points, axis=2) * decay)
    high = MARGIN * largest(comm, np.abs(tables.potential) * decay)
    return ExplicitConstants(
        density_l1=density,
        mean=far * density,
        risk=high * density + C_0 / problem.initial.l2_norm,
        l1=entropy / problem.initial.l2_norm,
        path=C_1 * _grown(expansion, problem.horizon),
    )


def _exp(exponent: float) -> float:
    """``e^exponent``, infinite where it leaves double range."""
    with np.errstate(over="ignore"):
        return float(np.exp(exponent))


def _grown(rate: float, horizon: float) -> float:
    """``(e^{rate·horizon} − 1)/rate``, infinite where that is far more than the horizon."""
    with np.errstate(over="ignore"):
        grown = float(np.expm1(rate * horizon)) / rate if rate != 0.0 else horizon
    return grown if grown <= LARGEST_GROWTH * horizon else math.inf


def _expansion(discretisation: Discretisation, potential: Array) -> float:
    """At which rate two paths with the same noise move apart at most, or together. Collective.

    The largest eigenvalue of ``−∇²V_N`` at the Gauss points, plus 2 % of the largest in size.
    """
    gradient = discretisation.space.gradient(potential)
    hessian = np.stack(
        [discretisation.space.gradient(component) for component in np.moveaxis(gradient, 2, 0)],
        axis=-1,
    )
    rates = np.linalg.eigvalsh(-0.5 * (hessian + np.swapaxes(hessian, 2, 3)))
    comm = discretisation.space.domain.comm
    return largest(comm, rates) + (MARGIN - 1.0) * largest(comm, np.abs(rates))


def _penalty_integral(discretisation: Discretisation, rate: float) -> float:
    """Upper bound of ``∫ e^{−rate·γH}`` over ``R^m``. Collective.

    Over the ball it is integrated; outside, H is convex, so along each ray it lies above the
    straight line through its values at the centre and at the sphere.
    """
    penalty, space = discretisation.penalty, discretisation.space
    m, radius = space.domain.dimension, space.domain.recipe.radius
    scale = rate * penalty.gamma
    inner = space.integrate(np.exp(-4.0 * rate * discretisation.log_bound_weight))
    center = float(penalty(np.zeros((1, m)))[0])
    rim = _smallest_on_sphere(penalty, m, radius)
    slope = scale * (rim - center) / (MARGIN * radius)
    if not slope > 0.0:
        return math.inf
    area = 2.0 * math.pi ** (m / 2) / math.gamma(m / 2)
    tail = math.gamma(m) * float(gammaincc(m, slope * radius)) / slope**m
    return inner + area * _exp(-scale * center) * tail


def _smallest_on_sphere(penalty: Callable[[Array], Array], m: int, radius: float) -> float:
    return float(np.min(penalty(radius * directions(m, MANY_DIRECTIONS))))

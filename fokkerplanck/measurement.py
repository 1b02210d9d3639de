"""The left sides of the bounds (A)–(D), times N, at one depth, each with its uncertainty."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.optimize import minimize_scalar

from fokkerplanck.difference import DifferenceEvolution
from fokkerplanck.evolution import STRIDE
from fokkerplanck.level import Level
from fokkerplanck.norms import RegionalNorm, regional_sums, weighted_l1

Array = npt.NDArray[np.float64]

#: Times of the grid on which suprema over (0, T] are looked for before they are refined.
NUM_TIMES = 96

#: The fine level's error is at most this times its distance to the companion: the error falls by a
#: third or more from one to the other.
SAFETY = 2.0

#: Rounding error of a sum over the Krylov basis, relative to the sum of absolute values.
_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Number:
    """A measured number and the parts of its uncertainty, all absolute."""

    value: float
    time: float  #: when it is taken
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def uncertainty(self) -> float:
        """Sum of the parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Measurement:
    """What was measured at one depth; all but the last two are N times the left side of a bound."""

    depth: float
    density_l1: dict[str, Number]  #: (C) under the empty label, then the regions of (D)
    mean: Number  #: (A)
    risk: Number  #: (B)
    mass_defect: Number  #: ``∫ p^N − 1`` at the horizon
    density_min: Number  #: smallest ``p^N`` over the nodes of the annuli at the horizon

    @property
    def bounds(self) -> dict[tuple[str, str], Number]:
        """The numbers that bounds speak of, by quantity and annulus."""
        labelled = {("density_l1", label): number for label, number in self.density_l1.items()}
        return labelled | {("mean", ""): self.mean, ("risk", ""): self.risk}

    @property
    def properties(self) -> dict[str, Number]:
        """What is reported of ``p^N`` besides."""
        return {"mass_defect": self.mass_defect, "density_min": self.density_min}


@dataclass(frozen=True)
class Solution:
    """The solution of one depth on one level."""

    level: Level
    depth: float
    pair: DifferenceEvolution

    @classmethod
    def compute(cls, level: Level, depth: float) -> "Solution":
        """Solve. Collective."""
        return cls(level, depth, level.solve(depth))


def measure(fine: Solution, coarse: Solution) -> Measurement:
    """Measure both solutions; their distance is part of the uncertainty of the fine. Collective."""
    smallest = _density_min(fine)
    return Measurement(
        depth=fine.depth,
        density_l1=_density_numbers(fine, coarse),
        mean=_supremum(
            _mean_functional(fine), _mean_functional(coarse), fine, coarse, _mean_truncation(fine)
        ),
        risk=_supremum(
            _risk_functional(fine), _risk_functional(coarse), fine, coarse, _risk_truncation(fine)
        ),
        mass_defect=_distance(_mass_defect(fine), _mass_defect(coarse), 1.0, fine),
        density_min=_distance(smallest, _density_min(coarse), abs(smallest), fine),
    )


def _density_numbers(fine: Solution, coarse: Solution) -> dict[str, Number]:
    """(C) and (D): weighted L¹ norms at the horizon. Collective."""
    level, pair = fine.level, fine.pair
    space, horizon = level.space, level.problem.horizon
    z = pair.difference(horizon)
    norm, other = _density_norm(fine, z), _density_norm(coarse, coarse.pair.difference(horizon))
    last_steps = z - pair.difference(horizon, pair.evolution.size - STRIDE)
    weight = np.exp(level.log_bound_weight)
    boundary = _boundary_amplitude(fine, _scaled_difference(fine))
    parts = {
        "space": SAFETY * np.abs(_with_total(norm.values) - _with_total(other.values)),
        "krylov": _with_total(
            regional_sums(space, weight * np.abs(pair.exact.gibbs * space.evaluate(last_steps)))
        ),
        "quadrature": _with_total(norm.errors),
        "truncation": boundary * _with_total(regional_sums(space, weight)),
        "risk": level.tables.errors[fine.depth] * _with_total(norm.values),
    }
    values = _with_total(norm.values)
    return {
        label: Number(
            float(values[i]), horizon, {name: float(part[i]) for name, part in parts.items()}
        )
        for i, label in enumerate(("", *space.domain.annuli.labels))
    }


def _density_norm(solution: Solution, z: Array) -> RegionalNorm:
    """``∫ e^{γH/4} |π z|`` per region. Collective."""
    level = solution.level
    return weighted_l1(level.space, level.log_bound_weight + solution.pair.exact.log_gibbs, z)


def _with_total(regions: Array) -> Array:
    """Total over all regions, then the regions."""
    return np.concatenate([[regions.sum()], regions])


def _boundary_amplitude(solution: Solution, density: Array) -> float:
    """Largest absolute value at the Gauss points next to the boundary. Collective.

    No flux leaves the ball, so what should have left it is reflected: the error that this makes
    inside is of the size of the density at the boundary.
    """
    space = solution.level.space
    radii = np.linalg.norm(space.points, axis=2)
    outermost = space.domain.comm.allreduce(float(np.max(radii, initial=0.0)), op=MPI.MAX)
    largest = np.max(np.abs(density), where=radii > 0.995 * outermost, initial=0.0)
    return float(space.domain.comm.allreduce(float(largest), op=MPI.MAX))


def _mean_truncation(solution: Solution) -> float:
    """Error of (A) by what is reflected at the boundary. Collective."""
    space = solution.level.space
    boundary = _boundary_amplitude(solution, _scaled_difference(solution))
    return boundary * space.integrate(np.linalg.norm(space.points, axis=2))


def _risk_truncation(solution: Solution) -> float:
    """Error of (B) by what is reflected at the boundary. Collective."""
    space, tables = solution.level.space, solution.level.tables
    height = tables.potential - solution.pair.exact.minimum
    gap = np.abs(tables.differences[solution.depth])
    return _boundary_amplitude(solution, _scaled_difference(solution)) * space.integrate(
        height
    ) + _boundary_amplitude(solution, _density_at_gauss(solution)) * space.integrate(gap)


def _mean_functional(solution: Solution) -> Array:
    """``∫ θ_i π z`` on the basis, shape (m, k). Collective."""
    space, gibbs = solution.level.space, solution.pair.exact.gibbs
    rows = np.stack([space.load(gibbs * x) for x in np.moveaxis(space.points, 2, 0)])
    return solution.pair.functional(np.zeros_like(rows), rows)


def _risk_functional(solution: Solution) -> Array:
    """``N E[V(θ_t) − V_N(θ^N_t)] = ∫ V π z + ∫ E_N π_N u`` on the basis, shape (1, k). Collective.

    ``∫ π z = 0``, so V may be taken relative to its minimum.
    """
    level, pair = solution.level, solution.pair
    height = level.tables.potential - pair.exact.minimum
    on_difference = level.space.load(height * pair.exact.gibbs)
    on_density = level.space.load(level.tables.differences[solution.depth] * pair.perturbed.gibbs)
    return pair.functional(on_density[None], on_difference[None])


def _supremum(
    rows: Array, other_rows: Array, fine: Solution, coarse: Solution, truncation: float
) -> Number:
    """Largest Euclidean norm over time of a vector of functionals, its time and uncertainty."""
    horizon = fine.level.problem.horizon
    evolution, other = fine.pair.evolution, coarse.pair.evolution
    curve = evolution.trajectory(NUM_TIMES, horizon) @ rows.T
    shorter = evolution.trajectory(NUM_TIMES, horizon, evolution.size - STRIDE) @ rows.T
    companion = other.trajectory(NUM_TIMES, horizon) @ other_rows.T
    sizes = np.linalg.norm(curve, axis=1)
    top = int(np.argmax(sizes))
    grid = np.linspace(0.0, horizon, NUM_TIMES + 1)
    around = grid[[max(top - 1, 0), min(top + 1, NUM_TIMES)]]
    refined = minimize_scalar(
        lambda t: -float(np.linalg.norm(rows @ evolution.reduced(t))),
        bounds=tuple(around),
        method="bounded",
        options={"xatol": 1e-7 * horizon},
    )
    value, time = max(
        (float(sizes[top]), float(grid[top])), (-float(refined.fun), float(refined.x))
    )
    # Near the start the curves differ most and matter least.
    relevant = sizes >= 0.5 * sizes[top]
    parts = {
        "space": SAFETY * float(np.max(np.linalg.norm(curve - companion, axis=1)[relevant])),
        "krylov": float(np.max(np.linalg.norm(curve - shorter, axis=1)[relevant])),
        "truncation": truncation,
        "risk": value * fine.level.tables.errors[fine.depth],
        "rounding": _ROUNDING
        * float(np.linalg.norm(np.abs(rows) @ np.abs(evolution.reduced(time)))),
    }
    return Number(value, time, parts)


def _distance(value: float, other: float, scale: float, fine: Solution) -> Number:
    """A property of the density at the horizon with its distance to the companion's."""
    parts = {"space": SAFETY * abs(value - other), "rounding": _ROUNDING * scale}
    return Number(value, fine.level.problem.horizon, parts)


def _mass_defect(solution: Solution) -> float:
    return solution.level.space.integrate(_density_at_gauss(solution)) - 1.0


def _density_min(solution: Solution) -> float:
    """Smallest ``p^N`` over the nodes of the core and the annuli at the horizon. Collective."""
    space = solution.level.space
    nodes = space.functions.element.basix_element.points
    inside = space.domain.regions[: len(space.dofs)] <= space.domain.annuli.count
    log_gibbs = solution.pair.perturbed.log_gibbs @ space.gauss_interpolation(nodes).T
    u = space.evaluate(
        solution.pair.density(solution.level.problem.horizon), np.eye(nodes.shape[0])
    )
    smallest = float(np.min((np.exp(log_gibbs) * u)[inside], initial=np.inf))
    return float(space.domain.comm.allreduce(smallest, op=MPI.MIN))


def _scaled_difference(solution: Solution) -> Array:
    """``N(p − p^N)`` at the Gauss points at the horizon, shape (C, q). Collective."""
    coefficients = solution.pair.difference(solution.level.problem.horizon)
    return solution.pair.exact.gibbs * solution.level.space.evaluate(coefficients)


def _density_at_gauss(solution: Solution) -> Array:
    """``p^N`` at the Gauss points at the horizon, shape (C, q). Collective."""
    coefficients = solution.pair.density(solution.level.problem.horizon)
    return solution.pair.perturbed.gibbs * solution.level.space.evaluate(coefficients)

"""Suprema over time of the difference of the means (A) and of the risks (B), times N."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d
from scipy.optimize import minimize_scalar

from fokkerplanck.difference.number import Number
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.evolution.dense_output import ROUNDING, TimeGrid
from fokkerplanck.evolution.errors import SAFETY, krylov_error
from fokkerplanck.problem.numerics import STRIDE
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import total

#: Times of the grid on which suprema over [0, T] are looked for before they are refined.
NUM_TIMES = 96

#: The first of its steps is halved so often.
NUM_HALVINGS = 10

#: The exact start is used where it lowers the error estimate below this part.
_ANCHORING = 0.3


@dataclass(frozen=True)
class Functional:
    """A vector of linear functionals of ``(u, z)`` over time.

    Krylov spaces are least accurate at the start, where the exact value is known: after a short
    time the functional has moved by a small amount from it, which they know with a smaller error.
    """

    solution: PairSolution
    rows: Array  #: its values on the Krylov basis, shape (j, k)
    initial: Array  #: exact value at time zero, shape (j,)
    truncation: float  #: error that the end of the ball makes
    of_sampling: float  #: error that the potentials may make between the Gauss points
    of_risk: float  #: error that those of E_N make

    @classmethod
    def mean(cls, solution: PairSolution) -> "Functional":
        """``N E[θ_t − θ^N_t] = ∫ θ π_N z``. Collective."""
        space = solution.discretisation.space
        boundary = solution.difference(solution.horizon).at_wall
        distance = np.linalg.norm(space.points, axis=2)
        return cls(
            solution,
            solution.pair.output.observed[:-1],
            np.zeros(solution.dimension),
            boundary * space.integrate(distance),
            *_potential_errors(solution, distance),
        )

    @classmethod
    def risk(cls, solution: PairSolution) -> "Functional":
        """``N E[V(θ_t) − V_N(θ^N_t)] = ∫ V_N π_N z + ∫ E_N π u``. Collective."""
        discretisation, pair = solution.discretisation, solution.pair
        space, gap = discretisation.space, discretisation.tables.differences[solution.depth]
        height = pair.perturbed.potential - pair.perturbed.minimum
        start = space.domain.comm.allreduce(float(discretisation.load @ space.interpolate(gap)))
        return cls(
            solution,
            pair.output.observed[-1:],
            np.array([start]),
            solution.difference(solution.horizon).at_wall * space.integrate(height)
            + solution.limit_density(solution.horizon).at_wall * space.integrate(np.abs(gap)),
            # E_N itself enters, too
            *_potential_errors(solution, height + pair.perturbed.diffusion),
        )

    def curve(self, grid: TimeGrid) -> "Curve":
        """Values at the times of a grid."""
        output = self.solution.pair.output
        values = output.trajectory(grid) @ self.rows.T
        earlier = [
            output.trajectory(grid, output.size - steps * STRIDE) @ self.rows.T for steps in (1, 2)
        ]
        pairs = [values - earlier[0], earlier[0] - earlier[1]]
        plain = krylov_error(*(_around(np.linalg.norm(pair, axis=1)) for pair in pairs))
        moved = krylov_error(*(_around(np.linalg.norm(pair - pair[0], axis=1)) for pair in pairs))
        offset = self.initial - values[0]
        # Later on, the start would bring in its own error, which the spaces have in common.
        anchored = (moved < _ANCHORING * plain) & (grid.points < grid.step)
        return Curve(
            np.where(anchored[:, None], values + offset, values),
            np.where(anchored, moved, plain),
            np.where(anchored[:, None], offset, 0.0),
        )

    def size(self, time: float, offset: Array) -> float:
        """Euclidean norm at a time, shifted by an offset."""
        return float(
            np.linalg.norm(
                self.rows @ self.solution.pair.output.coordinates_in_double(time) + offset
            )
        )

    def rounding(self, time: float) -> float:
        """Rounding error at a time."""
        coordinates = np.abs(self.solution.pair.output.coordinates_in_double(time))
        return ROUNDING * float(np.linalg.norm(np.abs(self.rows) @ coordinates))


@dataclass(frozen=True)
class Curve:
    """A functional at the times of a grid."""

    values: Array  #: shape (n, j)
    errors: Array  #: Krylov estimate, shape (n,)
    offsets: Array  #: by which the exact start has shifted the values, shape (n, j)


def supremum(fine: Functional, coarse: Functional) -> Number:
    """Largest Euclidean norm over ``[0, T]``, its time and uncertainty.

    Early times may have large errors; they matter as far as they could make a curve rise above the
    largest value that was found.
    """
    grid = TimeGrid(fine.solution.horizon, NUM_TIMES, NUM_HALVINGS)
    curve, companion = fine.curve(grid), coarse.curve(grid)
    sizes = np.linalg.norm(curve.values, axis=1)
    top = int(np.argmax(sizes))
    value, time = _refined(fine, grid.points, top, float(sizes[top]), curve.offsets[top])
    space = SAFETY * _around(np.linalg.norm(curve.values - companion.values, axis=1))
    errors = space + curve.errors
    worst = int(np.argmax(sizes + errors))
    total = max(float(sizes[worst] + errors[worst]) - value, float(errors[top]))
    share = total / float(errors[worst]) if errors[worst] > 0.0 else 0.0
    parts = {
        "space": share * float(space[worst]),
        "krylov": share * float(curve.errors[worst]),
        "truncation": fine.truncation,
        "sampling": fine.of_sampling,
        "risk": value * fine.solution.discretisation.tables.errors[fine.solution.depth]
        + fine.of_risk,
        "rounding": fine.rounding(time),
    }
    shared_krylov_error = share * float(curve.errors[worst] + companion.errors[worst])
    return Number(value, time, parts, shared_krylov_error, (grid.points, sizes, errors))


def _potential_errors(solution: PairSolution, weight: Array) -> tuple[float, float]:
    """What potentials may do to ``∫ w N(p − p^N)``, w >= 0. Collective.

    Returns:
        The part of what they do between the Gauss points, and that of errors of E_N.
    """
    made_with = solution.discretisation
    space, diffusion = made_with.space, made_with.problem.diffusion
    sampling, reach = 0.0, 0.0
    for time in made_with.output_times:
        density, difference = (
            np.sum(space.weights * weight * np.abs(field.at_gauss), axis=1)
            for field in (solution.limit_density(time), solution.difference(time))
        )
        reach = max(reach, total(space.domain.comm, density) / diffusion)
        if made_with.surprise is not None:
            cells = made_with.surprise.parts(solution.depth, density, difference, diffusion)
            sampling = max(sampling, total(space.domain.comm, cells))
    return sampling, made_with.risk_error(solution.depth) * reach


def _around(errors: Array) -> Array:
    """Largest error at nearby times: differences of two curves have zeros, where they cross."""
    return maximum_filter1d(errors, 3, mode="nearest")


def _refined(
    functional: Functional, times: Array, top: int, size: float, offset: Array
) -> tuple[float, float]:
    """Largest size near a point of the grid, and its time."""
    bounds = times[max(top - 1, 0)], times[min(top + 1, len(times) - 1)]
    found = minimize_scalar(
        lambda t: -functional.size(t, offset),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-7 * times[-1]},
    )
    return max((size, float(times[top])), (-float(found.fun), float(found.x)))

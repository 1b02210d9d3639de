"""The annulus law: how N·(D_k) falls with k, against the exponents that theory suggests."""

from collections.abc import Callable, Mapping

import numpy as np

from fokkerplanck.difference.discretisation import Weight
from fokkerplanck.difference.number import Number
from fokkerplanck.mesh.sizing import MANY_DIRECTIONS, directions
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.problem import Problem
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.study.results import Decay, Fit
from fokkerplanck.verification.convergence import fitted_line

#: An annulus counts as resolved if its value is known to this part.
RESOLVED = 0.5

_FEWEST_ANNULI = 3


def decay(
    numbers: Mapping[str, Number], annuli: Annuli, problem: Problem, penalty: Weight
) -> Decay:
    """Fit the values of the annuli at one time.

    Args:
        numbers: N·(D_k) by label; labels that are no annulus are ignored.
        annuli: the annuli.
        problem: what was solved.
        penalty: γH.
    """
    labels, norm = annuli.labels[1:], problem.initial.l2_norm
    values = np.array([numbers[label].value for label in labels])
    uncertainties = np.array([numbers[label].uncertainty for label in labels])
    resolved = (uncertainties < RESOLVED * values) & (values > np.finfo(np.float64).tiny)
    time = next(iter(numbers.values())).time
    fits: list[Fit] = []
    inner = annuli.edges[:-1]
    if np.count_nonzero(resolved) >= _FEWEST_ANNULI:
        for name, exponent in exponents(problem, penalty, time, annuli.r0).items():
            x = exponent(inner)[resolved]
            if np.ptp(x) > 0.0:
                line = fitted_line(x, -np.log(values[resolved]))
                fits.append(Fit(name, line.slope, line.slope_error, line.residual))
    with np.errstate(over="ignore"):
        constants = values / norm * np.exp(inner * annuli.r0 / time)
    return Decay(
        time,
        tuple((values / norm).tolist()),
        tuple((uncertainties / norm).tolist()),
        tuple(fits),
        float(np.max(constants[resolved], initial=0.0)),
        tuple(label for label, known in zip(labels, resolved, strict=True) if not known),
    )


def exponents(
    problem: Problem, penalty: Weight, time: float, r0: float
) -> dict[str, Callable[[Array], Array]]:
    """Exponents as functions of the inner radius ``r = 2^k r0`` of an annulus, by name."""
    reach = problem.initial.support_radius if np.isfinite(problem.initial.support_radius) else 0.0
    reach += float(np.linalg.norm(problem.initial.center))
    unit = directions(problem.initial.dimension, MANY_DIRECTIONS)
    rate = (1.0 / problem.diffusion - 0.25) * penalty.gamma

    def gibbs(radii: Array) -> Array:
        return rate * np.array([float(np.min(penalty(r * unit))) for r in radii])

    return {
        "2^k R̃0²/t": lambda r: r * r0 / time,
        "4^k R̃0²/t": lambda r: r**2 / time,
        "(r − R0)²/4Dt": lambda r: np.maximum(r - reach, 0.0) ** 2 / (4 * problem.diffusion * time),
        "(1/D − 1/4)γH": gibbs,
    }

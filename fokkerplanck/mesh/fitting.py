"""A mesh that fits a potential and an initial density."""

import math

import numpy as np

from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.mesh.sizing import Surroundings, choose_recipe, directions
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.double_range import LARGEST_EXPONENT
from fokkerplanck.problem.problem import Problem
from fokkerplanck.runtime.arrays import Array

#: To which V/D is resolved by the cells around circles.
_ANGULAR_ACCURACY = 1e-8


def fitting_recipe(problem: Problem, radius: float, degree: int, refinement: float = 1.0) -> Recipe:
    """Mesh recipe of a ball that resolves p_0, ``e^{−V/D}`` and the diffusive length.

    Args:
        problem: its potential must be callable.
        radius: of the ball.
        degree: of the elements.
        refinement: factor by which cells are smaller than the rules ask.

    Raises:
        ValueError: ``exp(−V/D)`` leaves double range in the ball, or V is not finite there.
    """

    def potential(points: Array) -> Array:
        return np.asarray(problem.potential(points))

    _check_range(problem, radius)
    scale = min(1.0, problem.diffusive_length, radius)
    count = max(0, round(math.log2(radius / scale)))
    around = Surroundings(problem, Annuli(radius * 2.0**-count, count))
    return choose_recipe(potential, around, radius, degree, _ANGULAR_ACCURACY, refinement)


def _check_range(problem: Problem, radius: float) -> None:
    """Raise if ``exp(−V/D)`` leaves double range in the ball, and say which radius fits."""
    radii = np.linspace(0.0, radius, 257)
    points = radii[:, None, None] * directions(problem.dimension)
    values = np.asarray(problem.potential(points.reshape(-1, problem.dimension)))
    values = values.reshape(len(radii), -1)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"potential must be finite in the ball of {radius=:g}, got inf or nan")
    exponent = (values - values.min()).max(axis=1) / problem.diffusion
    if exponent.max() > LARGEST_EXPONENT:
        fits = radii[max(int(np.argmax(exponent > LARGEST_EXPONENT)) - 1, 0)]
        raise ValueError(
            f"exp(-V/D) leaves double range in the ball of radius {radius:g}: (max V - min V)/D "
            f"must be below {LARGEST_EXPONENT:g}, got {exponent.max():.4g}; radius={fits:.3g} "
            "would fit"
        )

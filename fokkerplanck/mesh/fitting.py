"""A mesh that fits a potential and an initial density."""

import math
from collections.abc import Callable

import numpy as np

from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.mesh.sizing import Surroundings, choose_recipe, directions
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.double_range import LARGEST_EXPONENT
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.runtime.arrays import Array

Potential = Callable[[Array], Array]

#: To which V/D is resolved by the cells around circles.
_ANGULAR_ACCURACY = 1e-8


def fitting_recipe(
    potential: Potential,
    initial: InitialDensity,
    horizon: float,
    radius: float,
    diffusion: float,
    degree: int,
) -> Recipe:
    """Mesh recipe of a ball that resolves p_0, ``e^{−V/D}`` and the diffusive length.

    Args:
        potential: V at points of shape (P, m).
        initial: p_0.
        horizon: T.
        radius: of the ball.
        diffusion: D.
        degree: of the elements.

    Raises:
        ValueError: ``exp(−V/D)`` leaves double range in the ball, or V is not finite there.
    """
    _check_range(potential, initial.dimension, radius, diffusion)
    scale = min(1.0, math.sqrt(2.0 * diffusion * horizon), radius)
    count = max(0, round(math.log2(radius / scale)))
    annuli = Annuli(radius * 2.0**-count, count)
    around = Surroundings(annuli, initial, diffusion, horizon, ())
    return choose_recipe(potential, around, radius, degree, _ANGULAR_ACCURACY)


def _check_range(potential: Potential, dimension: int, radius: float, diffusion: float) -> None:
    """Raise if ``exp(−V/D)`` leaves double range in the ball, and say which radius fits."""
    radii = np.linspace(0.0, radius, 257)
    points = radii[:, None, None] * directions(dimension)
    values = potential(points.reshape(-1, dimension)).reshape(len(radii), -1)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"potential must be finite in the ball of {radius=:g}, got inf or nan")
    exponent = (values - values.min()).max(axis=1) / diffusion
    if exponent.max() > LARGEST_EXPONENT:
        fits = radii[max(int(np.argmax(exponent > LARGEST_EXPONENT)) - 1, 0)]
        raise ValueError(
            f"exp(-V/D) leaves double range in the ball of radius {radius:g}: (max V - min V)/D "
            f"must be below {LARGEST_EXPONENT:g}, got {exponent.max():.4g}; radius={fits:.3g} "
            "would fit"
        )

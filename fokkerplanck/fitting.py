"""A mesh that fits a potential and an initial density."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fokkerplanck.annuli import Annuli
from fokkerplanck.initial import InitialDensity
from fokkerplanck.mesh import Recipe
from fokkerplanck.operators import LARGEST_EXPONENT
from fokkerplanck.resolution import EXPONENT_PER_CELL, Surroundings, choose_recipe, directions

Array = npt.NDArray[np.float64]
Potential = Callable[[Array], Array]

#: To which V/D is resolved by the cells around circles.
_ANGULAR_ACCURACY = 1e-8

#: Cells around are halved at most this often.
_MAX_HALVINGS = 4


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
    recipe = choose_recipe(potential, around, radius, degree, _ANGULAR_ACCURACY)
    if recipe.sides:
        sides = tuple(
            _halved(side, quarter, potential, radius, diffusion)
            for quarter, side in enumerate(recipe.sides)
        )
        recipe = dataclasses.replace(recipe, sides=sides)
    return recipe


def _halved(
    side: tuple[float, ...], quarter: int, potential: Potential, radius: float, diffusion: float
) -> tuple[float, ...]:
    """Halve cells on a side, and opposite, over which V/D changes too much around circles."""
    ends = np.array(side)
    radii = np.linspace(0.0, radius, 17)[1:]
    for _ in range(_MAX_HALVINGS):
        unit = np.linspace(0.0, 1.0, 9)
        along = ends[:-1, None] + np.diff(ends)[:, None] * unit
        # The opposite side mirrors this one: -(-along).
        angles = np.pi / 4 * np.stack([along, -along[..., ::-1] + 4.0]) + np.pi / 2 * quarter
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        points = radii[:, None, None, None, None] * circle
        values = potential(points.reshape(-1, 2)).reshape(points.shape[:-1])
        rough = np.ptp(values, axis=3).max(axis=(0, 1)) > EXPONENT_PER_CELL * diffusion
        if not rough.any():
            break
        ends = np.sort(np.concatenate([ends, 0.5 * (ends[:-1] + ends[1:])[rough]]))
    return tuple(ends.tolist())


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

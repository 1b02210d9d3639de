"""The equation: potential, diffusion, initial density, horizon and walls."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy.typing as npt

from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.runtime.arrays import Array

Potential = Callable[[Array], npt.ArrayLike]
Boundary = Literal["open", "reflecting"]

#: Largest number of parameters that there are meshes for.
MAX_DIMENSION = 3


@dataclass(frozen=True)
class Problem:
    """``∂_t p = ∇·(D∇p + p∇V)`` for ``0 < t <= T``, ``p(0) = p_0``.

    Raises:
        ValueError: a number is out of range.
    """

    potential: Potential | Any  #: V at points of shape (P, m), shape (P,); or a UFL expression
    initial: InitialDensity  #: p_0
    horizon: float = 1.0  #: T > 0
    diffusion: float = 1.0  #: scalar D > 0
    #: No flux leaves the ball. An ``open`` one stands for the whole space, so that what the density
    #: has at the wall is an error; a ``reflecting`` wall is meant.
    boundary: Boundary = "open"

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, value in (("horizon", self.horizon), ("diffusion", self.diffusion)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive, got {value!r}")
        if self.dimension > MAX_DIMENSION:
            raise ValueError(
                f"initial center has {self.dimension} coordinates; one to three parameters are "
                "possible"
            )
        if self.boundary not in get_args(Boundary):
            raise ValueError(
                f"boundary must be one of {', '.join(get_args(Boundary))}, got {self.boundary!r}"
            )

    @property
    def dimension(self) -> int:
        """Number of parameters m."""
        return self.initial.dimension

    @property
    def diffusive_length(self) -> float:
        """``√(2DT)``."""
        return math.sqrt(2.0 * self.diffusion * self.horizon)

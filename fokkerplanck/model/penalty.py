"""The penalty γ H: a convex function that is not capped."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import sympy

CONVEXITY_SAMPLES = 4_000
CONVEXITY_RADII = (0.1, 1.0, 10.0)


@dataclass(frozen=True)
class Penalty:
    """Penalty ``γ H(θ)`` with convex ``H``; the default ``H`` is ``|θ|²``.

    Raises:
        ExpressionError: The potential is outside the whitelist.
        ValueError: ``γ <= 0``, an index beyond the dimension, or ``H`` is not convex.
    """

    gamma: float  #: factor γ > 0
    potential: str = "quadratic"  #: ``"quadratic"`` or a formula in ``theta[i]``
    dimension: int = 1  #: number m of parameters

    def __post_init__(self) -> None:
        """Check the factor, the formula and, on samples, convexity."""
        if not (np.isfinite(self.gamma) and self.gamma > 0):
            raise ValueError(f"penalty gamma must be positive, got {self.gamma}")
        if not self.is_quadratic:
            self._check_indices()
            self._check_convexity()

    @property
    def is_quadratic(self) -> bool:
        """Whether ``H = |θ|²``."""
        return self.potential == "quadratic"

    @cached_property
    def expression(self) -> "sympy.Expr":
        """``H`` as a SymPy expression."""
        from fokkerplanck.model.expressions import parse  # SymPy takes long to import

        text = "+".join(f"theta[{i}]**2" for i in range(self.dimension))
        return parse(text if self.is_quadratic else self.potential, names=("theta",))

    def __call__(self, theta: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return ``H``, without the factor γ.

        Args:
            theta: Parameters, shape ``(P, m)``.

        Returns:
            Values, shape ``(P,)``.
        """
        if self.is_quadratic:
            return np.einsum("pi,pi->p", theta, theta)
        return self._evaluate(self.expression, theta)

    def gradient(self, theta: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return ``∇H`` at ``theta``, both of shape ``(P, m)``."""
        if self.is_quadratic:
            return 2.0 * theta
        return np.stack([self._evaluate(part, theta) for part in self._partial], axis=1)

    @property
    def _symbols(self) -> "tuple[sympy.Symbol, ...]":
        from fokkerplanck.model.expressions import component

        return tuple(component("theta", i) for i in range(self.dimension))

    @cached_property
    def _partial(self) -> "tuple[sympy.Expr, ...]":
        """The partial derivatives of ``H``."""
        return tuple(self.expression.diff(symbol) for symbol in self._symbols)

    def _evaluate(
        self, expression: "sympy.Expr", theta: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        from fokkerplanck.model.evaluation import evaluate

        at = dict(zip(self._symbols, theta.T, strict=True))
        with np.errstate(all="ignore"):
            values = np.broadcast_to(evaluate(expression, at), len(theta)).astype(np.float64)
        if not np.isfinite(values).all():
            worst = theta[np.argmin(np.isfinite(values))]
            raise ValueError(
                f"penalty {self.potential!r} must be finite, got a value that is not "
                f"at theta = {worst.tolist()}"
            )
        return values

    def _check_indices(self) -> None:
        from fokkerplanck.model.expressions import indices

        beyond = [i for i in indices([self.expression], "theta") if i >= self.dimension]
        if beyond:
            raise ValueError(
                f"penalty uses theta[{min(beyond)}] but there are {self.dimension} parameter(s)"
            )

    def _check_convexity(self) -> None:
        """Compare ``H`` at midpoints of seeded pairs of points with the mean at their ends."""
        generator = np.random.default_rng(2019)
        for radius in CONVEXITY_RADII:
            ends = generator.uniform(-radius, radius, (2, CONVEXITY_SAMPLES, self.dimension))
            mean = 0.5 * (self(ends[0]) + self(ends[1]))
            excess = self(ends.mean(axis=0)) - mean
            worst = int(np.argmax(excess))
            if excess[worst] > 1e-10 * (1 + np.abs(mean).max()):
                raise ValueError(
                    f"penalty {self.potential!r} must be convex; it is not between "
                    f"theta = {ends[0, worst].tolist()} and {ends[1, worst].tolist()}"
                )

"""Dense output in time of the exponential of the generator, on a shift-and-invert Krylov space.

For ``M u' = −K u`` the resolvent ``S = (1 + L/s)^{-1}``, ``L = M^{-1}K``, is one factorisation.
The Krylov space of S starts at ``v = S M^{-1} b``, with b the *exact* load vector of p_0: the L²
projection ``M^{-1} b`` of p_0/π, which smears a compact support over the tails, is never formed,
and the error of the density is that of the space, not that of interpolating p_0. On the space
``u(t) = (1 + L/s) e^{−tL} v`` is a small dense matrix function.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import expm, schur, solve_sylvester

from fokkerplanck.evolution.matrix_function import resolvent_exponential
from fokkerplanck.runtime.arrays import Array

#: Rounding error of a sum over the Krylov basis, relative to the sum of absolute values.
ROUNDING = 4.0 * float(np.finfo(np.float64).eps)

#: Error of a matrix function in double precision, in units of that of its largest entry.
MATRIX_FUNCTION = 75.0

#: Where eigenvalues of the resolvent, which lie in (0, 1], are told from zero.
_MARGINS = (0.0, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10)


@dataclass(frozen=True)
class TimeGrid:
    """The times ``0, h/2^J, ..., h/4, h/2, h, 2h, ..., Kh``."""

    horizon: float  #: Kh
    count: int  #: K
    halvings: int = 0  #: J

    @property
    def step(self) -> float:
        """Step h."""
        return self.horizon / self.count

    @property
    def points(self) -> Array:
        """The times, shape (1 + J + K,)."""
        early = self.step * 0.5 ** np.arange(self.halvings, 0, -1)
        return np.concatenate([[0.0], early, self.step * np.arange(1, self.count + 1)])


@dataclass(frozen=True)
class Contribution:
    """The part in ``u(t)`` of basis vectors that are held no longer, at one time."""

    coefficients: Array  #: owned, shape (num_owned,)
    rounding: Array  #: their rounding errors, same shape


@dataclass(frozen=True)
class DenseOutput:
    """Dense output ``u(t)``, ``t > 0``, on a Krylov space.

    Every number is a linear functional of the coefficients, so means and risks come from their
    values on the basis alone, which stay when vectors go. It is valid until its space drops more of
    them.
    """

    vectors: Array  #: those of the basis that are held, times `root`; (k − dropped, num_owned)
    root: Array  #: of the weights of the inner product, shape (num_owned,)
    hessenberg: Array  #: the resolvent on the basis, shape (k, k)
    start_norm: float  #: norm of the start vector
    change: float  #: largest relative change over the last steps at the requested times
    shift: float  #: s
    observed: Array  #: functionals of the basis vectors, shape (j, k)
    #: Of dropped vectors, by time
    contributions: Mapping[float, Contribution] = field(default_factory=dict)
    uses_balls: bool = False  #: whether small coordinates are accurate, too, not only large ones
    #: Coordinates by time and number of vectors, computed once
    _coordinates: dict[tuple[float, int], Array] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def size(self) -> int:
        """Number of basis vectors."""
        return self.hessenberg.shape[0]

    @property
    def num_dropped(self) -> int:
        """Number of basis vectors, the first ones, that are held no longer."""
        return self.size - len(self.vectors)

    @property
    def basis(self) -> Array:
        """The basis vectors that are held, shape (num_owned, k − dropped)."""
        return (self.vectors / self.root).T

    def in_ball_arithmetic(self) -> "DenseOutput":
        """The same with small coordinates accurate, unless a Ritz value lies left of zero."""
        uses_balls = bool(np.linalg.eigvals(self.hessenberg).real.min() > 0.0)
        return replace(self, uses_balls=uses_balls, _coordinates={})

    def coordinates(self, time: float, size: int | None = None) -> Array:
        """Coordinates of ``u(time)`` on the basis, or on its first `size` vectors; shape (k,)."""
        k = self.size if size is None else size
        if k <= 0:
            return np.zeros(self.size)
        if (time, k) not in self._coordinates:
            self._coordinates[time, k] = self._in_balls(time, k)
        return self._coordinates[time, k]

    def _in_balls(self, time: float, size: int) -> Array:
        """Accurate in every coordinate if `uses_balls` and no Ritz value of the part forbids it."""
        column = None
        if self.uses_balls:
            column = resolvent_exponential(self.hessenberg[:size, :size], self.shift, time)
        if column is None:
            return self.coordinates_in_double(time, size)
        return np.pad(self.start_norm * column, (0, self.size - size))

    def coordinates_in_double(self, time: float, size: int | None = None) -> Array:
        """Coordinates that are accurate relative to the largest."""
        return self.trajectory(TimeGrid(time, 1), size)[-1]

    def trajectory(self, times: TimeGrid, size: int | None = None) -> Array:
        """Coordinates at the times of a grid, shape (num_times, k), accurate to the largest."""
        if size is not None and size <= 0:
            return np.zeros((len(times.points), self.size))
        modes, inverse, start = self._reduction(self.size if size is None else size)
        generator = self.shift * (inverse - np.eye(len(inverse)))
        step = expm(-times.step * 0.5**times.halvings * generator)
        states = [inverse @ start]
        for _ in range(times.halvings):
            states.append(step @ states[0])
            step = step @ step
        states.append(step @ states[0])
        for _ in range(times.count - 1):
            states.append(step @ states[-1])
        return np.array(states) @ modes.T

    def _reduction(self, size: int) -> tuple[Array, Array, Array]:
        """Modes (k, r) of the first `size` vectors, the inverse resolvent on them, and the start.

        The resolvent has its spectrum in (0, 1]. In an inner product in which it is not symmetric
        a Ritz value can lie left of zero; it stands for modes that have decayed long ago, but its
        exponential would grow. It is left out by the spectral projection along its modes.
        """
        triangle, basis, r = _sorted_schur(self.hessenberg[:size, :size])
        start = basis[0, :r].copy()
        if r < size:
            tilt = solve_sylvester(triangle[:r, :r], -triangle[r:, r:], triangle[:r, r:])
            start += tilt @ basis[0, r:]
        modes = np.zeros((self.size, r))
        modes[:size] = basis[:, :r]
        return modes, np.linalg.inv(triangle[:r, :r]), self.start_norm * start

    def coefficients(self, time: float, size: int | None = None) -> Array:
        """Owned coefficients of ``u(time)``, or of its part on the first `size` basis vectors.

        Raises:
            ValueError: vectors have been dropped, and their share at this time was not kept.
        """
        held = self.coordinates(time, size)[self.num_dropped :] @ self.vectors / self.root
        return held + self._contribution(time).coefficients if self.num_dropped else held

    def rounding(self, time: float) -> Array:
        """Rounding errors of the owned coefficients of ``u(time)``, estimated from its terms.

        Raises:
            ValueError: as `coefficients`.
        """
        terms = self._terms(time)[self.num_dropped :]
        held = np.zeros(len(self.root))
        for term, vector in zip(terms, self.vectors, strict=True):
            held += term * np.abs(vector) / self.root
        return held + self._contribution(time).rounding if self.num_dropped else held

    def _terms(self, time: float) -> Array:
        """Rounding errors of what each basis vector adds to ``u(time)``, shape (k,)."""
        terms = ROUNDING * np.abs(self.coordinates(time))
        return terms if self.uses_balls else np.maximum(terms, MATRIX_FUNCTION * np.max(terms))

    def _contribution(self, time: float) -> Contribution:
        if time not in self.contributions:
            known = ", ".join(f"{t:g}" for t in self.contributions)
            raise ValueError(
                f"with a bounded Krylov basis the solution is known at the times {known} only, "
                f"got {time:g}"
            )
        return self.contributions[time]


def _sorted_schur(matrix: Array) -> tuple[Array, Array, int]:
    """Schur form with the eigenvalues right of zero first, and how many they are.

    LAPACK refuses where its reordering moves an eigenvalue across the line between both parts; the
    line then lies a little further right, where there are none.
    """
    if not np.all(np.isfinite(matrix)):
        raise ArithmeticError(
            "the solution leaves the double range, for V and V_N differ too much; standardize the "
            "data, or choose a smaller cap.radius"
        )
    for margin in _MARGINS:
        with suppress(np.linalg.LinAlgError):
            return schur(matrix, sort=lambda real, _=0.0, line=margin: real > line)
    raise ArithmeticError("the Ritz values cannot be told from zero; try a shorter horizon")

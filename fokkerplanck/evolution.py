"""The exponential of the generator on a shift-and-invert Krylov space, with dense output in time.

For ``M u' = −K u`` the resolvent ``S = (1 + L/s)^{-1}``, ``L = M^{-1}K``, is one factorisation.
The Krylov space of S starts at ``v = S M^{-1} b``, with b the *exact* load vector of p_0: the L²
projection ``M^{-1} b`` of p_0/π, which smears a compact support over the tails, is never formed,
and the error of the density is that of the space, not that of interpolating p_0. On the space
``u(t) = (1 + L/s) e^{−tL} v`` is a small dense matrix function.

References:
    [EH06] J. van den Eshof, M. Hochbruck, Preconditioning Lanczos approximations to the matrix
    exponential, SIAM J. Sci. Comput. 27 (2006).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.linalg import expm, schur, solve_sylvester

from fokkerplanck.reduction import resolvent_exponential

Array = npt.NDArray[np.float64]

#: Steps between two looks at the error estimate, and lag of the comparison.
STRIDE = 5


#: Rounding error of a sum over the Krylov basis, relative to the sum of absolute values.
ROUNDING = 4.0 * float(np.finfo(np.float64).eps)

#: Error of a matrix function in double precision, in units of that of its largest entry.
MATRIX_FUNCTION = 75.0

#: Below this level an estimate that was not halved in so many strides has met rounding.
PLATEAU, PATIENCE = 1e-7, 3


class KrylovError(RuntimeError):
    """The Krylov basis reached its largest size before the error estimate met the tolerance."""


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
class Evolution:
    """Dense output ``u(t)``, ``t > 0``, on a Krylov space.

    Every number is a linear functional of the coefficients, so means and risks come from their
    values on the basis alone.
    """

    basis: Array  #: orthonormal vectors, shape (num_owned, k)
    hessenberg: Array  #: the resolvent on the basis, shape (k, k)
    start_norm: float  #: norm of the start vector
    change: float  #: largest relative change over the last steps at the requested times
    shift: float  #: s
    comm: MPI.Comm
    is_precise: bool = False  #: whether small coordinates are accurate, too, not only large ones
    #: Coordinates by time and number of vectors, computed once
    _coordinates: dict[tuple[float, int], Array] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def size(self) -> int:
        """Number of basis vectors."""
        return self.hessenberg.shape[0]

    def refined(self) -> "Evolution":
        """The same with small coordinates accurate, unless a Ritz value lies left of zero."""
        is_precise = bool(np.linalg.eigvals(self.hessenberg).real.min() > 0.0)
        return replace(self, is_precise=is_precise, _coordinates={})

    def reduced(self, time: float, size: int | None = None) -> Array:
        """Coordinates of ``u(time)`` on the basis, or on its first `size` vectors; shape (k,)."""
        k = self.size if size is None else size
        if (time, k) not in self._coordinates:
            self._coordinates[time, k] = self._precise(time, k)
        return self._coordinates[time, k]

    def _precise(self, time: float, size: int) -> Array:
        """Accurate in every coordinate if `is_precise` and no Ritz value of the part forbids it."""
        column = None
        if self.is_precise:
            column = resolvent_exponential(self.hessenberg[:size, :size], self.shift, time)
        if column is None:
            return self.rough(time, size)
        return np.pad(self.start_norm * column, (0, self.size - size))

    def rough(self, time: float, size: int | None = None) -> Array:
        """Coordinates that are accurate relative to the largest."""
        return self.trajectory(TimeGrid(time, 1), size)[-1]

    def trajectory(self, times: "TimeGrid", size: int | None = None) -> Array:
        """Coordinates at the times of a grid, shape (num_times, k), accurate to the largest."""
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
        triangle, basis, r = schur(self.hessenberg[:size, :size], sort="rhp")
        start = basis[0, :r].copy()
        if r < size:
            tilt = solve_sylvester(triangle[:r, :r], -triangle[r:, r:], triangle[:r, r:])
            start += tilt @ basis[0, r:]
        modes = np.zeros((self.size, r))
        modes[:size] = basis[:, :r]
        return modes, np.linalg.inv(triangle[:r, :r]), self.start_norm * start

    def coefficients(self, time: float, size: int | None = None) -> Array:
        """Owned coefficients of ``u(time)``."""
        return self.basis @ self.reduced(time, size)

    def rounding(self, time: float) -> Array:
        """Rounding errors of the owned coefficients of ``u(time)``, estimated from its terms."""
        terms = ROUNDING * np.abs(self.reduced(time))
        if not self.is_precise:
            terms = np.maximum(terms, MATRIX_FUNCTION * np.max(terms))
        return np.abs(self.basis) @ terms

    def functional(self, vectors: Array) -> Array:
        """Values of linear functionals, shape (j, num_owned), on the basis: (j, k). Collective."""
        return self.comm.allreduce(vectors @ self.basis)


class KrylovSpace:
    """A growing orthonormal basis, in variables scaled to the Euclidean inner product.

    Args:
        resolvent: the map S on owned coefficients.
        start: ``S M^{-1} b``, owned coefficients.
        weights: diagonal of the inner product, positive, same shape.
        comm: communicator over which the coefficients are distributed.
        shift: s > 0.
        max_size: largest number of basis vectors, a multiple of the stride.
    """

    def __init__(
        self,
        resolvent: Callable[[Array], Array],
        start: Array,
        weights: Array,
        comm: MPI.Comm,
        shift: float,
        max_size: int = 120,
    ) -> None:
        """Begin with the start vector alone. Collective."""
        self._resolvent, self._comm, self._shift = resolvent, comm, shift
        self._root = np.sqrt(weights)
        self._vectors = np.empty((max_size + 1, start.size))
        self._hessenberg = np.zeros((max_size + 1, max_size))
        self._start_norm = self._norm(self._root * start)
        self._vectors[0] = self._root * start / self._start_norm
        self._size, self._max_size = 0, max_size

    def evolve(self, times: Sequence[float], tolerance: float) -> Evolution:
        """Grow the basis until the error estimate at all `times` is met. Collective.

        The basis also stops growing where the estimate no longer falls because it is rounding. The
        estimate is the change of ``u(t)`` over the last steps, in the norm of the basis, relative
        to ``u(t)``; since convergence is geometric it exceeds the error.

        Args:
            times: where the estimate must be met.
            tolerance: relative tolerance.

        Raises:
            KrylovError: the tolerance was not met with the largest basis.
        """
        changes = [np.inf]
        while self._size < self._max_size:
            self._extend(STRIDE)
            change = self._change(times)
            changes.append(change)
            last, before = changes[-PATIENCE:], changes[:-PATIENCE]
            settled = change < PLATEAU and min(last) > 0.5 * min(before, default=np.inf)
            if change <= tolerance or settled:
                return self._evolution(change)
        raise KrylovError(
            f"Krylov basis of {self._max_size} vectors reached a relative change of "
            f"{changes[-1]:.1e} at t = {min(times):g}..{max(times):g}, asked {tolerance:.1e}; "
            "try a shorter horizon or a finer mesh"
        )

    def extended(self, steps: int) -> Evolution | None:
        """The dense output with more basis vectors, or None if so many are not allowed. Collective.

        Its `change` is not known.
        """
        if self._size + steps > self._max_size:
            return None
        self._extend(steps)
        return self._evolution(np.nan)

    def _extend(self, steps: int) -> None:
        """Add `steps` vectors, orthogonalised twice. Collective."""
        for j in range(self._size, self._size + steps):
            vector = self._root * self._resolvent(self._vectors[j] / self._root)
            for _ in range(2):
                overlap = self._comm.allreduce(self._vectors[: j + 1] @ vector)
                self._hessenberg[: j + 1, j] += overlap
                vector -= overlap @ self._vectors[: j + 1]
            length = self._norm(vector)
            self._hessenberg[j + 1, j] = length
            # A vanishing vector ends an invariant space; later columns decouple from it.
            self._vectors[j + 1] = vector / length if length > 0.0 else 0.0
            self._hessenberg[j, j] += float(not self._hessenberg[: j + 2, j].any())
        self._size += steps

    def _evolution(self, change: float) -> Evolution:
        """The dense output on the present basis."""
        k = self._size
        basis = (self._vectors[:k] / self._root).T
        hessenberg = self._hessenberg[:k, :k].copy()
        return Evolution(basis, hessenberg, self._start_norm, change, self._shift, self._comm)

    def _change(self, times: Sequence[float]) -> float:
        """Largest relative change of ``u(t)`` over the last steps, in the norm of the basis."""
        if self._size <= STRIDE:
            return np.inf
        evolution = self._evolution(np.inf)
        return max(_change(evolution, time) for time in times)

    def _norm(self, vector: Array) -> float:
        return float(np.sqrt(self._comm.allreduce(float(vector @ vector))))


def _change(evolution: Evolution, time: float) -> float:
    now = evolution.rough(time)
    before = evolution.rough(time, evolution.size - STRIDE)
    return float(np.linalg.norm(now - before) / np.linalg.norm(now))

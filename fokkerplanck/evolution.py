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
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.linalg import expm, schur, solve_sylvester

Array = npt.NDArray[np.float64]

#: Steps between two looks at the error estimate, and lag of the comparison.
STRIDE = 5


#: The estimate may stop at this level: below it, it is rounding.
PLATEAU = 1e-9


class KrylovError(RuntimeError):
    """The Krylov basis reached its largest size before the error estimate met the tolerance."""


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

    @property
    def size(self) -> int:
        """Number of basis vectors."""
        return self.hessenberg.shape[0]

    def reduced(self, time: float, size: int | None = None) -> Array:
        """Coordinates of ``u(time)`` on the basis, or on its first `size` vectors; shape (k,)."""
        modes, inverse, start = self._reduction(self.size if size is None else size)
        generator = self.shift * (inverse - np.eye(len(inverse)))
        return modes @ (inverse @ (expm(-time * generator) @ start))

    def trajectory(self, count: int, horizon: float, size: int | None = None) -> Array:
        """Coordinates at the times ``0, horizon/count, ..., horizon``, shape (count + 1, k)."""
        modes, inverse, start = self._reduction(self.size if size is None else size)
        step = expm(-horizon / count * self.shift * (inverse - np.eye(len(inverse))))
        states = [inverse @ start]
        for _ in range(count):
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

    def functional(self, vectors: Array) -> Array:
        """Values of linear functionals, shape (j, num_owned), on the basis: (j, k). Collective."""
        return self.comm.allreduce(vectors @ self.basis)


def krylov_evolution(
    resolvent: Callable[[Array], Array],
    start: Array,
    weights: Array,
    comm: MPI.Comm,
    shift: float,
    times: Sequence[float],
    tolerance: float,
    max_size: int = 120,
) -> Evolution:
    """Grow the basis by Arnoldi steps until the error estimate at all `times` is met. Collective.

    The basis also ends where the estimate no longer falls because it is rounding. The estimate is
    the change of ``u(t)`` over the last steps, in the norm of the basis, relative to ``u(t)``;
    since convergence is geometric it exceeds the error.

    Args:
        resolvent: the map S on owned coefficients.
        start: ``S M^{-1} b``, owned coefficients.
        weights: diagonal of the inner product, positive, same shape.
        comm: communicator over which the coefficients are distributed.
        shift: s > 0.
        times: where the estimate must be met.
        tolerance: relative tolerance.
        max_size: largest number of basis vectors, a multiple of the stride.

    Raises:
        KrylovError: the tolerance was not met with `max_size` vectors.
    """
    arnoldi = _Arnoldi(resolvent, start, weights, comm, max_size)
    changes = [np.inf]
    while arnoldi.size < max_size:
        arnoldi.extend(STRIDE)
        change = arnoldi.change(shift, times)
        settled = change < PLATEAU and change > 0.5 * min(changes)
        if change <= tolerance or settled:
            return arnoldi.evolution(shift, change)
        changes.append(change)
    raise KrylovError(
        f"Krylov basis of {max_size} vectors reached a relative change of {changes[-1]:.1e} at "
        f"t = {min(times):g}..{max(times):g}, asked {tolerance:.1e}; "
        "try a shorter horizon or a finer mesh"
    )


class _Arnoldi:
    """A growing orthonormal basis, in variables scaled to the Euclidean inner product."""

    def __init__(
        self,
        resolvent: Callable[[Array], Array],
        start: Array,
        weights: Array,
        comm: MPI.Comm,
        max_size: int,
    ) -> None:
        """Begin with the start vector alone. Collective."""
        self._resolvent, self._comm = resolvent, comm
        self._root = np.sqrt(weights)
        self._vectors = np.empty((max_size + 1, start.size))
        self._hessenberg = np.zeros((max_size + 1, max_size))
        self._start_norm = self._norm(self._root * start)
        self._vectors[0] = self._root * start / self._start_norm
        self.size = 0

    def extend(self, steps: int) -> None:
        """Add `steps` vectors, orthogonalised twice. Collective."""
        for j in range(self.size, self.size + steps):
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
        self.size += steps

    def evolution(self, shift: float, change: float) -> Evolution:
        """The dense output on the present basis."""
        k = self.size
        basis = (self._vectors[:k] / self._root).T
        return Evolution(
            basis, self._hessenberg[:k, :k], self._start_norm, change, shift, self._comm
        )

    def change(self, shift: float, times: Sequence[float]) -> float:
        """Largest relative change of ``u(t)`` over the last steps, in the norm of the basis."""
        if self.size <= STRIDE:
            return np.inf
        evolution = self.evolution(shift, np.inf)
        return max(_change(evolution, time) for time in times)

    def _norm(self, vector: Array) -> float:
        return float(np.sqrt(self._comm.allreduce(float(vector @ vector))))


def _change(evolution: Evolution, time: float) -> float:
    now = evolution.reduced(time)
    before = evolution.reduced(time, evolution.size - STRIDE)
    return float(np.linalg.norm(now - before) / np.linalg.norm(now))

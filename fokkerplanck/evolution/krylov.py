"""Shift-and-invert Krylov spaces: bases that grow until an error estimate is met.

A basis is as large as its Hessenberg matrix, but need not be held as a whole. Where memory bounds
the number of vectors, orthogonalisation begins anew after each cycle of so many: a restarted
Arnoldi process [EE06]. The matrix has no entries above the blocks of its cycles then, so that the
coordinates of ``u(t)`` on a cycle no longer change once it is complete. Its vectors are dropped;
their functionals are kept, and what they contribute to ``u(t)`` at some times.

References:
    [EH06] J. van den Eshof, M. Hochbruck, Preconditioning Lanczos approximations to the matrix
    exponential, SIAM J. Sci. Comput. 27 (2006).
    [EE06] M. Eiermann, O. G. Ernst, A restarted Krylov subspace method for the evaluation of matrix
    functions, SIAM J. Numer. Anal. 44 (2006).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from fokkerplanck.evolution.dense_output import Contribution, DenseOutput
from fokkerplanck.problem.numerics import FEWEST_VECTORS, LAG, STRIDE
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.ranks import total

#: Below this level an estimate that was not halved in so many strides has met rounding.
PLATEAU, PATIENCE = 1e-7, 3


class KrylovError(RuntimeError):
    """The Krylov basis reached its largest size before the error estimate met the tolerance."""


@dataclass(frozen=True)
class Restart:
    """How many vectors a basis may hold, and what is to be known of the others.

    Raises:
        ValueError: there are too few of them.
    """

    num_vectors: int  #: at least `FEWEST_VECTORS`
    times: tuple[float, ...]  #: at which ``u(t)`` will be asked for

    def __post_init__(self) -> None:
        """Check the number."""
        if self.num_vectors < FEWEST_VECTORS:
            raise ValueError(
                f"a Krylov basis must hold at least {FEWEST_VECTORS} vectors, "
                f"got {self.num_vectors}"
            )

    @property
    def cycle(self) -> int:
        """Vectors from one restart to the next."""
        return self.num_vectors - LAG


@dataclass(frozen=True)
class Cycle:
    """Where the present cycle begins among the vectors of a basis, and where those that are held.

    Vectors are numbered from the start vector on. Rows are those of the array that holds them::

        vector    0 ......... dropped ......... first ........... last   last + 1
                  |  dropped  |  cycle before   |  present cycle     |   comes next
        row                   0 .............................. last − dropped

    A new vector is made orthogonal to the present cycle alone. The cycle before is held until this
    one has `LAG` vectors, for error estimates compare what both add to ``u(t)``.
    """

    dropped: int = 0  #: vectors before the held ones
    first: int = 0  #: vectors before the present cycle

    @property
    def holds_another(self) -> bool:
        """Whether the cycle before is held."""
        return self.first > self.dropped

    def row(self, vector: int) -> int:
        """Row that holds a vector."""
        return vector - self.dropped

    def rows(self, last: int) -> slice:
        """Rows of the present cycle, up to its last vector."""
        return slice(self.row(self.first), self.row(last) + 1)

    def length(self, last: int) -> int:
        """Steps from the first to the last vector of the present cycle."""
        return last - self.first

    def alone(self) -> "Cycle":
        """The same when the cycle before is dropped."""
        return Cycle(self.first, self.first)

    def following(self, last: int) -> "Cycle":
        """The next cycle, which begins with the last vector of this one."""
        return Cycle(self.dropped, last)


class KrylovSpace:
    """A growing basis in variables scaled to the Euclidean inner product.

    It is orthonormal, or with restarts orthonormal within each cycle.

    Args:
        resolvent: the map S on owned coefficients.
        start: ``S M^{-1} b``, owned coefficients.
        weights: diagonal of the inner product, positive, same shape.
        comm: communicator over which the coefficients are distributed.
        shift: s > 0.
        max_size: largest number of basis vectors, a multiple of the stride.
        observe: linear functionals of owned coefficients, this rank's summands of shape (j,).
        restart: of the vectors held at a time; none by default.
    """

    def __init__(
        self,
        resolvent: Callable[[Array], Array],
        start: Array,
        weights: Array,
        comm: MPI.Comm,
        shift: float,
        max_size: int = 120,
        observe: Callable[[Array], Array] = lambda _: np.empty(0),
        restart: Restart | None = None,
    ) -> None:
        """Begin with the start vector alone. Collective."""
        self._resolvent, self._comm, self._shift = resolvent, comm, shift
        self._observe, self._restart = observe, restart
        self._root = np.sqrt(weights)
        most = max_size if restart is None else min(max_size, restart.num_vectors)
        self._vectors = np.empty((most + 1, start.size))
        self._hessenberg = np.zeros((max_size + 1, max_size))
        self._start_norm = self._norm(self._root * start)
        self._vectors[0] = self._root * start / self._start_norm
        self._size, self._max_size = 0, max_size
        self._cycle = Cycle()
        self._contributions: dict[float, Contribution] = {}
        self._observed = np.empty((len(observe(start)), 0))

    @property
    def start(self) -> Array:
        """Coordinates of the start vector, shape (max_size + 1,)."""
        return self._start_norm * np.eye(1, self._max_size + 1)[0]

    def evolve(self, times: Sequence[float], tolerance: float) -> DenseOutput:
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

    def can_grow(self, steps: int) -> bool:
        """Whether so many more basis vectors are allowed."""
        return self._size + steps <= self._max_size

    def extended(self, steps: int) -> DenseOutput:
        """The dense output with more basis vectors, as many as `can_grow` allows. Collective.

        Its `change` is not known.
        """
        self._extend(steps)
        return self._evolution(np.nan)

    def combination(self, coordinates: Array, in_size: bool = False) -> Array:
        """Owned coefficients of the vector with these coordinates, of shape (max_size + 1,).

        The vectors must be held; `in_size` adds up the absolute values of their entries.
        """
        count = self._size + 1
        vectors = self._vectors[:count]
        return coordinates[:count] @ (np.abs(vectors) if in_size else vectors) / self._root

    def stepped(self, coordinates: Array) -> Array:
        """Coordinates of S times the vector with these coordinates, of shape (max_size + 1,).

        Takes further basis vectors where they are missing. Collective.
        """
        support = np.flatnonzero(coordinates)
        count = int(support[-1]) + 1 if len(support) else 0
        self._extend(max(count - self._size, 0))
        return self._hessenberg[:, :count] @ coordinates[:count]

    def _extend(self, steps: int) -> None:
        """Add `steps` vectors. Collective."""
        if steps == 0:
            return
        observed = []
        for last in range(self._size, self._size + steps):
            if self._restart is not None:
                self._turn(last, self._restart)
            observed.append(self._observe(self._vectors[self._cycle.row(last)] / self._root))
            self._append_to(last)
        self._size += steps
        columns = self._comm.allreduce(np.stack(observed, axis=1))
        self._observed = np.hstack([self._observed, columns])

    def _append_to(self, last: int) -> None:
        """Add a vector after the last one, orthogonalised twice against the cycle. Collective."""
        first, vectors = self._cycle.first, self._vectors[self._cycle.rows(last)]
        vector = self._root * self._resolvent(vectors[-1] / self._root)
        for _ in range(2):
            overlap = self._comm.allreduce(vectors @ vector)
            self._hessenberg[first : last + 1, last] += overlap
            vector -= overlap @ vectors
        length = self._norm(vector)
        self._hessenberg[last + 1, last] = length
        # A vanishing vector ends an invariant space; later columns decouple from it.
        self._vectors[self._cycle.row(last + 1)] = vector / length if length > 0.0 else 0.0
        self._hessenberg[last, last] += float(not self._hessenberg[: last + 2, last].any())

    def _turn(self, last: int, restart: Restart) -> None:
        """Drop the cycle before where it has settled; begin another where this one is complete."""
        if self._cycle.length(last) == LAG and self._cycle.holds_another:
            self._keep_contributions(restart.times)
            kept = self._vectors[self._cycle.rows(last)]
            # the rows overlap where a cycle is longer than what is dropped
            self._vectors[: len(kept)] = kept.copy()
            self._cycle = self._cycle.alone()
        if self._cycle.length(last) == restart.cycle:
            self._cycle = self._cycle.following(last)

    def _keep_contributions(self, times: Sequence[float]) -> None:
        """Keep what all vectors before the present cycle add to ``u(t)``. Collective."""
        past = self._evolution(np.nan, self._cycle.first).in_ball_arithmetic()
        self._contributions = {
            time: Contribution(past.coefficients(time), past.rounding(time)) for time in times
        }

    def _evolution(self, change: float, size: int | None = None) -> DenseOutput:
        """The dense output on the present basis, or on its first `size` vectors."""
        k = self._size if size is None else size
        return DenseOutput(
            self._vectors[: self._cycle.row(k)],
            self._root,
            self._hessenberg[:k, :k].copy(),
            self._start_norm,
            change,
            self._shift,
            self._observed[:, :k],
            self._contributions,
        )

    def _change(self, times: Sequence[float]) -> float:
        """Largest relative change of ``u(t)`` over the last steps, in the norm of the basis."""
        if self._size <= STRIDE:
            return np.inf
        output = self._evolution(np.inf)
        return max(_change(output, time) for time in times)

    def _norm(self, vector: Array) -> float:
        return float(np.sqrt(total(self._comm, vector @ vector)))


def _change(output: DenseOutput, time: float) -> float:
    now = output.coordinates_in_double(time)
    before = output.coordinates_in_double(time, output.size - STRIDE)
    return float(np.linalg.norm(now - before) / np.linalg.norm(now))

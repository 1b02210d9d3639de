"""What ranks tell each other: numbers that all of them need, and rows of arrays for one another."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from fokkerplanck.runtime.arrays import Array, Indices, Mask


def largest(comm: MPI.Comm, values: Array | float) -> float:
    """Largest number of all ranks; a rank may have none. Collective."""
    return float(
        comm.allreduce(float(np.max(np.asarray(values, float), initial=-np.inf)), op=MPI.MAX)
    )


def smallest(comm: MPI.Comm, values: Array | float) -> float:
    """Smallest number of all ranks; a rank may have none. Collective."""
    return float(
        comm.allreduce(float(np.min(np.asarray(values, float), initial=np.inf)), op=MPI.MIN)
    )


def total(comm: MPI.Comm, values: Array | float) -> float:
    """Sum of the numbers of all ranks. Collective."""
    return float(comm.allreduce(float(np.sum(values))))


def agreed(comm: MPI.Comm, holds: Mask | bool) -> bool:
    """Whether all of it holds on every rank. Collective."""
    return bool(comm.allreduce(bool(np.all(holds)), op=MPI.LAND))


def first_problem(comm: MPI.Comm, problem: str | None) -> str | None:
    """What the first rank that has a problem says of it, on every rank. Collective."""
    return next((text for text in comm.allgather(problem) if text), None)


def together[T](comm: MPI.Comm, action: Callable[[], T]) -> T:
    """Return what the action returns here, or raise on all ranks what it raises on one. Collective.

    The action must not be collective itself: a rank that raises would leave the others.

    Raises:
        ValueError: the action has raised something on some rank.
    """
    result: T | None = None
    problem: str | None = None
    try:
        result = action()
    except ValueError as error:
        problem = str(error) or type(error).__name__
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    if (said := first_problem(comm, problem)) is not None:
        raise ValueError(said)
    return result  # type: ignore[return-value]  # nothing was raised


class ElsewhereError(Exception):
    """Rank 0 has failed, and says why."""


def on_rank_0[T](comm: MPI.Comm, action: Callable[[], T]) -> T:
    """Return on every rank what the action returns on rank 0, the only one to run it. Collective.

    Raises:
        ElsewhereError: On the other ranks, where rank 0 raises what the action does.
    """
    problem: Exception | None = None
    result: T | None = None
    if comm.rank == 0:
        try:
            result = action()
        except Exception as error:
            problem = error
    said, result = comm.bcast((problem and str(problem), result))
    if problem is not None:
        raise problem
    if said is not None:
        raise ElsewhereError(said)
    return result


@dataclass(frozen=True, eq=False)
class Exchange:
    """All-to-all exchange of rows: which go to which rank, and come from which."""

    order: Indices  #: this rank's rows sorted by destination
    sent: list[int]  #: rows for each rank
    received: list[int]  #: rows from each rank
    comm: MPI.Comm

    @classmethod
    def plan(cls, owners: Indices, comm: MPI.Comm) -> "Exchange":
        """The exchange that sends row ``k`` to rank ``owners[k]``. Collective."""
        sent = np.bincount(owners, minlength=comm.size).tolist()
        return cls(np.argsort(owners, kind="stable"), sent, comm.alltoall(sent), comm)

    @classmethod
    def round_robin(cls, count: int, comm: MPI.Comm) -> "Exchange":
        """The exchange that sends so many rows to the ranks in turn. Collective.

        Ranks begin where the one before has ended, so that all get as many, up to one.
        """
        first = sum(comm.allgather(count)[: comm.rank])
        return cls.plan((first + np.arange(count)) % comm.size, comm)

    def send(self, rows: Array) -> Array:
        """Return the rows that other ranks sent here. Collective."""
        return self._exchange(rows[self.order], self.sent, self.received)

    def send_back(self, rows: Array) -> Array:
        """Return to each rank one answer for each of its rows, in their order. Collective."""
        answers = self._exchange(rows, self.received, self.sent)
        result = np.empty_like(answers)
        result[self.order] = answers
        return result

    def _exchange(self, rows: Array, sent: list[int], received: list[int]) -> Array:
        width = rows.shape[1]
        result = np.empty((sum(received), width))
        counts = [width * n for n in sent], [width * n for n in received]
        self.comm.Alltoallv([np.ascontiguousarray(rows), counts[0]], [result, counts[1]])
        return result

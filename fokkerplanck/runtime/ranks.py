"""Sending rows of arrays to other ranks, and their answers back."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fokkerplanck.runtime.arrays import Array, Indices


@dataclass(frozen=True, eq=False)
class Exchange:
    """Which rows go to which rank, and come from which."""

    order: Indices  #: this rank's rows sorted by destination
    sent: list[int]  #: rows for each rank
    received: list[int]  #: rows from each rank
    comm: Any

    @classmethod
    def plan(cls, owners: Indices, comm: Any) -> "Exchange":
        """Return the route that sends row ``k`` to rank ``owners[k]``. Collective."""
        sent = np.bincount(owners, minlength=comm.size).tolist()
        return cls(np.argsort(owners, kind="stable"), sent, comm.alltoall(sent), comm)

    @classmethod
    def round_robin(cls, count: int, comm: Any) -> "Exchange":
        """Return the route that deals this many rows to the ranks in turn. Collective.

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

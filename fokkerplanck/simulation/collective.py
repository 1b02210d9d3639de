"""What one rank does for all."""

from collections.abc import Callable
from typing import Any

from fokkerplanck.runtime.wording import one_line
from fokkerplanck.study import StudyError


def on_rank_0[T](comm: Any, action: Callable[[], T]) -> T:
    """Return on every rank what rank 0 gets, or raise there what rank 0 raises. Collective.

    Args:
        comm: communicator of mpi4py.
        action: what only rank 0 does.

    Raises:
        StudyError: the action has refused its input, or met the limits of the file system.
    """
    outcome: tuple[T | None, str] = (None, "")
    if comm.rank == 0:
        try:
            outcome = (action(), "")
        except (OSError, ValueError) as error:
            outcome = (None, one_line(error))
    result, problem = comm.bcast(outcome)
    if problem:
        raise StudyError(problem)
    return result

"""What some ranks meet and all must know of."""

from collections.abc import Callable
from typing import Any


def together[T](action: Callable[[], T], comm: Any) -> T:
    """Return what the action returns here, or raise on all ranks what it raises on one. Collective.

    Args:
        action: it must not be collective itself, as a rank that raises would leave the others.
        comm: MPI communicator.

    Raises:
        ValueError: the action has raised a ValueError on some rank, or anything else.
    """
    result: T | None = None
    problem: str | None = None
    try:
        result = action()
    except ValueError as error:
        problem = str(error)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    problems = [text for text in comm.allgather(problem) if text is not None]
    if problems:
        raise ValueError(problems[0])
    return result  # type: ignore[return-value]  # nothing was raised

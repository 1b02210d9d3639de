"""Sharing out of parameter points over the ranks of a communicator."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fokkerplanck.risk.series import RiskSeries, RiskTable
from fokkerplanck.risk.sweep import RiskError
from fokkerplanck.runtime.arrays import Array, Indices
from fokkerplanck.runtime.ranks import Exchange, first_problem

SAME_POINT = 1e-12  #: distance, relative to the size of θ, below which two points are one


def keys(points: Array) -> npt.NDArray[np.int64]:
    """Return integers, shape ``(P, m + 1)``, that agree for points that agree up to rounding.

    The last column is the scale of the point; the same integers at another scale are another point.
    """
    size = np.maximum(np.linalg.norm(points, axis=1), 1e-300)
    exponent = np.ceil(np.log2(size))
    spacing = SAME_POINT * 2.0**exponent
    return np.column_stack([np.rint(points / spacing[:, None]), exponent]).astype(np.int64)


def distinct(points: Array) -> tuple[Indices, Indices]:
    """Find points that are equal up to rounding.

    Beyond the last break of a cap all points of a ray have one image, so that the rings of a mesh
    give many copies.

    Args:
        points: Points, shape ``(P, m)``.

    Returns:
        Indices of one point of each group, and for each point the number of its group.
    """
    if not len(points):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    _, first, inverse = np.unique(keys(points), axis=0, return_index=True, return_inverse=True)
    return first, inverse.reshape(-1)


def tabulate_shared(
    series: RiskSeries, theta: Array, depths: Sequence[float], comm: Any
) -> RiskTable:
    """Tabulate points that all ranks hold, each distinct point on one rank. Collective.

    A hash of the point decides on the rank, which balances cheap and dear points alike.

    Args:
        series: What to tabulate.
        theta: Distinct parameters of this rank, shape ``(P, m)``.
        depths: Numbers of layers.
        comm: MPI communicator.

    Returns:
        The table of this rank's points.

    Raises:
        RiskError: A state leaves the double range on some rank; every rank raises.
    """
    exchange = Exchange.plan(_owners(theta, comm.size), comm)
    received = exchange.send(theta)
    first, inverse = distinct(received)
    table = _agreed(lambda: series.tabulate(received[first], depths), comm)
    columns = [table.value[:, None], table.gradient]
    columns += [values[:, None] for values in table.difference.values()]
    columns += list(table.difference_gradient.values())
    packed = exchange.send_back(np.concatenate(columns, axis=1)[inverse])
    return _unpacked(packed, table, theta.shape[1], _largest(table.error, comm))


def _owners(theta: Array, size: int) -> Indices:
    """Return for each point a rank in ``[0, size)`` by multiplicative hashing of its key."""
    mixed = np.zeros(len(theta), dtype=np.uint64)
    for column in keys(theta).astype(np.uint64).T:
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return ((mixed >> np.uint64(33)) % np.uint64(size)).astype(np.intp)


def _agreed(tabulate: Callable[[], RiskTable], comm: Any) -> RiskTable:
    """Return this rank's table, or raise on every rank what one rank meets. Collective."""
    problem = None
    try:
        table = tabulate()
    except RiskError as error:
        problem = str(error)
    if found := first_problem(comm, problem):
        raise RiskError(found)
    return table


def _largest(errors: dict[float, float], comm: Any) -> dict[float, float]:
    """Return for each depth the largest error of any rank. Collective."""
    gathered = comm.allgather(errors)
    return {depth: max(part[depth] for part in gathered) for depth in errors}


def _unpacked(packed: Array, table: RiskTable, m: int, error: dict[float, float]) -> RiskTable:
    """Return the table whose columns stand side by side in ``packed``."""
    depths = list(table.difference)
    split = 1 + m + len(depths)
    values, gradients = packed[:, 1 + m : split], packed[:, split:]
    return RiskTable(
        packed[:, 0],
        packed[:, 1 : 1 + m],
        {n: values[:, k] for k, n in enumerate(depths)},
        {n: gradients[:, k * m : (k + 1) * m] for k, n in enumerate(depths)},
        error,
        table.method,
    )

"""The choice between Cholesky factors and conjugate gradients, from the memory they need.

The factors' size is predicted before anything is allocated. Nested dissection of C cells cuts
through ``C^{(m−1)/m}`` of them, where a cell side has ``p^{m−1}`` unknowns; the factors hold the
square of that number, in two dimensions once per level of the dissection. The coefficients are
fitted to factors of disks and balls of degree 2 to 8 (`docs/scaling.md`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.cholesky import CholeskySolver
from fokkerplanck.linalg.conjugate_gradients import ConjugateGradientSolver, SolverError
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.numerics import AUTOMATIC, FEWEST_VECTORS, SolverOptions
from fokkerplanck.runtime.arrays import Array

#: Part of the free memory that factors may take; the Krylov basis needs some, too.
_SHARE = 0.5

#: Bytes per entry of the factors, the work of the factorisation included.
_ENTRY = 12.0

#: Bytes per entry of the cells' Schur complements while they are put together.
_COMPLEMENT = 30.0

#: Bytes per unknown of multigrid, with the geometry at the Gauss points.
_UNKNOWN = 2500.0

#: The same of a pair of Krylov vectors: it has two functions, and goes with two solvers.
_PAIR = 8.0

#: So many pairs of Krylov vectors are hardly ever needed.
_ALL_PAIRS = 60


class LinearSolver(Protocol):
    """The solution operator of ``M + K/shift``."""

    @property
    def description(self) -> str:
        """One line for people."""

    def solve(self, load: Array) -> Array:
        """Solve for the owned coefficients. Collective."""


def create_solver(
    operator: GibbsOperator, shift: float, options: SolverOptions = AUTOMATIC
) -> LinearSolver:
    """Cholesky factors where they fit into memory, else conjugate gradients. Collective.

    Args:
        operator: M and K.
        shift: s > 0.
        options: which solver, how much memory, how accurate an iteration; factors are exact to
            rounding.

    Raises:
        SolverError: there is not enough memory.
    """
    choice = choose(operator.space, options)
    try:
        if choice.method == "cholesky":
            return CholeskySolver(operator, shift)
        return ConjugateGradientSolver(operator, shift, options.tolerance)
    except (MemoryError, PETSc.Error) as error:
        raise SolverError(
            f"the {choice.method} solver failed, probably for want of memory ({error}); "
            + _WAYS_OUT[choice.method]
        ) from error


def num_pairs(space: Space, options: SolverOptions) -> int | None:
    """Pairs of Krylov vectors that a difference may hold, None for all. Collective.

    Raises:
        SolverError: there is not enough memory.
    """
    if options.vectors is not None:
        return options.vectors
    choice = choose(space, options)
    more = (choice.allowed - choice.needed) / (_PAIR * space.num_unknowns)
    return None if FEWEST_VECTORS + more >= _ALL_PAIRS else FEWEST_VECTORS + int(more)


@dataclass(frozen=True)
class Choice:
    """A solver, and the memory of all ranks that it is expected to need."""

    method: Literal["cholesky", "iterative"]
    needed: float  #: bytes, with the smallest Krylov basis
    allowed: float  #: bytes

    @property
    def description(self) -> str:
        """One line for people."""
        return f"{self.method}, for about {_gigabytes(self.needed)} of {_gigabytes(self.allowed)}"


def choose(space: Space, options: SolverOptions = AUTOMATIC) -> Choice:
    """What `create_solver` takes, before anything is computed. Collective.

    Raises:
        SolverError: there is not enough memory.
    """
    method, memory = options.method, options.memory
    memory = _SHARE * free_memory(space.domain.comm) if memory is None else memory
    basis = _PAIR * FEWEST_VECTORS * space.num_unknowns
    needed = {
        "cholesky": cholesky_bytes(space) + basis,
        "iterative": _UNKNOWN * space.num_unknowns + basis,
    }
    if method == "auto":
        fits = needed["cholesky"] <= memory or space.domain.dimension == 1
        method = "cholesky" if fits else "iterative"
    if needed[method] > memory:
        raise SolverError(
            f"the {method} solver needs about {_gigabytes(needed[method])} for "
            f"{space.num_unknowns} unknowns, {_gigabytes(memory)} may be taken; "
            + (_WAYS_OUT[method] if space.domain.dimension > 1 else _WAY_OUT_ON_THE_LINE)
        )
    return Choice(method, needed[method], memory)


#: The iteration is for two and three parameters.
_WAY_OUT_ON_THE_LINE = "allow more memory, or choose a coarser domain"

_WAYS_OUT = {
    "cholesky": "choose the solver 'iterative', a coarser domain, or run on more memory",
    "iterative": "choose a coarser domain or a lower degree, or run on more memory",
}


def cholesky_bytes(space: Space) -> float:
    """Prediction of the memory of Cholesky factors of all ranks, in bytes. Collective."""
    domain, p = space.domain, space.degree
    m = domain.dimension
    cells = float(domain.mesh.topology.index_map(m).size_global)
    inside = float((p - 1) ** m)
    around = (p + 1.0) ** m - inside
    condensed = cells * (8.0 * inside * (inside + around) + _COMPLEMENT * around**2)
    return _ENTRY * factor_entries(cells, p, m) + condensed


def factor_entries(cells: float, degree: int, dimension: int) -> float:
    """Entries of the factors of what couples the cells, by a fit to measured ones."""
    if dimension == 1:
        return 4.0 * cells
    if dimension == 2:
        return cells * degree**2 * max(5.5 * np.log2(cells) - 12.0, 10.0)
    return 14.0 * cells ** (4 / 3) * degree**4


def free_memory(comm: MPI.Comm) -> float:
    """Memory that is free on all machines of a communicator, in bytes. Collective."""
    machine = comm.Split_type(MPI.COMM_TYPE_SHARED)
    share = _free_here() / machine.size
    machine.Free()
    return float(comm.allreduce(share))


def _free_here() -> float:
    """Memory that is free on this machine, in bytes; infinite where nothing tells."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return np.inf
    return next(
        (1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable")),
        np.inf,
    )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"

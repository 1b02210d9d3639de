"""The choice between Cholesky factors and conjugate gradients, from the memory they need.

The factors' size is predicted before anything is allocated. Nested dissection of C cells cuts
through ``C^{(m−1)/m}`` of them, where a cell side has ``p^{m−1}`` unknowns; the factors hold the
square of that number, in two dimensions once per level of the dissection. The coefficients are
fitted to factors of disks and balls of degree 2 to 8 (`docs/scaling.md`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.cholesky import CholeskySolver
from fokkerplanck.linalg.conjugate_gradients import ConjugateGradientSolver, SolverError
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.numerics import FEWEST_VECTORS
from fokkerplanck.runtime.arrays import Array

Method = Literal["auto", "cholesky", "iterative"]

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


def linear_solver(
    operator: GibbsOperator,
    shift: float,
    method: Method = "auto",
    memory: float | None = None,
    tolerance: float = 1e-12,
) -> LinearSolver:
    """Cholesky factors where they fit into memory, else conjugate gradients. Collective.

    Args:
        operator: M and K.
        shift: s > 0.
        method: "cholesky" or "iterative" force one of them.
        memory: bytes that all ranks together may take; by default part of what is free.
        tolerance: of the iteration, relative; factors are exact to rounding.

    Raises:
        SolverError: there is not enough memory.
    """
    choice = choose(operator.space, method, memory)
    try:
        if choice.method == "cholesky":
            return CholeskySolver(operator, shift)
        return ConjugateGradientSolver(operator, shift, tolerance)
    except (MemoryError, PETSc.Error) as error:
        raise SolverError(
            f"the {choice.method} solver failed, probably for want of memory ({error}); "
            + _WAYS_OUT[choice.method]
        ) from error


@dataclass(frozen=True)
class SolverOptions:
    """How systems with ``M + K/shift`` are to be solved."""

    method: Method = "auto"
    memory: float | None = None  #: bytes that all ranks together may take; by default what is free
    tolerance: float = 1e-12  #: of the iteration
    vectors: int | None = None  #: pairs of Krylov vectors that may be held; by default what fits

    def num_pairs(self, space: Space) -> int | None:
        """Pairs of Krylov vectors that a difference may hold, None for all. Collective.

        Raises:
            SolverError: there is not enough memory.
        """
        if self.vectors is not None:
            return self.vectors
        choice = self.choose(space)
        more = (choice.allowed - choice.needed) / (_PAIR * space.num_unknowns)
        return None if FEWEST_VECTORS + more >= _ALL_PAIRS else FEWEST_VECTORS + int(more)

    def choose(self, space: Space) -> "Choice":
        """What `create` will take. Collective."""
        return choose(space, self.method, self.memory)

    def create(self, operator: GibbsOperator, shift: float) -> LinearSolver:
        """Set up the solver of an operator. Collective.

        Raises:
            SolverError: there is not enough memory.
        """
        return linear_solver(operator, shift, self.method, self.memory, self.tolerance)


#: The choice by memory.
AUTOMATIC: Final = SolverOptions()


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


def choose(space: Space, method: Method = "auto", memory: float | None = None) -> Choice:
    """What `linear_solver` takes, before anything is computed. Collective.

    Args:
        space: of the operator.
        method: "cholesky" or "iterative" force one of them.
        memory: bytes that all ranks together may take; by default part of what is free.

    Raises:
        SolverError: there is not enough memory.
    """
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
            + _WAYS_OUT[method]
        )
    return Choice(method, needed[method], memory)


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

"""The resolvent ``(M + K/s)^{-1}`` by Cholesky factorisation.

Basis functions inside cells are eliminated cell by cell (static condensation); what couples the
cells, about a third of the unknowns at degree 8 on hexahedra, goes to the sparse factorisation.
"""

from collections.abc import Sequence

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.triangular_kernels import backward, forward
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.runtime.arrays import Array, Indices
from fokkerplanck.runtime.ranks import largest

#: Entries of the element matrices that are computed at once.
_CHUNK = 4_000_000

#: Entries of a rank's Schur complements up to which MUMPS gets twice the workspace that it asks
#: for, which is too little for few unknowns.
_FEW_ENTRIES = 10_000_000

#: Unknowns that are not inside cells up to which several ranks factor their matrix each.
_REPLICATED = 600


class CholeskySolver:
    """The solution operator of ``M + K/shift``, factored once.

    Both sides are scaled by the square roots of the diagonal, which carry the range of π; the
    Cholesky factors then have entries of order one.
    """

    def __init__(self, operator: GibbsOperator, shift: float) -> None:
        """Factor the matrix. Collective."""
        self._space = space = operator.space
        self._scale = 1.0 / np.sqrt(operator.diagonal(shift))
        self._inside, self._around = _split(space)
        cells = len(space.dofs)
        self._factors = np.empty((cells, len(self._inside), len(self._inside)))
        self._links = np.empty((cells, len(self._inside), len(self._around)))
        comm = space.domain.comm
        owned = np.ones(space.num_owned, dtype=bool)
        owned[space.dofs[:, self._inside]] = False
        self._skeleton = np.flatnonzero(owned)
        counts = comm.allgather(len(self._skeleton))
        replicates = comm.size > 1 and sum(counts) <= _REPLICATED
        factors = _Replicated if replicates else _Distributed
        numbers = self._numbers(sum(counts[: comm.rank]))
        # The complements are large: nobody else holds them when the factors drop them.
        self._skeleton_factors: _Replicated | _Distributed = factors(
            comm, counts, numbers, self._complements(operator, shift)
        )

    def _numbers(self, first: int) -> Indices:
        """Global numbers (C, n) of what is around the cells, the owned from `first` on."""
        number = np.zeros(self._space.num_owned)
        number[self._skeleton] = first + np.arange(len(self._skeleton))
        around = self._space.dofs[:, self._around]
        return self._space.with_ghosts(number)[around].astype(PETSc.IntType)

    def _complements(self, operator: GibbsOperator, shift: float) -> Array:
        """Eliminate the insides of all cells; return the Schur complements (C, n, n)."""
        space = self._space
        cells, n = space.dofs.shape
        complements = np.empty((cells, len(self._around), len(self._around)))
        scale = space.with_ghosts(self._scale)[space.dofs]
        size = max(1, _CHUNK // n**2)
        for start in range(0, cells, size):
            part = slice(start, start + size)
            matrices = operator.element_matrices(part, shift)
            matrices *= scale[part, :, None] * scale[part, None, :]
            for cell, matrix in enumerate(matrices, start):
                complements[cell] = self._condense(cell, matrix)
        return complements

    @property
    def description(self) -> str:
        """One line for people."""
        return "Cholesky factorisation of what couples the cells"

    def _condense(self, cell: int, matrix: Array) -> Array:
        """Eliminate the inside of a cell; return the Schur complement on what is around."""
        inside, around = self._inside, self._around
        factor = np.linalg.cholesky(matrix[np.ix_(inside, inside)])
        link = solve_triangular(factor, matrix[np.ix_(inside, around)], lower=True)
        self._factors[cell], self._links[cell] = factor, link
        complement: Array = matrix[np.ix_(around, around)] - link.T @ link
        return complement

    def solve(self, load: Array) -> Array:
        """Solve for the owned coefficients. Collective."""
        space = self._space
        right = self._scale * load
        # No other cell touches what is inside of one, so this needs no neighbours.
        inside = right[space.dofs[:, self._inside]]
        forward(self._factors, inside)
        parts = np.zeros(space.dofs.shape)
        parts[:, self._around] = -np.matmul(inside[:, None, :], self._links)[:, 0]
        loads = right + space.assemble(parts)
        solution = np.zeros_like(load)
        solution[self._skeleton] = self._skeleton_factors.solve(loads[self._skeleton])
        around = space.with_ghosts(solution)[space.dofs[:, self._around]]
        inside -= np.matmul(self._links, around[:, :, None])[:, :, 0]
        backward(self._factors, inside)
        solution[space.dofs[:, self._inside]] = inside
        return self._scale * solution


class _Replicated:
    """Dense Cholesky factors of few unknowns, on every rank.

    Ranks exchange the load once; the messages of distributed factors would take much longer than
    all that there is to compute.
    """

    def __init__(
        self, comm: MPI.Comm, counts: Sequence[int], numbers: Indices, complements: Array
    ) -> None:
        """Assemble Schur complements (C, n, n) at global numbers (C, n) and factor. Collective."""
        self._comm, self._counts = comm, counts
        first = sum(counts[: comm.rank])
        self._own = slice(first, first + counts[comm.rank])
        matrix = np.zeros((sum(counts),) * 2)
        np.add.at(matrix, (numbers[:, :, None], numbers[:, None, :]), complements)
        comm.Allreduce(MPI.IN_PLACE, matrix, op=MPI.SUM)
        self._factor = cho_factor(matrix, lower=True, overwrite_a=True)

    def solve(self, load: Array) -> Array:
        """Solve for the owned unknowns. Collective."""
        whole = np.empty(sum(self._counts))
        self._comm.Allgatherv(load, [whole, self._counts])
        solution: Array = cho_solve(self._factor, whole, overwrite_b=True)
        return solution[self._own]


class _Distributed:
    """Sparse Cholesky factors by MUMPS."""

    def __init__(
        self, comm: MPI.Comm, counts: Sequence[int], numbers: Indices, complements: Array
    ) -> None:
        """Assemble Schur complements (C, n, n) at global numbers (C, n) and factor. Collective."""
        num_around = numbers.shape[1]
        # With several ranks petsc4py only marks what Python drops; here all ranks meet.
        PETSc.garbage_cleanup(comm)  # type: ignore[arg-type]  # mpi4py's is one, too
        matrix = PETSc.Mat().create(comm)  # type: ignore[arg-type]  # the same
        size = (counts[comm.rank], PETSc.DETERMINE)
        matrix.setSizes((size, size))
        matrix.setType("sbaij")
        rows, columns = np.triu_indices(num_around)
        left, right = numbers[:, rows].ravel(), numbers[:, columns].ravel()
        pairs = np.minimum(left, right), np.maximum(left, right)
        matrix.setPreallocationCOO(*pairs)  # type: ignore[arg-type]  # arrays will do
        del left, right, pairs
        values = complements[:, rows, columns].ravel()
        del complements
        matrix.setValuesCOO(values)  # type: ignore[arg-type]  # an array will do
        del values
        # A copy goes without the index lists of the assembly, which are larger than the matrix.
        assembled, matrix = matrix, matrix.duplicate(copy=True)
        assembled.destroy()
        matrix.setOption(PETSc.Mat.Option.SPD, True)  # type: ignore[arg-type]  # an int in the stubs
        self._right, self._solution = matrix.createVecLeft(), matrix.createVecRight()
        self._solver = PETSc.KSP().create(comm)  # type: ignore[arg-type]  # the same
        self._solver.setOperators(matrix)
        self._solver.setType("preonly")
        self._solver.getPC().setType("cholesky")
        self._solver.getPC().setFactorSolverType("mumps")
        self._solver.getPC().setFactorSetUpSolverType()
        few = largest(comm, len(numbers)) * num_around**2 < _FEW_ENTRIES
        self._solver.getPC().getFactorMatrix().setMumpsIcntl(14, 100 if few else 40)
        self._solver.setErrorIfNotConverged(True)
        self._solver.setUp()

    def solve(self, load: Array) -> Array:
        """Solve for the owned unknowns. Collective."""
        self._right.array[:] = load
        self._solver.solve(self._right, self._solution)
        return self._solution.array_r.copy()


def _split(space: Space) -> tuple[Indices, Indices]:
    """The element's basis functions inside the cell, and those that neighbours share."""
    element = space.functions.element.basix_element
    inside = np.array(element.entity_dofs[-1][0], dtype=np.int64)
    return inside, np.setdiff1d(np.arange(element.dim), inside)

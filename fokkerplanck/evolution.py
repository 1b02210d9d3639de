"""The exponential of the generator on a shift-and-invert Krylov space, with dense output in time.

For ``M u' = −K u`` the resolvent ``S = (1 + L/s)^{-1}``, ``L = M^{-1}K``, is one factorisation. The
Krylov space of S starts at ``v = S M^{-1} b``, with b the *exact* load vector of p_0: the L² projection
``M^{-1} b`` of p_0/π, which smears a compact support over the tails, is never formed, and the error of
the density stays that of the space, not that of the interpolation of p_0. On the Krylov space
``u(t) = (1 + L/s) e^{−tL} v`` is a small dense matrix function.

References:
    [vdE06] J. van den Eshof, M. Hochbruck, Preconditioning Lanczos approximations to the matrix
    exponential, SIAM J. Sci. Comput. 27 (2006).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.linalg import expm

Array = npt.NDArray[np.float64]

#: Steps between two looks at the error estimate, and lag of the comparison.
STRIDE = 5


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
    shift: float  #: s
    comm: MPI.Comm

    @property
    def size(self) -> int:
        """Number of basis vectors."""
        return self.hessenberg.shape[0]

    def reduced(self, time: float, size: int | None = None) -> Array:
        """Coordinates of ``u(time)`` on the basis, or on its first `size` vectors; shape (k,)."""
        k = self.size if size is None else size
        inverse = np.linalg.inv(self.hessenberg[:k, :k])
        generator = self.shift * (inverse - np.eye(k))
        coordinates = np.zeros(self.size)
        coordinates[:k] = self.start_norm * (inverse @ expm(-time * generator)[:, 0])
        return coordinates

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

    The estimate is the change of ``u(t)`` over the last steps, in the norm of the basis, relative to
    ``u(t)``; since convergence is geometric it exceeds the error.

    Args:
        resolvent: the map S on owned coefficients.
        start: ``S M^{-1} b``, owned coefficients.
        weights: diagonal of the inner product, positive, same shape.
        comm: communicator over which the coefficients are distributed.
        shift: s > 0.
        times: where the estimate must be met.
        tolerance: relative tolerance.
        max_size: largest number of basis vectors.

    Raises:
        KrylovError: the tolerance was not met with `max_size` vectors.
    """
    root = np.sqrt(weights)
    vectors = np.empty((max_size + 1, start.size))
    hessenberg = np.zeros((max_size + 1, max_size))
    scaled = root * start
    norm = _norm(scaled, comm)
    vectors[0] = scaled / norm
    change = np.inf
    for j in range(max_size):
        scaled = root * resolvent(vectors[j] / root)
        for _ in range(2):
            overlap = comm.allreduce(vectors[: j + 1] @ scaled)
            hessenberg[: j + 1, j] += overlap
            scaled -= overlap @ vectors[: j + 1]
        hessenberg[j + 1, j] = _norm(scaled, comm)
        k = j + 1
        invariant = hessenberg[k, j] <= 1e-15 * abs(hessenberg[0, 0])
        if invariant or (k % STRIDE == 0 and k > STRIDE):
            basis = (vectors[:k] / root).T
            evolution = Evolution(basis, hessenberg[:k, :k], norm, shift, comm)
            change = 0.0 if invariant else max(_change(evolution, t) for t in times)
            if change <= tolerance:
                return evolution
        vectors[k] = scaled / hessenberg[k, j]
    raise KrylovError(
        f"Krylov basis of {max_size} vectors reached a relative change of {change:.1e} at "
        f"t = {min(times):g}..{max(times):g}, asked {tolerance:.1e}; "
        "try a shorter horizon or a finer mesh"
    )


def _change(evolution: Evolution, time: float) -> float:
    """Relative change of ``u(time)`` over the last steps, in the norm of the basis."""
    now = evolution.reduced(time)
    before = evolution.reduced(time, evolution.size - STRIDE)
    return float(np.linalg.norm(now - before) / np.linalg.norm(now))


def _norm(scaled: Array, comm: MPI.Comm) -> float:
    return float(np.sqrt(comm.allreduce(float(scaled @ scaled))))

"""The density p as the leading block of the pairs that a difference is solved for with.

p does not depend on the depth. Where its Krylov basis can be held, it is computed once for all
depths: in the pairs p stands as coordinates on that basis, on which the resolvent is a small
matrix, and no depth solves for it again. Where memory does not suffice, pairs hold p itself.
"""

from typing import Protocol

import numpy as np
from mpi4py import MPI

from fokkerplanck.evolution.krylov import KrylovSpace
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.runtime.arrays import Array


class Unperturbed(Protocol):
    """Blocks that stand for functions u, ``p = π u``."""

    @property
    def start(self) -> Array:
        """The block that stands for the first Krylov vector."""

    @property
    def weights(self) -> Array:
        """Diagonal of the inner product, summed over ranks, same shape."""

    def step(self, block: Array) -> Array:
        """The resolvent. Collective."""

    def coefficients(self, block: Array) -> Array:
        """Owned coefficients of the function that a block stands for."""

    def reach(self, block: Array) -> Array:
        """Sizes of owned coefficients where entries of the block are of these sizes, at most."""


class RecycledBasis:
    """Coordinates on a Krylov basis of p, which is held and grows as pairs need it.

    Args:
        space: the Krylov space, without bound.
        comm: its communicator; every rank has the coordinates.
    """

    def __init__(self, space: KrylovSpace, comm: MPI.Comm) -> None:
        """Begin with what the space has."""
        self._space = space
        self.start = space.start
        self.weights = np.full(self.start.shape, 1.0 / comm.size)

    def step(self, block: Array) -> Array:
        """The resolvent. Collective."""
        return self._space.stepped(block)

    def coefficients(self, block: Array) -> Array:
        """Owned coefficients."""
        return self._space.combination(block)

    def reach(self, block: Array) -> Array:
        """Sizes of owned coefficients."""
        return self._space.combination(block, in_size=True)


class SolvedAnew:
    """Owned coefficients themselves.

    Args:
        propagator: of p.
        load: ``∫ p_0 φ_i``, owned entries.
    """

    def __init__(self, propagator: Propagator, load: Array) -> None:
        """Solve for the first. Collective."""
        self._propagator = propagator
        self.start = propagator.solve(load)
        self.weights = propagator.operator.krylov_weights

    def step(self, block: Array) -> Array:
        """The resolvent. Collective."""
        return self._propagator.step(block)

    def coefficients(self, block: Array) -> Array:
        """The block itself."""
        return block

    def reach(self, block: Array) -> Array:
        """The block itself."""
        return block

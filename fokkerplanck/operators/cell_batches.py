"""What the compiled kernels are given of the cells: batches of them, a cell per SIMD lane."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fokkerplanck.fem.space import Space
from fokkerplanck.operators.vector_instructions import LANES
from fokkerplanck.runtime.arrays import Array

#: Cells whose factors are computed together, a multiple of the lanes.
_CHUNK = 60 * LANES


def num_batches(num_cells: int) -> int:
    """Batches that hold so many cells."""
    return -(-num_cells // LANES)


def batches[T: np.generic](values: npt.NDArray[T]) -> npt.NDArray[T]:
    """Arrange values of shape (C, points, k) as (batches, k, points * LANES), zeros at the end."""
    cells, points, k = values.shape
    count = num_batches(cells)
    padded = np.zeros((count * LANES, points, k), dtype=values.dtype)
    padded[:cells] = values
    lanes = padded.reshape(count, LANES, points, k).transpose(0, 3, 2, 1)
    return np.ascontiguousarray(lanes).reshape(count, k, points * LANES)


@dataclass(frozen=True)
class Factors:
    """``π w det J`` and the triangle of ``D π w det J J^{-1} J^{-T}`` at the Gauss points.

    Each cell has a power of two of its own, so that π may have any size in single precision, too.
    """

    values: npt.NDArray[np.floating]  #: shape (batches, 1 + m(m+1)/2, Q * LANES)
    scales: Array  #: what the values of a cell are to be multiplied by, shape (batches, LANES)

    @property
    def num_bytes(self) -> int:
        """Memory, in bytes."""
        return int(self.values.nbytes + self.scales.nbytes)


def factors(space: Space, gibbs: Array, diffusion: float, single: bool) -> Factors:
    """Compute the factors in single or in double precision.

    Args:
        space: of quadrilaterals or hexahedra.
        gibbs: π at the Gauss points, shape (C, q).
        diffusion: scalar D > 0.
        single: whether values are kept to seven digits.
    """
    m, order = space.domain.dimension, space.rule.order
    i, j = np.triu_indices(m)
    jacobians, weights = space.geometry.jacobians, space.weights * gibbs
    exponents = np.frexp(np.max(weights, axis=1, initial=0.0))[1]
    weights = np.ldexp(weights, -exponents[:, None])
    shape = num_batches(len(weights)), 1 + len(i), len(order) * LANES
    values = np.empty(shape, dtype=np.float32 if single else np.float64)
    for begin in range(0, len(weights), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        inverse = np.linalg.inv(jacobians[part][:, order])
        metric = diffusion * (inverse @ inverse.swapaxes(2, 3))[..., i, j]
        mass = weights[part][:, order, None]
        packed = batches(np.concatenate([mass, mass * metric], axis=2))
        values[begin // LANES :][: len(packed)] = packed
    scales = np.ldexp(1.0, exponents)[:, None, None]
    return Factors(values, batches(scales)[:, 0])


def drift_factors(space: Space, gibbs: Array, drift: Array) -> Array:
    """``π w det J J^{-1} b`` at the Gauss points, shape (batches, m, Q * LANES).

    Args:
        space: of quadrilaterals or hexahedra.
        gibbs: π at the Gauss points, shape (C, q).
        drift: b there, shape (C, q, m).
    """
    order = space.rule.order
    inner = np.linalg.solve(space.geometry.jacobians, drift[..., None])[..., 0]
    inner *= (space.weights * gibbs)[..., None]
    return batches(inner[:, order])

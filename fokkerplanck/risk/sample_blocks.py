"""The data measure cut into blocks of samples for the vectorised kernels."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fokkerplanck.model import DataMeasure

LANES: Final = 8  #: doubles in the widest vector register
LARGEST_BLOCK: Final = 144


@dataclass(frozen=True, eq=False)
class Samples:
    """Blocks of ``K`` samples; the last is padded with copies of the first sample, weight 0."""

    inputs: npt.NDArray[np.float64]  #: shape ``(B, d * K)``, component by component
    targets: npt.NDArray[np.float64]  #: shape ``(B, d * K)``
    weights: npt.NDArray[np.float64]  #: shape ``(B, K)``

    @property
    def block(self) -> int:
        """Samples per block K."""
        return int(self.weights.shape[1])

    @property
    def arrays(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Inputs, targets and weights, as the kernels take them."""
        return self.inputs, self.targets, self.weights


def block_size(num_samples: int) -> int:
    """Return the multiple of the vector width that wastes least padding."""
    num_blocks = -(-num_samples // LARGEST_BLOCK)
    return -(-num_samples // (num_blocks * LANES)) * LANES


def blocked(data: DataMeasure) -> Samples:
    """Return the samples of ``data`` in blocks."""
    block = block_size(data.num_samples)
    padding = -data.num_samples % block
    order = np.concatenate([np.arange(data.num_samples), np.zeros(padding, dtype=np.intp)])
    assert data.weights is not None
    weights = np.concatenate([data.weights, np.zeros(padding)])

    def rows(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        cut = values[order].reshape(-1, block, data.dimension)
        return np.ascontiguousarray(cut.transpose(0, 2, 1)).reshape(len(cut), -1)

    return Samples(rows(data.inputs), rows(data.targets), weights.reshape(-1, block))

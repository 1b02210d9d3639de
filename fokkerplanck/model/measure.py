"""The data measure μ: a weighted sample of inputs and targets."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WEIGHT_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class DataMeasure:
    """Weighted sample ``μ = Σ_s w_s δ_(x_s, y_s)`` of inputs and targets in R^d.

    Raises:
        ValueError: Shapes differ, a value is not finite, or the weights are no probabilities.
    """

    inputs: npt.NDArray[np.float64]  #: shape ``(S, d)``; ``(S,)`` is read as d = 1
    targets: npt.NDArray[np.float64]  #: shape ``(S, d)``
    weights: npt.NDArray[np.float64] | None = None  #: shape ``(S,)``; uniform by default

    def __post_init__(self) -> None:
        """Convert to arrays and check them."""
        inputs, targets = _columns(self.inputs, "inputs"), _columns(self.targets, "targets")
        if inputs.shape != targets.shape:
            raise ValueError(
                f"data inputs and targets must have one shape, "
                f"got {inputs.shape} and {targets.shape}"
            )
        if not inputs.size:
            raise ValueError("data must have at least one sample, got none")
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "weights", _probabilities(self.weights, len(inputs)))

    @property
    def num_samples(self) -> int:
        """Number S of samples."""
        return len(self.inputs)

    @property
    def dimension(self) -> int:
        """Dimension d of inputs and targets."""
        return int(self.inputs.shape[1])


def _columns(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """Return ``values`` as a read-only array of shape ``(S, d)``."""
    array = _floats(values, name)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(f"data {name} must have shape (samples, dimension), got {array.shape}")
    return array


def _probabilities(values: npt.ArrayLike | None, size: int) -> npt.NDArray[np.float64]:
    """Return positive weights of sum one."""
    if values is None:
        return _frozen(np.full(size, 1.0 / size))
    weights = _floats(values, "weights")
    if weights.shape != (size,):
        raise ValueError(f"data weights must have shape ({size},), got {weights.shape}")
    if weights.min() <= 0:
        raise ValueError(f"data weights must be positive, got {weights.min():.6g}")
    total = float(weights.sum())
    if abs(total - 1) > WEIGHT_SUM_TOLERANCE:
        raise ValueError(f"data weights must sum to 1, got {total:.6g}; divide them by their sum")
    return weights


def _floats(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """Return finite doubles that nobody can change."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"data {name} must be a rectangular array of numbers") from None
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"data {name} must be finite, got {array[place]} at index {place}")
    return _frozen(array)


def _frozen(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    array.flags.writeable = False
    return array

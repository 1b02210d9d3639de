"""Numbers and arrays that know how wrong they are."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fokkerplanck.runtime.arrays import Array


class UncertainFloat(float):
    """A float with the parts of its uncertainty; what is computed from it is a plain float."""

    parts: dict[str, float]  #: absolute, by cause

    def __new__(cls, value: float, parts: Mapping[str, float]) -> Self:
        """Attach the parts."""
        number = super().__new__(cls, value)
        number.parts = {name: float(part) for name, part in parts.items()}
        return number

    @property
    def uncertainty(self) -> float:
        """Sum of the parts."""
        return sum(self.parts.values())

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the parts in copies."""
        return type(self), (float(self), self.parts)


class UncertainArray(np.ndarray[Any, np.dtype[np.float64]]):
    """An array with the parts of the uncertainty of each entry.

    What is computed from it is a plain array, and so is a view; `entry` keeps the uncertainty.
    """

    parts: dict[str, Array]  #: absolute, by cause, each of the array's shape

    def __new__(cls, values: npt.ArrayLike, parts: Mapping[str, npt.ArrayLike]) -> Self:
        """Attach the parts."""
        array = np.array(values, dtype=np.float64).view(cls)
        array.parts = {name: np.asarray(part, dtype=np.float64) for name, part in parts.items()}
        return array

    @property
    def uncertainty(self) -> Array:
        """Sum of the parts, of the array's shape."""
        if not getattr(self, "parts", None):
            raise AttributeError(
                "only the array that a density returns has an uncertainty, not what is computed "
                "from it"
            )
        return sum(self.parts.values(), np.zeros(self.shape))

    def __array_wrap__(
        self, array: npt.NDArray[Any], context: Any = None, return_scalar: bool = False
    ) -> Any:
        """Results of arithmetic are plain."""
        del context
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __getitem__(self, index: Any) -> Any:
        """Entries and slices are plain."""
        return np.asarray(self)[index]


def uncertain(value: npt.ArrayLike, parts: Mapping[str, npt.ArrayLike]) -> Any:
    """A float or an array with the parts of its uncertainty."""
    if np.ndim(value) == 0:
        return UncertainFloat(float(value), {k: float(part) for k, part in parts.items()})  # type: ignore[arg-type]
    return UncertainArray(value, parts)

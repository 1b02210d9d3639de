"""Dyadic annuli: the vocabulary that mesh, norms and tables share."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Annuli:
    """Dyadic annuli ``A_k = {2^k r0 <= |θ| < 2^(k+1) r0}`` around the core ``B(r0)``.

    Raises:
        ValueError: the radius is not positive or the count is negative.
    """

    r0: float  #: radius of the core
    count: int  #: number of annuli; together with the core they fill ``B(2^count r0)``

    def __post_init__(self) -> None:
        """Check the radius and the count."""
        if not (np.isfinite(self.r0) and self.r0 > 0):
            raise ValueError(f"annuli radius must be positive, got {self.r0!r}")
        if self.count < 0:
            raise ValueError(f"annuli count must not be negative, got {self.count}")

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """Radii ``r0, 2 r0, ..., 2^count r0`` of the spheres between the regions."""
        return self.r0 * np.exp2(np.arange(self.count + 1, dtype=np.float64))

    @property
    def radius(self) -> float:
        """Radius of the outermost sphere."""
        return float(self.edges[-1])

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the regions in tables: ``core``, ``0``, ``1``, ..."""
        return ("core", *(str(k) for k in range(self.count)))

    def region(self, radii: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
        """Index into `labels` of each radius; ``count + 1`` beyond the last annulus."""
        return np.searchsorted(self.edges, radii, side="right").astype(np.int32)

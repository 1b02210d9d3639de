"""The exponential on a Krylov space, accurate in every coordinate.

Far out a density is made of the late vectors of its Krylov basis alone, and their coordinates are
tiny: 1e-30 or less beside the first ones. Vectors are accurate relative to their local size
wherever they are, for the resolvent is, and so is a combination of them if every coordinate is
accurate relative to itself. Matrix functions in double precision are not: they err by rounding of
the largest coordinate. In ball arithmetic [Joh17] radii tell whether the bits were enough.
"""

import flint
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: Bits to begin with; they are doubled up to the most.
_FEWEST_BITS, _MOST_BITS = 256, 8_192

#: Largest radius of a coordinate, relative to itself or, if that is larger, to what is left of the
#: largest one at the end of double range.
_RADIUS, _SMALLEST = 1e-14, 1e-290


def resolvent_exponential(hessenberg: Array, shift: float, time: float) -> Array | None:
    """First column of ``H^{-1} exp(−ts(H^{-1} − 1))``, each entry accurate relative to itself.

    Args:
        hessenberg: H, shape (k, k).
        shift: s > 0.
        time: t > 0.

    Returns:
        Shape (k,), or None where H has an eigenvalue left of zero, whose exponential would grow.
    """
    if np.linalg.eigvals(hessenberg).real.min() <= 0.0:
        return None
    bits = _FEWEST_BITS
    while True:
        with flint.ctx.workprec(bits):
            values, radii = _column(hessenberg, shift, time)
        largest = float(np.max(np.abs(values)))
        if np.all(radii <= np.maximum(_RADIUS * np.abs(values), _SMALLEST * largest)):
            return values
        bits *= 2
        assert bits <= _MOST_BITS, "the exponential does not settle"


def _column(hessenberg: Array, shift: float, time: float) -> tuple[Array, Array]:
    """Midpoints and radii of the column's balls, shape (k,) each."""
    size = len(hessenberg)
    unit = flint.arb_mat(np.eye(size, dtype=np.int64).tolist())
    inverse = flint.arb_mat(hessenberg.tolist()).inv()
    first = flint.arb_mat(size, 1, [1] + [0] * (size - 1))
    column = inverse * ((-shift * flint.arb(time) * (inverse - unit)).exp() * first)
    entries = column.entries()
    middles = [float(entry.mid()) for entry in entries]
    return np.array(middles), np.array([float(entry.rad()) for entry in entries])

"""The Gibbs density ``exp(−V/D)`` and the range in which doubles can hold it."""

import numpy as np

from fokkerplanck.problem.annuli import Annuli

#: Largest ``(max V − min V)/D`` for which ``exp(−V/D)`` stays inside double range.
LARGEST_EXPONENT = 690.0


def check_range(exponent: float, radius: float, annuli: Annuli) -> None:
    """Refuse potentials whose Gibbs density underflows.

    Args:
        exponent: largest ``(V − min V)/D``.
        radius: smallest one where this is too large.
        annuli: to say how many would fit.

    Raises:
        ValueError: the exponent is too large.
    """
    if exponent <= LARGEST_EXPONENT:
        return
    if radius < annuli.r0:
        way_out = f"even the core is too large, it must end before radius {radius:.4g}"
    else:
        way_out = f"a count of {int(np.log2(radius / annuli.r0))} annuli would fit"
    raise ValueError(
        f"exp(-V/D) leaves double range on the domain: (max V - min V)/D must be below "
        f"{LARGEST_EXPONENT:g}, got {exponent:.4g}; {way_out}"
    )

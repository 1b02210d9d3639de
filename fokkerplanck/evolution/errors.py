"""How wrong what a Krylov space gives is, from its last changes, and what two meshes tell."""

import numpy as np

from fokkerplanck.runtime.arrays import Array

#: The error of the fine discretisation is at most this times its distance to the coarse one: it
#: falls by a third or more from one to the other.
SAFETY = 2.0

#: A Krylov error is at most thus many times what geometric convergence would leave, ...
_SLOWER = 3.0

#: ... and at least this part of the last change.
_LEAST_PART = 0.02


def krylov_error(change: Array, before: Array) -> Array:
    """What the next Krylov vectors would change, from the last change and the one before.

    Convergence is geometric or faster, but not steady; without progress it is the last change.
    """
    contraction = change / np.where(before > 0.0, before, np.inf)
    stalled = (before == 0.0) & (change > 0.0)
    return change * np.where(stalled, 1.0, np.clip(_SLOWER * contraction, _LEAST_PART, 1.0))

"""Measured density-error bounds between residual networks and their Neural ODE limit.

The public names are imported when they are first used: who needs the risks alone does not wait for
DOLFINx.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

import fokkerplanck._runtime  # isort: skip  # loads DOLFINx' wheel, so it comes first

if TYPE_CHECKING:
    from fokkerplanck.annuli import Annuli
    from fokkerplanck.density import Density
    from fokkerplanck.initial import Bump, Gaussian, Polynomial, Uniform
    from fokkerplanck.mesh import Domain, Recipe
    from fokkerplanck.solver import solve
    from fokkerplanck.study import Study
    from fokkerplanck.verification import run

_HOMES: Final = {
    "Annuli": "annuli",
    "Bump": "initial",
    "Density": "density",
    "Domain": "mesh",
    "Gaussian": "initial",
    "Polynomial": "initial",
    "Recipe": "mesh",
    "Study": "study",
    "Uniform": "initial",
    "run": "verification",
    "solve": "solver",
}  #: module of each public name

__all__ = [
    "Annuli",
    "Bump",
    "Density",
    "Domain",
    "Gaussian",
    "Polynomial",
    "Recipe",
    "Study",
    "Uniform",
    "run",
    "solve",
]


def __getattr__(name: str) -> Any:
    """Return a public name from its module, or the version."""
    if name == "__version__":
        return fokkerplanck._runtime.version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

"""Measured density-error bounds between residual networks and their Neural ODE limit.

The public names are imported when they are first used: who needs the risks alone does not wait for
DOLFINx.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

import fokkerplanck.runtime.startup  # isort: skip  # loads DOLFINx' wheel, so it comes first

if TYPE_CHECKING:
    from fokkerplanck.mesh.recipe import Domain, Recipe
    from fokkerplanck.problem.annuli import Annuli
    from fokkerplanck.problem.initial import Bump, Gaussian, Polynomial, Uniform
    from fokkerplanck.solution.density import Density
    from fokkerplanck.solution.solve import solve
    from fokkerplanck.study import Study
    from fokkerplanck.verification.driver import run

_HOMES: Final = {
    "Annuli": "problem.annuli",
    "Bump": "problem.initial",
    "Density": "solution.density",
    "Domain": "mesh.recipe",
    "Gaussian": "problem.initial",
    "Polynomial": "problem.initial",
    "Recipe": "mesh.recipe",
    "Study": "study",
    "Uniform": "problem.initial",
    "run": "verification.driver",
    "solve": "solution.solve",
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
        return fokkerplanck.runtime.startup.version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

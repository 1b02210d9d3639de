"""Fokker–Planck equations by high-order finite elements, with an uncertainty on every number.

The public names are imported when they are first used: who needs the risks alone does not wait for
DOLFINx.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import fokkerplanck.runtime.startup  # isort: skip  # loads DOLFINx' wheel, so it comes first

if TYPE_CHECKING:
    from fokkerplanck.evolution.krylov import KrylovError as KrylovError
    from fokkerplanck.linalg.conjugate_gradients import SolverError as SolverError
    from fokkerplanck.mesh.recipe import Domain as Domain
    from fokkerplanck.mesh.recipe import Recipe as Recipe
    from fokkerplanck.model import Cap as Cap
    from fokkerplanck.model import DataMeasure as DataMeasure
    from fokkerplanck.model import Network as Network
    from fokkerplanck.model import Penalty as Penalty
    from fokkerplanck.problem.annuli import Annuli as Annuli
    from fokkerplanck.problem.initial import Bump as Bump
    from fokkerplanck.problem.initial import Gaussian as Gaussian
    from fokkerplanck.problem.initial import Polynomial as Polynomial
    from fokkerplanck.problem.initial import Uniform as Uniform
    from fokkerplanck.problem.numerics import Numerics as Numerics
    from fokkerplanck.problem.numerics import SolverOptions as SolverOptions
    from fokkerplanck.problem.problem import Problem as Problem
    from fokkerplanck.risk import RiskError as RiskError
    from fokkerplanck.risk.potential import NetworkPotential as NetworkPotential
    from fokkerplanck.runtime.progress import Progress as Progress
    from fokkerplanck.runtime.progress import TerminalProgress as TerminalProgress
    from fokkerplanck.solution.density import Density as Density
    from fokkerplanck.solution.field import Field as Field
    from fokkerplanck.solution.solve import Solution as Solution
    from fokkerplanck.solution.solve import solve as solve
    from fokkerplanck.solution.vtkhdf import write_density as write_density
    from fokkerplanck.study import Study as Study
    from fokkerplanck.study import StudyError as StudyError
    from fokkerplanck.study.results import Results as Results
    from fokkerplanck.verification.driver import run as run

#: Module of each public name, below the package.
_HOMES: Final = {
    "Annuli": "problem.annuli",
    "Bump": "problem.initial",
    "Cap": "model",
    "DataMeasure": "model",
    "Density": "solution.density",
    "Domain": "mesh.recipe",
    "Field": "solution.field",
    "Gaussian": "problem.initial",
    "KrylovError": "evolution.krylov",
    "Network": "model",
    "NetworkPotential": "risk.potential",
    "Numerics": "problem.numerics",
    "Penalty": "model",
    "Polynomial": "problem.initial",
    "Problem": "problem.problem",
    "Progress": "runtime.progress",
    "Recipe": "mesh.recipe",
    "Results": "study.results",
    "RiskError": "risk",
    "Solution": "solution.solve",
    "SolverError": "linalg.conjugate_gradients",
    "SolverOptions": "problem.numerics",
    "Study": "study",
    "StudyError": "study",
    "TerminalProgress": "runtime.progress",
    "Uniform": "problem.initial",
    "run": "verification.driver",
    "solve": "solution.solve",
    "write_density": "solution.vtkhdf",
}

#: Modules that early scripts import under names of their own, and where these are now.
_FORMER: Final = {"export": "solution.vtkhdf", "progress": "runtime.progress"}

__all__ = sorted(_HOMES)


def __dir__() -> list[str]:
    """The public names, so that completion shows them before they are imported."""
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    """Return a public name from its module, or the version."""
    if name == "__version__":
        return fokkerplanck.runtime.startup.version()
    if name in _FORMER:
        return sys.modules[f"{__name__}.{name}"]
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def _former(name: str) -> ModuleType:
    """A module under its former name, which loads the present one when something is taken."""
    home = f"{__name__}.{_FORMER[name]}"
    module = ModuleType(f"{__name__}.{name}", f"What is :mod:`{home}` now.")
    vars(module)["__getattr__"] = lambda wanted: getattr(importlib.import_module(home), wanted)
    return module


sys.modules.update({f"{__name__}.{name}": _former(name) for name in _FORMER})

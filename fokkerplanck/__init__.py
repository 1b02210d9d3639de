"""Measured density-error bounds between residual networks and their Neural ODE limit."""

import fokkerplanck._runtime  # isort: skip  # loads DOLFINx' wheel, so it comes first
from fokkerplanck.annuli import Annuli
from fokkerplanck.density import Density
from fokkerplanck.initial import Bump, Gaussian, Polynomial, Uniform
from fokkerplanck.mesh import Domain, Recipe
from fokkerplanck.solver import solve
from fokkerplanck.study import Study
from fokkerplanck.verification import run

__version__ = fokkerplanck._runtime.version()

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

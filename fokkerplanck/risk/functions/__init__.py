"""Elementary functions that LLVM can vectorise: no branches, no calls, no tables.

Each is a scalar function, inlined into the sample loops of the kernels.
"""

from fokkerplanck.risk.functions.algebraic import relu, sign, sqrt, step
from fokkerplanck.risk.functions.exponential import exp, sigmoid, tanh
from fokkerplanck.risk.functions.gaussian import gaussian_cdf, gelu
from fokkerplanck.risk.functions.logarithm import log, power, softplus
from fokkerplanck.risk.functions.trigonometric import (
    WIDEST,
    arctan,
    bounded_cos,
    bounded_sin,
    cos,
    sin,
)

__all__ = [
    "WIDEST",
    "arctan",
    "bounded_cos",
    "bounded_sin",
    "cos",
    "exp",
    "gaussian_cdf",
    "gelu",
    "log",
    "power",
    "relu",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "step",
    "tanh",
]

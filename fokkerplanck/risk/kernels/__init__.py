"""Compiled sweeps over parameter points and blocks of samples.

A factory closes over the leaf functions of a network, which LLVM inlines. A block holds ``K``
samples, padded with copies of weight zero. Rows of a block's state are the components of x, then
those of ξ where the system has them, then the sensitivities ``dz_a/dθ_i`` in the order
``a m + i``, or, for the reverse route, the adjoint of each of the former and the gradient.

All kernels but that of the differences share their arguments, for F functionals:
    rows: Rows of a block's state, without those of the reverse route.
    theta: Parameters, shape ``(P, m)``.
    inputs: Blocks of inputs, shape ``(B, d * K)``.
    targets: Blocks of targets, shape ``(B, d * K)``.
    weights: Blocks of weights, shape ``(B, K)``.
    control: Number N of layers, or tolerance of the integrator.
    value: Result, shape ``(P, F)``.
    gradient: Result, shape ``(P, F, m)``; for the forward route ``(P, F, 0)`` leaves it out.
    end: Result where final states are asked for, shape ``(P, B, d * (1 + m) * K)``.
    reached: Result, shape ``(P,)``: the time reached, below 1 for a blow-up.
"""

from typing import Final

from fokkerplanck.risk.kernels.differences import series_layers
from fokkerplanck.risk.kernels.flow import (
    limit_forward,
    limit_reverse,
    ode_forward,
    ode_reverse,
    series_flow,
)
from fokkerplanck.risk.kernels.resnet import resnet_forward, resnet_reverse

#: Arguments of a sweep and their types, as Numba writes them.
SWEEP: Final = {
    "rows": "int64",
    "theta": "float64[:,::1]",
    "inputs": "float64[:,::1]",
    "targets": "float64[:,::1]",
    "weights": "float64[:,::1]",
    "control": "float64",
    "value": "float64[:,::1]",
    "gradient": "float64[:,:,::1]",
    "end": "float64[:,:,::1]",
    "reached": "float64[::1]",
}

#: The same of the kernel of differences.
DIFFERENCES: Final = {
    "theta": "float64[:,::1]",
    "inputs": "float64[:,::1]",
    "targets": "float64[:,::1]",
    "weights": "float64[:,::1]",
    "end": "float64[:,:,::1]",
    "depths": "int64[::1]",
    "value": "float64[:,::1]",
    "gradient": "float64[:,:,::1]",
}

__all__ = [
    "DIFFERENCES",
    "SWEEP",
    "limit_forward",
    "limit_reverse",
    "ode_forward",
    "ode_reverse",
    "resnet_forward",
    "resnet_reverse",
    "series_flow",
    "series_layers",
]

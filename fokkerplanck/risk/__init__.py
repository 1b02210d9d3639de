"""The data terms of the risks of ResNets and Neural ODEs, with gradients, in compiled kernels."""

from fokkerplanck.risk.risks import DepthLimit, NeuralODERisk, ResNetRisk
from fokkerplanck.risk.series import RiskSeries, RiskTable
from fokkerplanck.risk.sweep import RiskError

__all__ = ["DepthLimit", "NeuralODERisk", "ResNetRisk", "RiskError", "RiskSeries", "RiskTable"]

"""The data terms of the risks of ResNets and Neural ODEs, with gradients, in compiled kernels."""

from fokkerplanck.risk.risks import DepthLimit, NeuralODERisk, ResNetRisk, RiskError
from fokkerplanck.risk.series import RiskSeries, RiskTable

__all__ = ["DepthLimit", "NeuralODERisk", "ResNetRisk", "RiskError", "RiskSeries", "RiskTable"]

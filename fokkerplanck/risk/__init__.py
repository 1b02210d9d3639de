"""What are V, V_N and N(V − V_N), with gradients, at given points? In compiled kernels.

Front doors: `potential.NetworkPotential`, and for the data terms the classes named here.
"""

from fokkerplanck.risk.series import RiskSeries, RiskTable
from fokkerplanck.risk.sweep import RiskError
from fokkerplanck.risk.terms import DepthLimit, NeuralODERisk, ResNetRisk

__all__ = ["DepthLimit", "NeuralODERisk", "ResNetRisk", "RiskError", "RiskSeries", "RiskTable"]

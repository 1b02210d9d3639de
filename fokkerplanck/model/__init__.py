"""The model: the network f_θ, the data measure μ, the penalty H and the cap T_Λ."""

from fokkerplanck.model.cap import Cap
from fokkerplanck.model.data import DataMeasure
from fokkerplanck.model.network import Network
from fokkerplanck.model.penalty import Penalty

__all__ = ["Cap", "DataMeasure", "Network", "Penalty"]

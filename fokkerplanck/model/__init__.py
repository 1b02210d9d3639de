"""What is the network f_θ, its data μ, its cap T_Λ, its penalty H?

Front doors: the four classes named here.
"""

from fokkerplanck.model.cap import Cap
from fokkerplanck.model.measure import DataMeasure
from fokkerplanck.model.network import Network
from fokkerplanck.model.penalty import Penalty

__all__ = ["Cap", "DataMeasure", "Network", "Penalty"]

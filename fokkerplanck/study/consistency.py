"""What the parts of a study must have in common."""

from typing import Final

import numpy as np

from fokkerplanck.model import DataMeasure, Network
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.study.errors import StudyError
from fokkerplanck.study.sections import Matrix

MAX_PARAMETERS: Final = 3  #: meshes exist for the interval, the disk and the ball


def check_dimension(network: Network) -> None:
    """Refuse more parameters than there are meshes for."""
    if network.num_parameters > MAX_PARAMETERS:
        raise StudyError(
            f"[network] must have at most {MAX_PARAMETERS} parameters, the largest dimension with "
            f"a mesh, got {network.num_parameters}"
        )


def check_data(data: DataMeasure, network: Network) -> None:
    """Compare the samples with the states of the network."""
    if data.dimension != network.dimension:
        raise StudyError(
            f"[data] inputs and targets must have one column for each of the network's "
            f"{network.dimension} component(s), got {data.dimension}"
        )


def check_initial(initial: InitialDensity, dimension: int, annuli: Annuli) -> None:
    """Keep the initial density inside the annuli."""
    if initial.dimension != dimension:
        raise StudyError(
            f"initial.center must have {dimension} coordinate(s), one per parameter, "
            f"got {initial.dimension}"
        )
    reach = float(np.linalg.norm(initial.center)) + initial.radius
    if reach > annuli.radius:
        fitting = int(np.ceil(np.log2(reach / annuli.r0)))
        raise StudyError(
            f"initial.radius plus |initial.center| must not exceed the outer radius "
            f"{annuli.radius:g} of the annuli, got {reach:g}; annuli.count = {fitting} would fit"
        )


def check_solver(method: str, dimension: int) -> None:
    """Refuse the iteration on the line, where factors cost nothing."""
    if method == "iterative" and dimension == 1:
        raise StudyError(
            "solver.method must be 'cholesky' or 'auto' for one parameter, got 'iterative'"
        )


def check_noise(sigma: float | Matrix, dimension: int) -> None:
    """Compare the size of a noise matrix with the number of parameters."""
    if isinstance(sigma, tuple) and len(sigma) != dimension:
        raise StudyError(
            f"noise.sigma must have {dimension} row(s), one per parameter, got {len(sigma)}"
        )

"""What the parts of a study must have in common."""

import itertools
from typing import Final

import numpy as np

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.double_range import LARGEST_EXPONENT
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.wording import quoted
from fokkerplanck.study.errors import StudyError
from fokkerplanck.study.sections import MAX_ANNULI, Matrix

MAX_PARAMETERS: Final = 3  #: meshes exist for the interval, the disk and the ball

#: Distance of spheres, relative to the outermost, up to which they are one, and from which on there
#: is room for cells between them.
EQUAL: Final = 1e-9
LEAST_GAP: Final = 1e-6

#: Growth of a penalty that counts, relative to its size at the origin, and how often the outer
#: radius is doubled to see it.
LEAST_GROWTH: Final = 1e-9
FARTHEST_DOUBLING: Final = 5


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
        way_out = f"annuli.count = {fitting}" if fitting <= MAX_ANNULI else "a larger annuli.radius"
        raise StudyError(
            f"initial.radius plus |initial.center| must not exceed the outer radius "
            f"{annuli.radius:g} of the annuli, got {reach:g}; {way_out} would fit"
        )
    if initial.support_radius < LEAST_GAP * annuli.radius:
        raise StudyError(
            f"initial.radius must be at least {LEAST_GAP:g} of the outer radius {annuli.radius:g} "
            f"of the annuli, got {initial.radius:g}; choose a larger one"
        )


def check_spheres(initial: InitialDensity, cap: Cap, annuli: Annuli) -> None:
    """Refuse spheres between which there is no room for a cell."""
    spheres = [("0", 0.0), *(("annuli.radius", float(edge)) for edge in annuli.edges)]
    spheres += [("cap.radius", edge) for edge in cap.breaks if edge < annuli.radius]
    if initial.is_centered:
        spheres.append(("initial.radius", initial.support_radius))
    spheres.sort(key=lambda sphere: sphere[1])
    for (inner, r), (outer, R) in itertools.pairwise(spheres):
        room = (R - r) / annuli.radius
        if room < LEAST_GAP and not (r > 0.0 and room <= EQUAL):
            raise StudyError(
                f"{outer} must be equal to the spheres of other sections, or at least "
                f"{LEAST_GAP:g} of the outer radius {annuli.radius:g} away, got a sphere at "
                f"{R:.10g} next to one at {r:.10g} of {inner}; move one of them"
            )


def check_horizon(horizon: float, diffusion: float, annuli: Annuli) -> None:
    """Refuse a horizon in which parameters move by less than any cell is wide."""
    least = (LEAST_GAP * annuli.radius) ** 2 / (2.0 * diffusion)
    if horizon < least:
        raise StudyError(
            f"time.horizon must be at least {least:.4g}, so that the noise moves parameters by "
            f"{LEAST_GAP:g} of the outer radius {annuli.radius:g} of the annuli, got {horizon:g}"
        )


def check_growth(penalty: Penalty, annuli: Annuli) -> None:
    """Refuse a penalty that does not confine the parameters.

    A convex H grows along a ray if it lies above its value at the origin somewhere on it, and then
    at least linearly from there on.
    """
    directions = _directions(penalty.dimension)
    reached = np.concatenate([0.0 * directions, annuli.radius * directions])
    exponent = 0.25 * penalty.gamma * float(np.max(np.abs(penalty(reached))))
    if exponent > LARGEST_EXPONENT:
        raise StudyError(
            f"penalty.potential must keep gamma H/4 within {LARGEST_EXPONENT:g} on the annuli, so "
            f"that its exponential is a double, got {exponent:.4g} for "
            f"{quoted(penalty.potential)}; choose a smaller penalty.gamma or fewer annuli"
        )
    origin = float(penalty(np.zeros((1, penalty.dimension)))[0])
    scale = 1.0 + abs(origin)
    grows = np.zeros(len(directions), dtype=bool)
    for radius in annuli.radius * np.exp2(np.arange(FARTHEST_DOUBLING)):
        grows |= penalty(radius * directions) > origin + LEAST_GROWTH * scale
    if not grows.all():
        along = [float(f"{x:.3g}") for x in directions[np.argmin(grows)]]
        raise StudyError(
            f"penalty.potential must grow in every direction, got {quoted(penalty.potential)}, "
            f"which does not along theta = {along}; add a multiple of theta[i]**2 for each i"
        )


def _directions(dimension: int) -> Array:
    """Unit vectors along the axes and diagonals, and random ones."""
    lattice = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * dimension), axis=-1).reshape(-1, dimension)
    seeded = np.random.default_rng(1906).normal(size=(500, dimension))
    vectors = np.concatenate([lattice[np.any(lattice != 0.0, axis=1)], seeded])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


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

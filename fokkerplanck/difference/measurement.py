"""The left sides of the bounds (A)–(D), times N, at one depth, each with its uncertainty."""

import itertools
from dataclasses import dataclass

import numpy as np

from fokkerplanck.difference.number import Number
from fokkerplanck.difference.pair_solution import PairSolution
from fokkerplanck.difference.reported_density import ReportedDensity
from fokkerplanck.difference.suprema import Functional, supremum
from fokkerplanck.evolution.dense_output import ROUNDING
from fokkerplanck.evolution.errors import SAFETY, krylov_error
from fokkerplanck.fem.quadrature.norms import (
    FINEST,
    RegionalNorm,
    cell_sums,
    regional_sums,
    weighted_l1,
)
from fokkerplanck.problem.numerics import STRIDE
from fokkerplanck.runtime.arrays import Array

#: Accuracy of the integrals over cells where the sign changes, in units of the tolerance of the
#: discretisation. In three dimensions they cost as much as the solution.
_SIGN_CHANGES = 10.0


@dataclass(frozen=True)
class Measurement:
    """What was measured at one depth; all but the last two are N times the left side of a bound."""

    depth: float
    density_l1: dict[str, Number]  #: (C) under the empty label, then the regions of (D)
    l1: Number  #: ``‖p − p^N‖_{L¹}``
    mean: Number  #: (A)
    risk: Number  #: (B)
    mass_defect: Number  #: ``∫ p^N − 1`` at the horizon, and what scaling to mass 1 has removed
    density_min: Number  #: smallest ``p^N`` in the core and the annuli at the horizon

    @property
    def bounds(self) -> dict[tuple[str, str], Number]:
        """The numbers that bounds speak of, by quantity and annulus."""
        labelled = {("density_l1", label): number for label, number in self.density_l1.items()}
        return labelled | {("mean", ""): self.mean, ("risk", ""): self.risk, ("l1", ""): self.l1}

    @property
    def properties(self) -> dict[str, Number]:
        """What is reported of ``p^N`` besides."""
        return {"mass_defect": self.mass_defect, "density_min": self.density_min}


def measure(fine: PairSolution, coarse: PairSolution) -> Measurement:
    """Measure both solutions; their distance is part of the uncertainty of the fine. Collective."""
    return Measurement(
        depth=fine.depth,
        density_l1=density_numbers(fine, coarse, fine.horizon),
        l1=_unweighted(fine, coarse),
        mean=supremum(Functional.mean(fine), Functional.mean(coarse)),
        risk=supremum(Functional.risk(fine), Functional.risk(coarse)),
        mass_defect=_mass_defect(fine),
        density_min=ReportedDensity.of(fine, coarse).minimum,
    )


def density_numbers(fine: PairSolution, coarse: PairSolution, time: float) -> dict[str, Number]:
    """(C) and (D) at a time: weighted L¹ norms, of the whole under the empty label. Collective."""
    weights = [np.exp(solution.discretisation.log_bound_weight) for solution in (fine, coarse)]
    return _l1_numbers(fine, coarse, time, weights)


def _unweighted(fine: PairSolution, coarse: PairSolution) -> Number:
    """``‖p − p^N‖_{L¹}`` at the horizon. Collective."""
    weights = [
        np.ones_like(solution.discretisation.tables.potential) for solution in (fine, coarse)
    ]
    return _l1_numbers(fine, coarse, fine.horizon, weights)[""]


def _l1_numbers(
    fine: PairSolution, coarse: PairSolution, time: float, weights: list[Array]
) -> dict[str, Number]:
    """``∫ w |π_N z|`` per region with w at the Gauss points of both. Collective."""
    space = fine.discretisation.space
    norm, other = (
        _l1_norm(solution, time, weight)
        for solution, weight in zip((fine, coarse), weights, strict=True)
    )
    values = _with_total(norm.values)
    boundary = fine.difference(time).at_wall
    krylov, coarse_krylov = (
        _krylov_part(solution, time, weight)
        for solution, weight in zip((fine, coarse), weights, strict=True)
    )
    parts = {
        "space": SAFETY * np.abs(values - _with_total(other.values)),
        "krylov": krylov,
        "quadrature": _with_total(norm.errors),
        "truncation": boundary * _with_total(regional_sums(space, weights[0])),
        "risk": _risk_part(fine, time, weights[0], values),
        "rounding": _rounding_part(fine, time, weights[0]),
        "sampling": _sampling_part(fine, time, weights[0], values),
    }
    return {
        label: Number(
            float(values[i]),
            time,
            {name: float(part[i]) for name, part in parts.items()},
            float(krylov[i] + coarse_krylov[i]),
        )
        for i, label in enumerate(("", *space.domain.annuli.labels))
    }


def _l1_norm(solution: PairSolution, time: float, weight: Array) -> RegionalNorm:
    """``∫ w |π_N z|`` per region. Collective."""
    log_weight = np.log(weight) + solution.pair.perturbed.log_gibbs
    discretisation = solution.discretisation
    relative = (
        FINEST if solution.dimension < 3 else _SIGN_CHANGES * discretisation.numerics.tolerance
    )
    return weighted_l1(discretisation.space, log_weight, solution.pair.difference(time), relative)


def _krylov_part(solution: PairSolution, time: float, weight: Array) -> Array:
    """The same of the Krylov error, (count + 3,) with the total. Collective.

    It needs no kinks resolved.
    """
    space, pair = solution.discretisation.space, solution.pair
    steps = [pair.difference(time, pair.output.size - k * STRIDE) for k in range(3)]
    changes = [pair.perturbed.gibbs * space.evaluate(a - b) for a, b in itertools.pairwise(steps)]
    sums = (_with_total(regional_sums(space, weight * np.abs(change))) for change in changes)
    return krylov_error(*sums)


def _rounding_part(solution: PairSolution, time: float, weight: Array) -> Array:
    """The same of what rounding of the Krylov vectors leaves, (count + 3,) with the total."""
    space, pair = solution.discretisation.space, solution.pair
    error = np.abs(space.evaluate(pair.difference_rounding(time)))
    return _with_total(regional_sums(space, weight * pair.perturbed.gibbs * error))


def _risk_part(solution: PairSolution, time: float, weight: Array, values: Array) -> Array:
    """What errors of E_N make, (count + 3,) with the total. Collective.

    Errors are known relative to the largest E_N; where E_N is small they are not.
    """
    made_with = solution.discretisation
    density = weight * np.abs(solution.limit_density(time).at_gauss)
    reach = _with_total(regional_sums(made_with.space, density)) / made_with.problem.diffusion
    relative = made_with.tables.errors[solution.depth] * values
    return relative + made_with.risk_error(solution.depth) * reach


def _sampling_part(solution: PairSolution, time: float, weight: Array, values: Array) -> Array:
    """What the potentials may do between Gauss points, (count + 3,) with the total. Collective.

    A cell's part counts where it is, and everywhere relative to the whole.
    """
    made_with = solution.discretisation
    if made_with.surprise is None:
        return np.zeros_like(values)
    space = made_with.space
    density, difference = (
        np.sum(space.weights * weight * np.abs(field.at_gauss), axis=1)
        for field in (solution.limit_density(time), solution.difference(time))
    )
    diffusion = made_with.problem.diffusion
    cells = made_with.surprise.parts(solution.depth, density, difference, diffusion)
    own = _with_total(cell_sums(space, cells))
    return own + values * (own[0] / values[0] if values[0] > 0.0 else 0.0)


def _with_total(regions: Array) -> Array:
    """Total over all regions, then the regions."""
    return np.concatenate([[regions.sum()], regions])


def _mass_defect(solution: PairSolution) -> Number:
    """``∫ p^N − 1`` of the density that is reported, and the mass that its scaling has removed."""
    defect = solution.discretisation.space.integrate(solution.density(solution.horizon)) - 1.0
    removed = abs(solution.pair.mass(solution.horizon) - 1.0)
    return Number(defect, solution.horizon, {"krylov": removed, "rounding": ROUNDING})

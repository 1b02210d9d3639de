"""The numbers of a simulation as rows, in the columns of ``results.csv``."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.simulation.agreement import Agreement
from fokkerplanck.simulation.estimates import Curves, largest_norm
from fokkerplanck.simulation.intervals import (
    NORMAL,
    Interval,
    mean_and_error,
    probability,
    quantile,
    tail_index,
)
from fokkerplanck.simulation.reference import Reference
from fokkerplanck.simulation.statistics import Counters, Sums
from fokkerplanck.study.results import MEAN, RISK, Check, Row

#: Probabilities of the quantiles of N sup|θ − θ^N|, by the name of their rows.
SHARES: Final = {
    "sup_q50": 0.5,
    "sup_q90": 0.9,
    "sup_q99": 0.99,
    "sup_q999": 0.999,
    "sup_q9999": 0.9999,
}

#: Fewest paths beyond a quantile.
_FEWEST: Final = 20


@dataclass(frozen=True, eq=False)
class PathResults:
    """What was found about single paths."""

    remainder: Array  #: E sup|N(θ − θ^N) − η| by depth with its standard error, shape (n, 2)
    order: float  #: in 1/N, of the two deepest depths
    ratio: Array  #: quantiles of bound ÷ actual by depth, shape (n, `pathwise.SHARES`)
    eta: Array  #: sup|η|, then sup N|θ − θ^N| by depth, of some paths, shape (n + 1, p)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything that a simulation has found."""

    name: str  #: of the study
    norm: float  #: ‖p_0‖_2
    horizon: float
    counters: Counters
    sums: Sums
    differences: Curves
    risks: Curves
    paths: PathResults | None
    reference: Reference | None
    agreement: Agreement | None
    notes: tuple[str, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        """What must hold."""
        return tuple(_checks(self))

    @property
    def holds(self) -> bool:
        """Whether all of it does."""
        return all(check.holds for check in self.checks)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """All numbers."""
        parts = (_suprema, _curves, _risks, _laws, _sups, _theory)
        return tuple(row for part in parts for row in part(self))

    @property
    def num_paths(self) -> int:
        """How many paths."""
        return int(self.sums["paths"])


def sup_quantile(outcome: Outcome, n: int, share: float) -> Interval:
    """A quantile of N sup|θ − θ^N| of the depth with this index."""
    sums = outcome.sums
    return quantile(share, sums["sup"][n], outcome.counters.sup_edges, sums["largest"][n])


def exceedance(outcome: Outcome, n: int, e: int) -> Interval:
    """P(sup|θ − θ^N| > ε) of the depth and the ε with these indices."""
    return probability(int(outcome.sums["exceed"][n, e]), outcome.num_paths)


def _row(
    quantity: str, annulus: str, depth: float, time: float, scaled: tuple[float, float], unit: float
) -> Row:
    """A row from N times its value; ``unit`` divides what is called scaled."""
    N = 1.0 if math.isinf(depth) else depth
    value, uncertainty = scaled
    parts = value / N, uncertainty / N, value / unit, uncertainty / unit
    return Row(quantity, annulus, depth, time, *parts)


def _suprema(outcome: Outcome) -> Iterator[Row]:
    """The left sides of (A) and (B)."""
    curves, depths = outcome.differences, outcome.counters.depths
    for quantity, part in ((MEAN, slice(0, -1)), (RISK, slice(-1, None))):
        for n, depth in enumerate(depths):
            k, value, uncertainty = largest_norm(curves, n, part)
            time = float(curves.times[k])
            yield _row(quantity, "", depth, time, (value, uncertainty), outcome.norm)


def _curves(outcome: Outcome) -> Iterator[Row]:
    """(A) by parameter and (B) with their signs, at all output times."""
    curves = outcome.differences
    for n, depth in enumerate(outcome.counters.depths):
        for j in range(curves.values.shape[2]):
            last = j == curves.values.shape[2] - 1
            name = "risk_curve" if last else f"mean_curve_{j}"
            for k, time in enumerate(curves.times):
                scaled = float(curves.values[k, n, j]), float(curves.uncertainties[k, n, j])
                yield _row(name, "", depth, float(time), scaled, outcome.norm)


def _risks(outcome: Outcome) -> Iterator[Row]:
    """Expected risks and their second moments at the horizon; infinite depth: the Neural ODE."""
    for n, depth in enumerate((math.inf, *outcome.counters.depths)):
        for j, name in enumerate(("risk_mean", "risk_square")):
            value = float(outcome.risks.values[-1, n, j])
            uncertainty = float(outcome.risks.uncertainties[-1, n, j])
            yield _plain(name, "", depth, outcome.horizon, value, uncertainty)


def _laws(outcome: Outcome) -> Iterator[Row]:
    """Probabilities of the annuli at the horizon."""
    labels = (*outcome.counters.annuli.labels, "beyond")
    for n, depth in enumerate((math.inf, *outcome.counters.depths)):
        for k, label in enumerate(labels):
            found = probability(int(outcome.sums["annulus"][n, k]), outcome.num_paths)
            yield _plain("mass", label, depth, outcome.horizon, found.value, found.uncertainty)


def _sups(outcome: Outcome) -> Iterator[Row]:
    """Quantiles, tail index and exceedance probabilities of the suprema."""
    for n, depth in enumerate(outcome.counters.depths):
        for name, share in SHARES.items():
            if (1 - share) * outcome.num_paths >= _FEWEST:
                found = sup_quantile(outcome, n, share)
                scaled = found.value, found.uncertainty
                yield _row(name, "", depth, outcome.horizon, scaled, 1.0)
        if outcome.num_paths >= 100 * _FEWEST:
            index, error = tail_index(outcome.sums["largest"][n][: outcome.num_paths // 100])
            yield _plain("sup_tail_index", "", depth, outcome.horizon, index, NORMAL * error)
        for e, epsilon in enumerate(outcome.counters.exceed):
            found = exceedance(outcome, n, e)
            name = f"exceeds_{epsilon:g}"
            yield _plain(name, "", depth, outcome.horizon, found.value, found.uncertainty)


def _theory(outcome: Outcome) -> Iterator[Row]:
    """Distances to the paths' limits, and how sharp the paths' bounds are."""
    if outcome.paths is None:
        return
    for n, depth in enumerate(outcome.counters.depths):
        value, error = (float(x) for x in outcome.paths.remainder[n])
        scaled = value, NORMAL * error
        yield _row("path_limit", "", depth, outcome.horizon, scaled, 1.0)
        least, middle, *_ = outcome.paths.ratio[n]
        for name, ratio in (("path_bound_least", least), ("path_bound_median", middle)):
            yield _plain(name, "", depth, outcome.horizon, float(ratio), 0.0)


def _plain(
    quantity: str, annulus: str, depth: float, time: float, value: float, uncertainty: float
) -> Row:
    """A row of a number that has no scaled form."""
    return Row(quantity, annulus, depth, time, value, uncertainty, math.nan, math.nan)


def _checks(outcome: Outcome) -> Iterator[Check]:
    """Agreement with the densities, and the bound of every path."""
    if (agreement := outcome.agreement) is not None:
        within, total = agreement.usual
        worst = agreement.worst
        yield Check(
            "paths and densities agree",
            agreement.holds,
            f"{within} of {total} |z| below 1.96; smallest p {agreement.smallest:.2g} after Holm, "
            f"of {len(agreement.comparisons)} comparisons ({worst.quantity}, N = {worst.depth:g}, "
            f"t = {worst.time:g})",
        )
    if outcome.paths is not None:
        least = float(outcome.paths.ratio[:, 0].min())
        middle = float(np.median(outcome.paths.ratio[:, 1]))
        yield Check(
            "the pathwise bound holds on every path",
            least >= 1.0 - 1e-9,
            f"bound ÷ actual at least {least:.4g}, {middle:.3g} in the median",
        )


def path_results(sums: Sums, order: float, shares: tuple[float, ...]) -> PathResults:
    """Averages and quantiles from the sums of `PathTheory`."""
    mean, error = mean_and_error(sums["remainder"], int(sums["paths"]))
    ratio = np.quantile(sums["ratio"], shares, axis=1).T
    return PathResults(np.stack([mean, error], axis=1), order, ratio, sums["eta"])

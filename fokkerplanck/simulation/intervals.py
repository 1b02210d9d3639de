"""Intervals that hold with 99 % probability, for means, probabilities, quantiles and tails."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from fokkerplanck.runtime.arrays import Array

CONFIDENCE: Final = 0.99

#: Half width of the interval of a normal mean in standard errors.
NORMAL: Final = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))


@dataclass(frozen=True)
class Interval:
    """An estimate between the ends of its interval."""

    value: float
    low: float
    high: float

    @property
    def uncertainty(self) -> float:
        """The longer side."""
        return max(self.value - self.low, self.high - self.value)


def mean_and_error(sums: Array, count: int) -> tuple[Array, Array]:
    """Means and their standard errors from sums of first and second powers in the last axis."""
    mean = sums[..., 0] / count
    variance = np.maximum(sums[..., 1] / count - mean**2, 0.0) / max(count - 1, 1)
    return mean, np.sqrt(variance)


def probability(hits: int, trials: int) -> Interval:
    """A probability with the interval of Clopper and Pearson [CP34]."""
    found = stats.binomtest(hits, trials).proportion_ci(CONFIDENCE, method="exact")
    return Interval(hits / trials, float(found.low), float(found.high))


def quantile(share: float, histogram: Array, edges: Array, largest: Array) -> Interval:
    """A quantile between order statistics, whose ranks are binomial.

    Args:
        share: probability below the quantile.
        histogram: counts, first below the edges and last beyond, shape (bins + 2,).
        edges: edges of the bins, shape (bins + 1,).
        largest: the largest values, descending; these are known one by one.
    """
    total = int(histogram.sum())
    tail = 0.5 * (1 - CONFIDENCE)
    low, high = (int(stats.binom.ppf(p, total, share)) for p in (tail, 1 - tail))
    ends = np.concatenate([[0.0], edges, [np.inf]])

    def ranked(rank: float, side: int) -> float:
        """Bounds of the value of a rank, 1 for the smallest; side 0 from below, 1 from above."""
        rank = min(max(round(rank), 1), total)
        if total - rank < len(largest):
            return float(largest[total - rank])
        return float(ends[np.searchsorted(np.cumsum(histogram), rank) + side])

    middle = share * total + 0.5
    value = np.sqrt(ranked(middle, 0) * ranked(middle, 1))
    return Interval(float(value), ranked(low, 0), ranked(high + 1, 1))


def tail_index(largest: Array) -> tuple[float, float]:
    """Index of a power tail with its standard error, from the largest values [Hil75]."""
    logs = np.log(largest[:-1] / largest[-1])
    index = 1.0 / float(np.mean(logs)) if np.any(logs > 0) else np.inf
    return index, index / np.sqrt(len(logs))


def holm(p_values: Array) -> Array:
    """Holm's adjusted p-values: the smallest may be compared with a level as if alone [Hol79]."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return adjusted


def chi_square(observed: Array, expected: Array, fewest: float = 10.0) -> float:
    """p-value of counts in bins whose expected counts are known.

    Neighbouring bins are joined until each is expected to hold at least ``fewest``.
    """
    seen, awaited = [0.0], [0.0]
    for count, mean in zip(observed, expected, strict=True):
        if awaited[-1] >= fewest:
            seen.append(0.0)
            awaited.append(0.0)
        seen[-1] += count
        awaited[-1] += mean
    if awaited[-1] < fewest and len(awaited) > 1:
        seen[-2:], awaited[-2:] = [sum(seen[-2:])], [sum(awaited[-2:])]
    if len(awaited) < 2:
        return 1.0
    scaled = np.array(awaited) * (sum(seen) / sum(awaited))
    return float(stats.chisquare(seen, scaled).pvalue)

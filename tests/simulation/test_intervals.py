import numpy as np
import pytest
from scipy import stats

from fokkerplanck.simulation.intervals import (
    chi_square,
    holm,
    mean_and_error,
    probability,
    quantile,
    tail_index,
)
from fokkerplanck.simulation.statistics import counts


def test_clopper_pearson():
    found = probability(3, 50)
    assert found.low == pytest.approx(stats.beta.ppf(0.005, 3, 48))
    assert found.high == pytest.approx(stats.beta.ppf(0.995, 4, 47))
    assert probability(0, 100).high == pytest.approx(1 - 0.005**0.01)


def test_means_and_standard_errors():
    x = np.array([1.0, 2.0, 4.0])
    mean, error = mean_and_error(np.array([x.sum(), (x**2).sum()]), 3)
    assert mean == pytest.approx(x.mean())
    assert error == pytest.approx(x.std(ddof=1) / np.sqrt(3))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_quantiles_are_covered(share):
    edges, rng = np.logspace(-3, 3, 6 * 256 + 1), np.random.default_rng(4)
    truth, hits = stats.expon.ppf(share), 0
    for _ in range(300):
        x = rng.exponential(size=4_000)
        found = quantile(share, counts(x[None], edges)[0], edges, -np.sort(-x)[:512])
        assert found.low <= found.value <= found.high
        hits += found.low <= truth <= found.high
    assert hits >= stats.binom.ppf(1e-3, 300, 0.99)


def test_known_largest_values_are_exact():
    x = np.arange(1.0, 101.0)
    edges = np.array([1.0, 50.0, 200.0])
    found = quantile(0.98, counts(x[None], edges)[0], edges, x[::-1][:30])
    assert found.value in (98.0, 99.0)
    assert found.high == 100.0


def test_tail_index_of_a_power_law():
    x = np.sort(np.random.default_rng(5).pareto(3.0, 100_000) + 1.0)[::-1][:512]
    index, error = tail_index(x)
    assert abs(index - 3.0) < 3 * error


def test_holm_as_in_the_text():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_chi_square_joins_rare_bins_and_sees_what_is_wrong():
    rng = np.random.default_rng(6)
    share = stats.binom.pmf(np.arange(21), 20, 0.3)
    found = [chi_square(rng.multinomial(5_000, share), 5_000 * share) for _ in range(200)]
    assert stats.kstest(found, "uniform").pvalue > 1e-3
    wrong = stats.binom.pmf(np.arange(21), 20, 0.32)
    assert chi_square(rng.multinomial(5_000, share), 5_000 * wrong) < 1e-6

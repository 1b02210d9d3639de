"""Where expected risks part: gradient descent with Gaussian noise on ``f = θ x``, by quadrature.

    python benchmarks/noisy_sgd.py [--rates 0.01,0.1,0.5] [--paths 1000000]

Prints log10 E[V_N(θ_2)] after two steps for networks and the Neural ODE, with the number of
standard deviations that the first step must be off for it; where that is beyond 7, no simulation
will see it. Then plain simulation of four steps of 1/4, where it can be seen. Exit code 1 if
quadrature is off by more than 1e-6, relative, or if the Neural ODE's expectation is not moderate.
"""

import math
import sys

import click
import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from fokkerplanck.simulation.noisy_sgd import NoisySGD

DEPTHS = (1, 2, 4, 8, 16, 32, 64, 128, math.inf)


@click.command()
@click.option("--rates", default="0.01,0.1,0.5", help="Learning rates.")
@click.option("--paths", default=1_000_000, help="Simulated paths.")
def main(rates: str, paths: int) -> None:
    """Print both tables."""
    console, good = Console(), True
    grid = Grid("N", title="log10 E[V_N(θ_2)], and standard deviations away")
    columns = [float(rate) for rate in rates.split(",")]
    for rate in columns:
        grid.add_column(f"η = {rate:g}")
    for depth in DEPTHS:
        cells = []
        for rate in columns:
            steps = NoisySGD(rate, depth)
            value, error = steps.log10_expected_risk()
            good &= error < 1e-6 * max(1.0, abs(value))
            good &= math.isfinite(depth) or value < 4.0
            cells.append(f"{value:.3f} ({steps.peak:.1f})")
        grid.add_row(f"{depth:g}", *cells)
    console.print(grid)
    for depth in (1, 2, 4, 8, math.inf):
        mean = simulated_mean(depth, paths)
        console.print(f"four steps of 1/4, {paths} paths, N = {depth:g}: mean of V_N {mean:.4g}")
    sys.exit(0 if good else 1)


def simulated_mean(depth: float, paths: int) -> float:
    """Mean of V_N(θ_4) with η = 1/4 over simulated paths; infinite where it overflows."""
    steps, rng = NoisySGD(0.25, depth), np.random.default_rng(1)
    theta = np.zeros(paths)
    with np.errstate(all="ignore"):
        for _ in range(4):
            slope = steps.slope(theta)
            theta = theta - steps.rate * slope + steps.spread * rng.standard_normal(paths)
        return float(np.nan_to_num(np.exp(steps.log_risk(theta)), nan=np.inf).mean())


if __name__ == "__main__":
    main()

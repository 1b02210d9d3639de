"""How fast, how accurate, and how far from direct evaluation are coupled paths by drift tables?

    python benchmarks/coupled_paths.py [STUDY] [--depths 1,16,64] [--paths 65536] [--steps 128]

Prints per depth the time, size and error of its table; then the time per path, step and depth, all
in; then strong and weak errors of both schemes against twice the steps. Exit code 1 if a table is
off by more than 1e-10, relative to values above 1.
"""

import math
import sys
import time

import click
import numpy as np
from mpi4py import MPI
from rich.console import Console
from rich.table import Table as Grid

from fokkerplanck.simulation.ensemble import Simulation
from fokkerplanck.simulation.paths import integrate, integrate_pair
from fokkerplanck.simulation.potentials import PotentialFactory, TabulatedPotential
from fokkerplanck.simulation.schemes import SCHEMES, SRA1
from fokkerplanck.study import Study

#: Paths that are followed together.
BLOCK = 1024


def main_table(factory: PotentialFactory, depths: list[float]) -> tuple[Grid, bool]:
    """Figures of the tables, and whether their errors are small."""
    grid, good = Grid("N", "seconds", "MiB", "value", "gradient", "ns", title="drift tables"), True
    theta = np.random.default_rng(1).standard_normal((factory.study.dimension, BLOCK))
    for depth in depths:
        start = time.perf_counter()
        potential = factory.potential(depth)
        seconds = time.perf_counter() - start
        assert isinstance(potential, TabulatedPotential)
        (value, slope), (known, steep) = potential(theta), potential.direct(theta)
        scale = np.maximum(1.0, np.abs(known))
        errors = np.abs(value - known) / scale, np.abs(slope - steep) / scale
        good &= max(float(error.max()) for error in errors) < 1e-10
        size = potential.table.coefficients.nbytes / 2**20
        cells = [f"{depth:g}", f"{seconds:.2f}", f"{size:.3f}", *(f"{e.max():.1e}" for e in errors)]
        grid.add_row(*cells, f"{fastest(lambda V=potential: V(theta)) / BLOCK * 1e9:.1f}")
    return grid, good


def fastest(action) -> float:
    """Fewest seconds that it takes."""
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def errors_table(study: Study, num_paths: int) -> Grid:
    """Changes of θ_T and E[V(θ_T)] when the steps are halved."""
    grid = Grid("steps", title="rms change of θ_T and change of E[V(θ_T)] when steps are halved")
    for name in SCHEMES:
        grid.add_column(name)
    for num_steps in (32, 64, 128, 256):
        cells = []
        for scheme in SCHEMES.values():
            ensemble = simulation(study, scheme, num_steps).ensemble
            fine, coarse = integrate_pair(ensemble, np.arange(num_paths))
            gap = fine.states[-1, 0] - coarse.states[-1, 0]
            change = fine.values[-1, 0] - coarse.values[-1, 0]
            spread = 2.576 * change.std() / math.sqrt(change.size)
            strong = math.sqrt((gap**2).sum(axis=0).mean())
            cells.append(f"{strong:.2e}   {change.mean():+.2e} ± {spread:.0e}")
        grid.add_row(f"{num_steps}", *cells)
    return grid


def simulation(study: Study, scheme, num_steps: int) -> Simulation:
    """Paths of a study with its own noise."""
    sigma = study.settings.noise.scale * np.eye(study.dimension)
    return Simulation(study, MPI.COMM_SELF, scheme, num_steps, 1, (0.1,), sigma)


@click.command()
@click.argument("name", default="geyser")
@click.option("--depths", default="1,16,64", help="Depths N.")
@click.option("--paths", default=65_536, help="Paths whose time is taken.")
@click.option("--steps", default=128, help="Their steps.")
def main(name: str, depths: str, paths: int, steps: int) -> None:
    """Print all figures."""
    study, console = Study.load(name, [f"depths.values=[{depths}]"]), Console()
    factory = PotentialFactory(study, MPI.COMM_SELF)
    factory.potential(1)(np.zeros((study.dimension, 1)))  # compiles
    made = simulation(study, SRA1, steps)
    grid, good = main_table(factory, [math.inf, *made.depths])
    console.print(grid)
    integrate(made.ensemble, np.arange(2))
    start = time.process_time()
    for first in range(0, paths, BLOCK):
        made.counters.count(integrate(made.ensemble, np.arange(first, first + BLOCK)))
    seconds = time.process_time() - start
    each = seconds / (paths * steps * (1 + len(made.depths)))
    console.print(f"{paths} paths: {seconds:.1f} CPU s, {each * 1e9:.0f} ns per path, step, depth")
    console.print(errors_table(Study.load(name, ["depths.values=[1]"]), 8 * BLOCK))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

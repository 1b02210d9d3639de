"""The Ornstein–Uhlenbeck density in one to three dimensions against its exact convolution.

Run ``mpirun -n 2 python benchmarks/ornstein_uhlenbeck.py --dim 3 --json FILE``. The stages are
timed apart, the error is measured in every region, and a line is added to ``benchmarks/results/``.
"""

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import fokkerplanck as fp  # before mpi4py: it limits threads and loads the solver's wheel
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.quadrature.norms import regional_sums
from fokkerplanck.fem.space import Space
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import InitialDensity
from fokkerplanck.problem.numerics import SolverOptions
from fokkerplanck.solution.solve import Evolved
from fokkerplanck.solution.tabulation import tabulate

from mpi4py import MPI  # isort: skip

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from references.ornstein_uhlenbeck import OrnsteinUhlenbeck  # the tests' closed forms

RESULTS = Path(__file__).parent / "results" / "ornstein_uhlenbeck.jsonl"

GAMMA, HORIZON, SHIFT, KRYLOV_TOLERANCE = 0.5, 1.0, 10.0, 1e-10

#: Degree and largest radial cell by dimension.
RESOLUTIONS = {1: (12, 0.5), 2: (10, 0.7), 3: (7, 1.0)}


class Stages:
    """Seconds of each stage, the slowest rank's."""

    def __init__(self, comm: MPI.Comm) -> None:
        """Begin with none."""
        self._comm = comm
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage. Collective."""
        self._comm.barrier()
        start = time.perf_counter()
        yield
        self.seconds[name] = self._comm.allreduce(time.perf_counter() - start, op=MPI.MAX)


def main() -> int:
    """Solve on all ranks and report on the first."""
    arguments = parsed()
    comm = MPI.COMM_WORLD
    entry = measured(arguments, comm)
    if comm.rank == 0:
        show(entry)
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if arguments.json:
            arguments.json.write_text(json.dumps(entry, indent=2), encoding="utf-8")
    worst = max(entry["errors"][label] for label in ("core", "0", "1"))
    return 0 if worst <= arguments.tolerance else 1


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dim", type=int, choices=(1, 2, 3), default=3)
    parser.add_argument("--degree", type=int, help="of the elements")
    parser.add_argument("--size", type=float, help="largest radial cell")
    parser.add_argument("--start", choices=("gaussian", "bump"), default="gaussian")
    parser.add_argument("--solver", choices=("auto", "cholesky", "iterative"), default="auto")
    parser.add_argument("--radius", type=float, default=6.5, help="of the ball")
    parser.add_argument("--tolerance", type=float, default=1e-8, help="in core and annuli 0 and 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser.parse_args()


def measured(arguments: argparse.Namespace, comm: MPI.Comm) -> dict[str, Any]:
    """Solve and measure. Collective."""
    dimension = arguments.dim
    degree, size = RESOLUTIONS[dimension]
    degree, size = arguments.degree or degree, arguments.size or size
    initial = start(arguments.start, dimension)
    exact = OrnsteinUhlenbeck(GAMMA, initial)
    recipe = fp.Recipe(
        ("interval", "disk", "ball")[dimension - 1],
        Annuli(1.0, 2),
        arguments.radius,
        sizes=((0.0, size),),
        sectors=8 if dimension == 3 else 16,
        geometry_degree=8,
    )
    stages = Stages(comm)
    with stages.stage("mesh"):
        space = Space(recipe.build(comm), degree)
        operator = GibbsOperator(space, tabulate(exact.potential, space), 1.0)
    with stages.stage("start"):
        load = initial_load(space, initial)
    propagator = Propagator(operator, SHIFT / HORIZON, SolverOptions(arguments.solver))
    with stages.stage("factor"):
        propagator.solve(load)
    with stages.stage("krylov"):
        times = (HORIZON / 8, HORIZON)
        output = propagator.evolve(load, times, KRYLOV_TOLERANCE)
    with stages.stage("norms"):
        density = Evolved(operator, output).field(HORIZON)
        errors = relative_errors(space, density.at_gauss, exact(space.points, HORIZON))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {
        "dimension": dimension,
        "start": arguments.start,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {platform.system()}",
        "ranks": comm.size,
        "degree": degree,
        "unknowns": space.num_unknowns,
        "solver": propagator.description,
        "iterations": output.size,
        "krylov_estimate": output.change,
        "seconds": stages.seconds | {"total": sum(stages.seconds.values())},
        "peak_gigabytes_per_rank": comm.allgather(peak),
        "errors": dict(zip((*recipe.annuli.labels, "beyond"), errors, strict=True)),
    }


def start(name: str, dimension: int) -> InitialDensity:
    """The initial density: a normal one off the centre, or a bump."""
    if name == "gaussian":
        return fp.Gaussian((0.3, -0.2, 0.1)[:dimension], 0.4)
    return fp.Bump((0.0,) * dimension, 1.0)


def relative_errors(space: Space, values: np.ndarray, exact: np.ndarray) -> list[float]:
    """``∫ e^{γH/4}|p − exact| / ∫ e^{γH/4} exact`` per region. Collective."""
    weight = np.exp(0.25 * GAMMA * np.sum(space.points**2, axis=2))
    errors = regional_sums(space, weight * np.abs(values - exact))
    return [float(x) for x in errors / regional_sums(space, weight * exact)]


def show(entry: dict[str, Any]) -> None:
    """Print what is written."""
    console = Console()
    console.print(
        f"m = {entry['dimension']}, {entry['start']}: degree {entry['degree']}, "
        f"{entry['unknowns']} unknowns, {entry['ranks']} rank(s), {entry['iterations']} Krylov "
        f"vectors, peak {max(entry['peak_gigabytes_per_rank']):.2f} GB per rank"
    )
    for title, key, form in (("region", "errors", ".1e"), ("stage", "seconds", ".2f")):
        table = Table(title, "relative error" if key == "errors" else "seconds")
        for name, value in entry[key].items():
            table.add_row(name, format(value, form))
        console.print(table)


if __name__ == "__main__":
    sys.exit(main())

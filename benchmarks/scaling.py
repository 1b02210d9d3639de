"""Strong and weak scaling of one exponential in three dimensions, stage by stage.

Run ``mpirun -n 2 python benchmarks/scaling.py --mode strong`` (the same problem on any number of
ranks) or ``--mode weak`` (the same number of unknowns per rank). The problem is Ornstein–Uhlenbeck
in the ball, where the exact density is known. ``--json FILE`` writes unknowns, seconds per stage,
peak memory per rank, iterations of each solve and the error in each annulus, as they are printed
and appended to ``benchmarks/results/scaling.jsonl``. Seconds are those on the clock and, for
machines that do other work, too, those of the processor; kernels that were not compiled before
are compiled in the stages that use them first. The operator is measured on its own, against the
bandwidth of a triad and, with ``--assembled``, against the product with the assembled matrix.
Efficiency is relative to the last line that was measured on one rank with the same options.
"""

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fokkerplanck import Annuli, Gaussian, Recipe  # limits threads, so before the others
from fokkerplanck.evolution.dense_output import DenseOutput
from fokkerplanck.evolution.krylov import KrylovSpace, Restart
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.quadrature.norms import regional_sums
from fokkerplanck.fem.space import Space
from fokkerplanck.linalg.choice import create_solver
from fokkerplanck.operators.forms import mass_matrix
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.numerics import SolverOptions

from mpi4py import MPI  # isort: skip
from numba import njit  # isort: skip

RESULTS = Path(__file__).parent / "results" / "scaling.jsonl"
HORIZON, SHIFT, RADIUS, START = 1.0, 10.0, 5.0, 0.3
COMM = MPI.COMM_WORLD


class Stages:
    """Seconds of each stage on the clock and of the processor, those of the slowest rank."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.processor_seconds: dict[str, float] = {}

    def run[T](self, name: str, work: Callable[[], T]) -> T:
        """Run a stage on all ranks. Collective."""
        COMM.barrier()
        begin, busy = time.perf_counter(), time.process_time()
        result = work()
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
        self.seconds[name] = COMM.allreduce(seconds, op=MPI.MAX)
        self.processor_seconds[name] = COMM.allreduce(busy, op=MPI.MAX)
        return result


def main() -> int:
    """Measure on all ranks and report on the first."""
    arguments = parsed()
    figures = measured(arguments)
    if COMM.rank == 0:
        figures |= efficiency(figures)
        print(json.dumps(figures, indent=2))
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    return 0


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=["strong", "weak"], required=True)
    parser.add_argument("--unknowns", type=float, default=1e5, help="in all, or per rank if weak")
    parser.add_argument("--degree", type=int, default=6)
    parser.add_argument("--solver", choices=["auto", "cholesky", "iterative"], default="iterative")
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--vectors", type=int, help="most Krylov vectors to hold; all by default")
    parser.add_argument("--assembled", action="store_true", help="compare with the matrix, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser.parse_args()


def recipe(unknowns: float, degree: int) -> Recipe:
    """A ball with about so many unknowns, all cells of about the same shape."""
    cells = unknowns / degree**3
    side = 2
    while number_of_cells(side + 1) <= 1.2 * cells:
        side += 1
    return with_side(side)


def with_side(side: int) -> Recipe:
    """A ball with so many cells along a quarter of its equator."""
    return Recipe("ball", Annuli(1.0, 2), RADIUS, sizes=((0.0, 2.4 / side),), sectors=4 * side)


def number_of_cells(side: int) -> int:
    """Cells of the ball, before it is built."""
    return with_side(side).cubed_sphere.num_cells


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of one run. Collective."""
    stages, degree = Stages(), arguments.degree
    unknowns = arguments.unknowns * (COMM.size if arguments.mode == "weak" else 1)
    domain = stages.run("mesh", lambda: recipe(unknowns, degree).build(COMM))
    space = Space(domain, degree)
    operator = stages.run("assembly", lambda: tabulated(space))
    stages.run("kernels", lambda: operator.matrix_free.apply(np.ones(space.num_owned), 1.0, 1.0))
    kernels = operator_figures(operator, arguments.assembled)
    initial = Gaussian((0.0, 0.0, 0.0), START)
    load = stages.run("start", lambda: initial_load(space, initial))
    inner = 0.01 * arguments.tolerance
    bound = None if arguments.vectors is None else Restart(arguments.vectors, (HORIZON,))
    solver = stages.run(
        "preconditioner",
        lambda: create_solver(operator, SHIFT, SolverOptions(arguments.solver, tolerance=inner)),
    )
    output = stages.run(
        "krylov",
        lambda: KrylovSpace(
            lambda u: solver.solve(operator.apply_mass(u)),
            solver.solve(load),
            operator.krylov_weights,
            COMM,
            SHIFT,
            bound=bound,
        ).evolve((HORIZON,), arguments.tolerance),
    )
    errors = stages.run("norms", lambda: relative_errors(operator, output))
    return {
        "mode": arguments.mode,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {platform.system()}",
        "ranks": COMM.size,
        "degree": degree,
        "unknowns": space.num_unknowns,
        "cells": domain.mesh.topology.index_map(3).size_global,
        "tolerance": arguments.tolerance,
        "solver": solver.description,
        "iterations": getattr(solver, "iterations", []),
        "basis": output.size,
        "vectors": arguments.vectors,
        "errors": errors,
        "seconds": stages.seconds,
        "processor_seconds": stages.processor_seconds,
        "peak_bytes_per_rank": 1024
        * COMM.allreduce(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, op=MPI.MAX),
        "operator": kernels,
    }


def tabulated(space: Space) -> GibbsOperator:
    """``V = |θ|²`` at the Gauss points, with the geometry there. Collective."""
    return GibbsOperator(space, np.sum(space.points**2, axis=2), 1.0)


def relative_errors(operator: GibbsOperator, output: DenseOutput) -> dict[str, float]:
    """Error in the norm ``∫ e^{|θ|²/4} |·|`` per region, relative. Collective."""
    space = operator.space
    square = np.sum(space.points**2, axis=2)
    variance = START**2 * np.exp(-4.0 * HORIZON) - 0.5 * np.expm1(-4.0 * HORIZON)
    exact = np.exp(-0.5 * square / variance) / (2.0 * np.pi * variance) ** 1.5
    density = operator.gibbs * space.evaluate(output.coefficients(HORIZON))
    weight = np.exp(0.25 * square)
    error = regional_sums(space, weight * np.abs(density - exact))
    values = regional_sums(space, weight * exact)
    labels = space.domain.annuli.labels
    return {label: float(error[k] / values[k]) for k, label in enumerate(labels)}


def operator_figures(operator: GibbsOperator, assembled: bool) -> dict[str, float]:
    """Speed and memory of one application, against the triad and the matrix. Collective."""
    matrix_free = operator.matrix_free
    unknowns = matrix_free.space.num_unknowns
    u = np.cos(np.arange(matrix_free.space.num_owned, dtype=np.float64))
    seconds = shortest(lambda: matrix_free.apply(u, 1.0, 1.0 / SHIFT))
    moved = COMM.allreduce(matrix_free.num_bytes + 3 * u.nbytes)
    a, b, c = (np.ones(8_000_000) for _ in range(3))
    bandwidth = 3.0 * COMM.size * a.nbytes / shortest(lambda: triad(a, b, c))
    figures = {
        "unknowns_per_second": unknowns / seconds,
        "bytes_per_unknown": moved / unknowns,
        "triad_bytes_per_second": bandwidth,
        "fraction_of_triad": moved / seconds / bandwidth,
    }
    if assembled:
        matrix = mass_matrix(operator)
        left, right = matrix.createVecs()
        figures["speedup_over_matrix"] = shortest(lambda: matrix.mult(right, left)) / seconds
        figures["matrix_bytes_per_unknown"] = 12.0 * matrix.getInfo()["nz_used"] / unknowns
    return figures


@njit(error_model="numpy", cache=True)
def triad(a, b, c):
    """Nothing but memory traffic."""
    for i in range(a.size):
        a[i] = b[i] + 3.0 * c[i]


def shortest(work: Callable[[], Any], repeats: int = 12) -> float:
    """Shortest time of several runs, of the slowest rank. Collective."""
    work()
    times = []
    for _ in range(repeats):
        COMM.barrier()
        begin = time.perf_counter()
        work()
        times.append(COMM.allreduce(time.perf_counter() - begin, op=MPI.MAX))
    return min(times)


def efficiency(figures: dict[str, Any]) -> dict[str, Any]:
    """Speed per rank relative to the last run on one rank, stage by stage."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    same = ("degree", "tolerance", "solver", "machine", "vectors")
    wanted = {key: figures[key] for key in same}
    for line in reversed(lines):
        alone = json.loads(line)
        fits = alone["ranks"] == 1 and wanted == {key: alone.get(key) for key in same}
        share = figures["unknowns"] / figures["ranks"] ** (figures["mode"] == "weak")
        if fits and 0.7 < share / alone["unknowns"] < 1.4:
            work = figures["unknowns"] / alone["unknowns"] / figures["ranks"]
            pairs = figures["seconds"].items()
            return {"efficiency": {k: work * alone["seconds"][k] / v for k, v in pairs}}
    return {"efficiency": {}}


if __name__ == "__main__":
    sys.exit(main())

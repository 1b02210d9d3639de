"""Are the uncertainties honest? Random studies against much finer computations of themselves.

    python benchmarks/calibration.py [--studies 200] [--planes 10] [--out results/calibration.json]

Each study is drawn from the ranges of `random_study` by its seed, and solved twice: with an
accuracy between 1e-3 and 1e-6, and with 1e-9. Numbers are (A)-(D) and the L¹ norm at four depths
and in the limit. Where the finer one is no more certain than a third of the uncertainty, because
both have met rounding, nothing can be decided. Of the others a number is covered if it is within
its uncertainty of the finer one. Exit code 1 if fewer than 99 % are covered, or if the median of
uncertainty ÷ true error exceeds 100.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from mpi4py import MPI
from rich.console import Console
from rich.progress import track
from rich.table import Table as Grid

from fokkerplanck.runtime.progress import Progress
from fokkerplanck.study import Study, StudyError
from fokkerplanck.study.results import Results
from fokkerplanck.verification.driver import run

LINES = ("theta[0]*tanh(x[0])", "tanh(theta[0]*x[0])", "theta[0]*x[0]", "sin(theta[0]*x[0])")
PLANES = ("theta[0]*tanh(theta[1]*x[0])", "tanh(theta[0]*x[0] + theta[1])")

QUANTITIES = ("density_l1", "mean", "risk", "l1")

#: Accuracy of the finer computations.
FINEST = 1e-9


@dataclass(frozen=True)
class Comparison:
    """One number of one study."""

    seed: int
    name: str
    value: float
    uncertainty: float
    error: float  #: distance to the finer computation
    blur: float  #: uncertainty of that

    @property
    def is_decided(self) -> bool:
        """Whether the finer computation is finer here."""
        return self.blur <= self.uncertainty / 3.0

    @property
    def is_covered(self) -> bool:
        """Whether the true error is within the uncertainty."""
        return self.error <= self.uncertainty

    @property
    def overestimate(self) -> float:
        """Uncertainty ÷ true error; errors below what the finer computation knows count as that."""
        return self.uncertainty / max(self.error, self.blur)


def random_study(seed: int, dimension: int) -> dict[str, dict[str, object]]:
    """The tables of a study; every value is drawn from the range that stands here."""
    draw = np.random.default_rng(seed)
    samples = int(draw.integers(1, 6))
    kind = str(draw.choice(["bump", "polynomial", "gaussian", "uniform"]))
    radius = float(draw.uniform(0.1, 0.25) if kind == "gaussian" else draw.uniform(0.4, 1.0))
    return {
        "network": {
            "field": [str(draw.choice(LINES if dimension == 1 else PLANES))],
            "parameters": dimension,
        },
        "data": {
            "inputs": draw.uniform(-1.5, 1.5, samples).tolist(),
            "targets": draw.uniform(-1.5, 1.5, samples).tolist(),
        },
        "cap": {
            "kind": str(draw.choice(["smooth", "tanh"])),
            "radius": float(draw.uniform(0.7, 1.5)),
        },
        "penalty": {"gamma": float(draw.uniform(0.3, 1.0))},
        "noise": {"sigma": float(draw.uniform(1.0, 1.6))},
        "initial": {
            "kind": kind,
            "radius": radius,
            "center": draw.uniform(-0.4, 0.4, dimension).tolist(),
        },
        "annuli": {"radius": 1.0, "count": 2},
        "depths": {"values": [1, 4, 32, 1024], "limit": True},
        "time": {"horizon": float(draw.uniform(0.4, 1.5))},
        "accuracy": {"relative": float(10.0 ** draw.uniform(-6.0, -3.0))},
    }


def compare(seed: int, dimension: int) -> list[Comparison]:
    """Solve a random study twice and compare every number.

    Raises:
        StudyError: the study cannot be solved.
    """
    tables = random_study(seed, dimension)
    finer = {**tables, "accuracy": {"relative": FINEST}}
    results, references = (_measured(content) for content in (tables, finer))
    known = {(r.quantity, r.annulus, r.depth): r for r in references.rows}
    found = []
    for row in results.rows:
        if row.quantity in QUANTITIES:
            true = known[row.quantity, row.annulus, row.depth]
            found.append(
                Comparison(
                    seed,
                    f"{row.quantity} {row.annulus} {row.depth:g}",
                    row.value,
                    row.uncertainty,
                    abs(row.value - true.value),
                    true.uncertainty,
                )
            )
    return found


def _measured(tables: dict[str, dict[str, object]]) -> Results:
    return run(Study.from_dict(tables), MPI.COMM_SELF, Progress())


def summary(found: list[Comparison], studies: int, refused: int) -> dict[str, object]:
    """What is kept of a calibration."""
    decided = [c for c in found if c.is_decided]
    missed = [c for c in decided if not c.is_covered]
    over = np.array([c.overestimate for c in decided])
    return {
        "studies": studies,
        "refused": refused,
        "numbers": len(found),
        "decided": len(decided),
        "covered": 1.0 - len(missed) / len(decided),
        "median_overestimate": float(np.median(over)),
        "quantiles_of_overestimate": np.quantile(over, [0.05, 0.25, 0.75, 0.95]).tolist(),
        "missed": [
            {
                "seed": c.seed,
                "number": c.name,
                "value": c.value,
                "error_over_uncertainty": c.error / c.uncertainty,
            }
            for c in missed
        ],
    }


@click.command()
@click.option("--studies", default=200, show_default=True, help="Random studies in all.")
@click.option("--planes", default=10, show_default=True, help="How many have two parameters.")
@click.option(
    "--out",
    default=str(Path(__file__).parent / "results" / "calibration.json"),
    help="File of the result.",
)
def main(studies: int, planes: int, out: str) -> None:
    """Calibrate the uncertainties on random studies."""
    found: list[Comparison] = []
    refused = 0
    console = Console(stderr=True)
    for seed in track(range(studies), "studies", console=console):
        try:
            found += compare(seed, 2 if seed >= studies - planes else 1)
        except StudyError as error:
            refused += 1
            console.print(f"seed {seed} refused: {error}", markup=False)
    result = summary(found, studies, refused)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    grid = Grid("what", "value", title="Calibration of the uncertainties")
    for name, value in result.items():
        grid.add_row(name, str(value))
    Console().print(grid)
    sys.exit(int(result["covered"] < 0.99 or result["median_overestimate"] > 100.0))


if __name__ == "__main__":
    main()

"""``simulation.csv``, one number a row, and ``simulation.json``, which tells how they came."""

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fokkerplanck.simulation.driver import EnsembleOptions
from fokkerplanck.simulation.summary import Outcome
from fokkerplanck.study.files import COLUMNS, cells, replacing
from fokkerplanck.study.results import depth_text


def write_simulation(
    outcome: Outcome, options: EnsembleOptions, about: Mapping[str, Any], folder: Path
) -> None:
    """Write both files, each as a whole or not at all.

    Args:
        outcome: the numbers.
        options: of the run.
        about: what `fokkerplanck.study.files.record` says of it.
        folder: an existing folder.
    """
    with replacing(folder / "simulation.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(cells(row) for row in outcome.rows)
    content = {
        **about,
        "options": asdict(options),
        "checks": [asdict(check) for check in outcome.checks],
        "notes": list(outcome.notes),
        "comparisons": _comparisons(outcome),
        "steps": {
            "largest_correction": float(abs(outcome.differences.corrections).max()),
            "mean": float(outcome.sums["steps"]) / outcome.num_paths,
            "most": int(outcome.sums["most_steps"]),
        },
        "path_limit_order": None if outcome.paths is None else outcome.paths.order,
    }
    with replacing(folder / "simulation.json") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")


def _comparisons(outcome: Outcome) -> list[dict[str, Any]]:
    """All comparisons with the densities, with their adjusted p-values."""
    if outcome.agreement is None:
        return []
    pairs = zip(outcome.agreement.comparisons, outcome.agreement.adjusted, strict=True)
    return [
        {
            "quantity": c.quantity,
            "depth": depth_text(c.depth),
            "time": c.time,
            "z": c.z if c.z == c.z else None,
            "p": c.p_value,
            "adjusted": float(adjusted),
        }
        for c, adjusted in pairs
    ]

"""Results as files: ``results.csv``, one number a row, and ``results.json``, which tells all."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from fokkerplanck.runtime.files import replacing
from fokkerplanck.runtime.provenance import commit, versions
from fokkerplanck.study.results import Results, Row, depth_text
from fokkerplanck.study.run_folder import RECORD, TABLE
from fokkerplanck.study.study import Study

COLUMNS: Final = tuple(field.name for field in fields(Row))


def write_results(table: Results, about: Mapping[str, Any], folder: Path) -> None:
    """Write ``results.csv`` and ``results.json``, each as a whole or not at all.

    Args:
        table: The numbers.
        about: What `record` says of the run.
        folder: An existing folder.
    """
    with replacing(folder / TABLE) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(cells(row) for row in table.rows)
    content = {
        **about,
        "rows": [_plain(row) for row in table.rows],
        "checks": [asdict(check) for check in table.checks],
        "notes": list(table.notes),
        "statements": [_strict(asdict(statement)) for statement in table.statements],
        "decays": [_strict(asdict(decay)) for decay in table.decays],
        "starts": [
            _strict(asdict(start) | {"depth": depth_text(start.depth)})
            for start in table.further_radii
        ],
        "uncertainties": [
            {"quantity": quantity, "annulus": annulus, "depth": depth_text(depth)}
            | _strict(dict(parts))
            for (quantity, annulus, depth), parts in table.parts.items()
        ],
    }
    with replacing(folder / RECORD) as file:
        json.dump(content, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def record(study: Study, ranks: int, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Describe a run: its study, the software, the number of ranks, seconds per stage."""
    return {
        "name": study.name,
        "study": study.to_dict(),
        "versions": versions(),
        "commit": commit(),
        "ranks": ranks,
        "seconds": {stage: round(time, 3) for stage, time in seconds.items()},
    }


def cells(row: Row) -> list[str]:
    """Return a row as text; floats are read back as the same floats."""
    values = asdict(row) | {"depth": depth_text(row.depth)}
    return [value if isinstance(value, str) else repr(float(value)) for value in values.values()]


def _plain(row: Row) -> dict[str, Any]:
    """Return a row in values that JSON has: whole depths or ``inf`` as text, null for no number."""
    depth = "inf" if math.isinf(row.depth) else int(row.depth)
    values = asdict(row) | {"depth": depth}
    return {name: _strict(value) for name, value in values.items()}


def _strict(value: Any) -> Any:
    """Return nested values with null for what is no finite number, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _strict(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Comparison with the results that ``fokkerplanck verify`` has left in a folder."""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import stats
from scipy.interpolate import CubicSpline

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.simulation.agreement import Comparison
from fokkerplanck.simulation.estimates import Curves
from fokkerplanck.study import Study, StudyError
from fokkerplanck.study.results import MEAN, RISK

#: Sections of a study that the left sides of the bounds do not depend on.
_IGNORED: Final = {"accuracy", "annuli", "depths", "solver"}

#: Norms are compared where they are so many standard errors long: shorter ones are not normal.
_LONG: Final = 5.0


def compare_with_folder(
    folder: Path, study: Study, curves: Curves, depths: tuple[float, ...]
) -> tuple[Comparison, ...]:
    """Compare (A) and (B) at the times where they are largest.

    Args:
        folder: of ``results.csv`` and ``results.json``.
        study: what has been simulated.
        curves: (A) by parameter and (B) over time.
        depths: of the curves.

    Raises:
        StudyError: the files cannot be read, or are of another study.
    """
    try:
        content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        _check_study(content["study"], study, folder)
        return tuple(_comparisons(rows, curves, depths))
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, StudyError):
            raise
        raise StudyError(f"results in {str(folder)!r} cannot be read: {error}") from error


def _check_study(known: Mapping[str, Any], study: Study, folder: Path) -> None:
    """Refuse results of another study."""
    own = study.to_dict()
    names = ({*known} | {*own}) - _IGNORED
    if differing := sorted(name for name in names if known.get(name) != own.get(name)):
        raise StudyError(
            f"results in {str(folder)!r} must be of the study that is simulated, but differ in "
            f"[{'], ['.join(differing)}]"
        )


def _comparisons(
    rows: list[dict[str, str]], curves: Curves, depths: tuple[float, ...]
) -> Iterator[Comparison]:
    """Absolute values at the solver's own times, in standard errors."""
    values = CubicSpline(curves.times, curves.values)
    for row in rows:
        depth = float(row["depth"])
        if row["quantity"] not in (MEAN, RISK) or depth not in depths:
            continue
        n, time = depths.index(depth), float(row["time"])
        part = slice(0, -1) if row["quantity"] == MEAN else slice(-1, None)
        place = int(np.argmin(np.abs(curves.times - time)))
        vector, errors = values(time)[n, part], curves.errors[place, n, part]
        length, error = _length(vector, errors)
        if length < _LONG * error:
            continue
        spread = math.hypot(error, depth * float(row["uncertainty"]))
        z = (length - depth * float(row["value"])) / spread
        p = 2.0 * float(stats.norm.sf(abs(z)))
        yield Comparison(row["quantity"], depth, time, p, z)


def _length(vector: Array, errors: Array) -> tuple[float, float]:
    """Euclidean norm, and its standard error to first order."""
    length = float(np.linalg.norm(vector))
    return length, float(np.linalg.norm(vector * errors)) / max(length, 1e-300)

"""The data measure that a ``[data]`` section describes."""

from pathlib import Path

import numpy as np

from fokkerplanck.model import DataMeasure
from fokkerplanck.model.samples import GENERATORS, read_columns, standardized
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.study.sections import FileData, GeneratedData, InlineData


def data_measure(section: FileData | GeneratedData | InlineData, folder: Path) -> DataMeasure:
    """Read, or draw, the samples of a section.

    Args:
        section: What to read.
        folder: Where relative paths start.

    Raises:
        ValueError: The samples are refused.
    """
    measure = _raw(section, folder)
    if not section.standardize:
        return measure
    return DataMeasure(
        standardized(measure.inputs, measure.weights),
        standardized(measure.targets, measure.weights),
        measure.weights,
    )


def _raw(section: FileData | GeneratedData | InlineData, folder: Path) -> DataMeasure:
    """The samples as they are written."""
    if isinstance(section, GeneratedData):
        return DataMeasure(*GENERATORS[section.generator](section.samples, section.seed))
    if isinstance(section, InlineData):
        weights = None if section.weights is None else np.array(section.weights)
        return DataMeasure(
            np.array(section.inputs), np.array(section.targets), _normalised(weights)
        )
    names = (*section.inputs, *section.targets, *filter(None, [section.weights]))
    columns = read_columns(folder / section.file, names)
    weights = columns[section.weights][:, 0] if section.weights else None
    return DataMeasure(
        np.hstack([columns[name] for name in section.inputs]),
        np.hstack([columns[name] for name in section.targets]),
        _normalised(weights),
    )


def _normalised(weights: Array | None) -> Array | None:
    """Weights divided by their sum."""
    if weights is None:
        return None
    if not weights.min(initial=np.inf) > 0:
        raise ValueError(f"weights must be positive, got {weights.min():g}")
    return weights / weights.sum()

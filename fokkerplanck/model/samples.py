"""Samples from files and generators, as arrays for a data measure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fokkerplanck.model.csv_file import read_csv
from fokkerplanck.model.npz_file import read_npz
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.tables import is_file, read_file
from fokkerplanck.runtime.wording import named


def read_columns(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Read named columns of a CSV file, or named arrays of an NPZ file.

    Args:
        path: A file ending in ``.csv`` (with a header row) or ``.npz`` (arrays of shape ``(S,)``
            or ``(S, d)``).
        names: Which columns.

    Returns:
        Each column by its name, shape ``(S, 1)`` or, for an array, ``(S, d)``.

    Raises:
        ValueError: The file cannot be read, or a value is missing, no number or not finite; the
            message names its row and column.
    """
    readers = {".csv": read_csv, ".npz": read_npz}
    if (suffix := path.suffix.lower()) not in readers:
        raise ValueError(f"file {named(path)} must end in .csv or .npz")
    if not is_file(path):
        raise ValueError(f"file {named(path)} must be an existing file")
    content = read_file(path, "file")
    try:
        return readers[suffix](content, names)
    except ValueError as error:
        raise ValueError(f"file {named(path)} {error}") from error


def standardized(columns: Array, weights: Array | None = None) -> Array:
    """Shift and scale each column to mean 0 and variance 1 under the weights.

    Args:
        columns: Shape ``(S, d)``.
        weights: Probabilities, shape ``(S,)``; uniform by default.

    Raises:
        ValueError: A column is constant.
    """
    centred = columns - np.average(columns, axis=0, weights=weights)
    deviation = np.sqrt(np.average(centred**2, axis=0, weights=weights))
    flat = deviation <= 1e-14 * np.abs(columns).max(axis=0, initial=0.0)
    if flat.any():
        raise ValueError(
            f"standardize needs columns that vary; number {int(np.argmax(flat)) + 1} is constant"
        )
    return centred / deviation


def star(samples: int, seed: int) -> tuple[Array, Array]:
    """Draw the star: two classes in the plane, at radii ``r = ρ(2 + cos 5φ)``.

    The inner half has ρ uniform in [0, 1] and target (−1, 0), the outer half has ρ uniform in
    [1.5, 3] and target (1, 0); φ is uniform in [0, 2π).

    Args:
        samples: Number of points; the inner class gets the odd one.
        seed: Seed of the generator.

    Returns:
        Inputs and targets, each of shape ``(samples, 2)``.
    """
    generator = np.random.default_rng(seed)
    is_outer = np.arange(samples) >= (samples + 1) // 2
    level = generator.uniform(size=samples)
    rho = np.where(is_outer, 1.5 + 1.5 * level, level)
    phi = generator.uniform(0.0, 2 * np.pi, size=samples)
    radius = rho * (2 + np.cos(5 * phi))
    inputs = radius[:, None] * np.column_stack([np.cos(phi), np.sin(phi)])
    targets = np.column_stack([np.where(is_outer, 1.0, -1.0), np.zeros(samples)])
    return inputs, targets


GENERATORS = {"star": star}

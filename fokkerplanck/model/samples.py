"""Samples from files and generators, as arrays for a data measure."""

import csv
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fokkerplanck.runtime.arrays import Array


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
    readers = {".csv": _read_csv, ".npz": _read_npz}
    if (suffix := path.suffix.lower()) not in readers:
        raise ValueError(f"{path} must end in .csv or .npz")
    if not path.is_file():
        raise ValueError(f"{path} must be an existing file")
    try:
        return readers[suffix](path, names)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


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


def _read_csv(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Read columns below a header row; blank lines do not count as rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        places = [_place(path, header, name) for name in names]
        rows: list[list[float]] = []
        for cells in filter(None, reader):
            where = f"{path}: row {len(rows) + 1} (line {reader.line_num} of the file)"
            if len(cells) != len(header):
                raise ValueError(f"{where} must have {len(header)} cells, got {len(cells)}")
            rows.append([_number(where, header[place], cells[place]) for place in places])
    if not rows:
        raise ValueError(f"{path} must have rows below its header, got none")
    return dict(zip(names, np.array(rows).T[:, :, None], strict=True))


def _place(path: Path, header: Sequence[str], name: str) -> int:
    """Position of a column."""
    if header.count(name) != 1:
        number = "no" if name not in header else "more than one"
        raise ValueError(
            f"{path} has {number} column {name!r}; its header is {', '.join(header) or 'empty'}"
        )
    return header.index(name)


def _number(where: str, column: str, cell: str) -> float:
    """The finite number in a cell."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    # Python reads 1_000 as a number, spreadsheets do not
    if not math.isfinite(value) or "_" in cell:
        raise ValueError(
            f"{where}, column {column!r} must be a finite number, got {cell.strip()!r}"
        )
    return value


def _read_npz(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Read arrays of the same length."""
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no NPZ file") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(f"{path} is no NPZ file; it holds a single array")
    with archive:
        arrays = {name: _member(path, archive, name) for name in names}
    if len({len(array) for array in arrays.values()}) > 1:
        raise ValueError(f"{path}: {', '.join(names)} must have the same number of rows")
    return arrays


def _member(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> Array:
    """One array of an archive, shape ``(S, d)``."""
    if name not in archive.files:
        raise ValueError(f"{path} has no array {name!r}; it holds {', '.join(archive.files)}")
    try:
        stored = archive[name]
    except (ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: array {name!r} cannot be read: {error}") from error
    if stored.dtype.kind not in "iuf":
        raise ValueError(f"{path}: array {name!r} must hold real numbers, got {stored.dtype}")
    array = stored.astype(np.float64)
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(
            f"{path}: array {name!r} must have shape (S,) or (S, d), got {array.shape}"
        )
    array = array[:, None] if array.ndim == 1 else array
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"{path}: row {row + 1}, column {column + 1} of array {name!r} must be a finite "
            f"number, got {array[row, column]}"
        )
    return array

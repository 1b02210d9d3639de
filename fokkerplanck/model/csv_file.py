"""Columns of numbers from a CSV file with a header row."""

import csv
import io
import math
from collections.abc import Iterator, Sequence

import numpy as np

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.wording import listed, quoted


def read_csv(content: bytes, names: Sequence[str]) -> dict[str, Array]:
    """Read columns below a header row; blank lines do not count as rows.

    Args:
        content: What the file holds.
        names: Which columns.

    Returns:
        Each column by its name, shape ``(S, 1)``.

    Raises:
        ValueError: The content is no such table; the message continues the file's name.
    """
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        header = [name.strip() for name in next(reader, [])]
        places = [_place(header, name) for name in names]
        rows = list(_rows(reader, header, places))
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ValueError(
            f"cannot be read: it must be UTF-8, got the byte 0x{byte:02x} at position {error.start}"
        ) from None
    except csv.Error as error:
        raise ValueError(f"cannot be read: it must be comma-separated text: {error}") from None
    if not rows:
        raise ValueError("must have rows below its header, got none")
    return dict(zip(names, np.array(rows).T[:, :, None], strict=True))


def _rows(reader: Iterator[list[str]], header: list[str], places: list[int]) -> Iterator[Array]:
    """Yield the numbers of the rows at these places."""
    for number, cells in enumerate(filter(None, reader), 1):
        where = f"row {number} (line {reader.line_num} of the file)"  # type: ignore[attr-defined]
        if len(cells) != len(header):
            raise ValueError(f"{where} must have {len(header)} cells, got {len(cells)}")
        yield np.array([_number(where, header[place], cells[place]) for place in places])


def _place(header: Sequence[str], name: str) -> int:
    """Position of a column."""
    if header.count(name) != 1:
        number = "no" if name not in header else "more than one"
        raise ValueError(f"has {number} column {quoted(name)}; its header is {listed(header)}")
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
            f"{where}, column {quoted(column)} must be a finite number, got {quoted(cell.strip())}"
        )
    return value

"""Arrays of numbers from an NPZ file.

Headers are read first and sizes bounded before anything is unpacked: a small archive can hold much.
"""

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from typing import IO, Final

import numpy as np
from numpy.lib import format as npy

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.tables import LARGEST_FILE
from fokkerplanck.runtime.wording import brief, listed, quoted

#: What NumPy writes; other methods may ask for gigabytes to unpack a few bytes.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

#: What a damaged archive makes the readers of ZIP and NPY raise.
_DAMAGE: Final = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz(content: bytes, names: Sequence[str]) -> dict[str, Array]:
    """Read arrays of the same length.

    Args:
        content: What the file holds.
        names: Which arrays.

    Returns:
        Each array by its name, shape ``(S, d)``.

    Raises:
        ValueError: The content is no such archive; the message continues the file's name.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _DAMAGE as error:
        raise ValueError("is no NPZ file") from error
    with archive:
        arrays = {name: _checked(name, _member(archive, name)) for name in names}
    if len({len(array) for array in arrays.values()}) > 1:
        raise ValueError(f"must have the same number of rows in {listed(names)}")
    return arrays


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    """One array of an archive, as it is stored."""
    members = [member.removesuffix(".npy") for member in archive.namelist()]
    if name not in members:
        raise ValueError(f"has no array {quoted(name)}; it holds {listed(members)}")
    try:
        information = archive.infolist()[members.index(name)]
        if information.compress_type not in _METHODS:
            raise ValueError("it must be stored or deflated, as numpy.savez does")
        with archive.open(information) as file:
            return _array(file)
    except _DAMAGE as error:
        raise ValueError(f"array {quoted(name)} cannot be read: {brief(error)[:120]}") from error


def _array(file: IO[bytes]) -> Array:
    """Read the header of a stored array, and then as many bytes as it announces."""
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"its NPY version must be 1.0 or 2.0, got {version}")
    shape, is_fortran, dtype = readers[version](file)
    if dtype.kind not in "iuf":
        raise ValueError(f"it must hold real numbers, got {quoted(str(dtype))}")
    if min(shape, default=0) < 0:
        raise ValueError(f"its shape must not be negative, got {quoted(shape)}")
    size = math.prod(shape) * dtype.itemsize
    if size > LARGEST_FILE:
        raise ValueError(f"it may have {LARGEST_FILE} bytes, its header announces {quoted(size)}")
    data = file.read(size + 1)
    if len(data) != size:
        raise ValueError(f"it must have the {size} bytes that its header announces")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


def _checked(name: str, stored: Array) -> Array:
    """Return an array of finite doubles, shape ``(S, d)``."""
    with np.errstate(over="ignore"):
        array = stored.astype(np.float64)
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(
            f"array {quoted(name)} must have shape (S,) or (S, d), got {quoted(array.shape)}"
        )
    array = array[:, None] if array.ndim == 1 else array
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"row {row + 1}, column {column + 1} of array {quoted(name)} must be a finite "
            f"number, got {array[row, column]}"
        )
    return array

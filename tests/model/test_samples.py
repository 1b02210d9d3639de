"""Samples from files and generators."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fokkerplanck.model.samples import read_columns, standardized, star
from fokkerplanck.study.study import SHIPPED


@pytest.fixture
def csv_file(tmp_path, comm):
    """Write a CSV file of the given text."""

    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "data.csv"
        if comm.rank == 0:
            path.write_text(text, encoding=encoding)
        comm.barrier()
        return path

    return write


def refused(path: Path, *names: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller looks at the message
        read_columns(path, names)
    return str(caught.value)


def test_geyser_is_the_published_data_set():
    columns = read_columns(SHIPPED / "geyser.csv", ["eruptions", "waiting"])
    table = np.hstack(list(columns.values()))
    assert table.shape == (272, 2)
    assert table[:3].tolist() == [[3.6, 79.0], [1.8, 54.0], [3.333, 74.0]]
    np.testing.assert_allclose(table.mean(axis=0), [3.487783, 70.89706], rtol=1e-6)
    np.testing.assert_allclose(table.std(axis=0, ddof=1), [1.141371, 13.59497], rtol=1e-6)
    assert np.corrcoef(table.T)[0, 1] == pytest.approx(0.9008112, abs=1e-7)


def test_csv_columns_are_found_by_name(csv_file):
    path = csv_file("a, b ,c\n1,2,x\n\n3, 4.5e1,y\n", encoding="utf-8-sig")
    columns = read_columns(path, ["b", "a"])
    assert {name: column.tolist() for name, column in columns.items()} == {
        "b": [[2.0], [45.0]],
        "a": [[1.0], [3.0]],
    }


@pytest.mark.parametrize("cell", ["long", "", "nan", "NaN", "inf", "1_000", "1;2", "0x10"])
def test_csv_cell_that_is_no_number_is_named(csv_file, cell):
    message = refused(csv_file(f"a,b\n1,2\n3,{cell}\n"), "a", "b")
    assert "row 2 (line 3 of the file), column 'b'" in message
    assert repr(cell) in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no column 'a'; its header is empty"),
        ("b,c\n1,2\n", "no column 'a'; its header is b, c"),
        ("a,a\n1,2\n", "more than one column 'a'"),
        ("a,b\n", "rows below its header"),
        ("a,b\n1,2\n3\n", "row 2 (line 3 of the file) must have 2 cells, got 1"),
    ],
)
def test_csv_of_wrong_form_is_refused(csv_file, text, reason):
    assert reason in refused(csv_file(text), "a")


def test_file_that_is_no_text_is_refused(csv_file):
    assert "cannot be read" in refused(csv_file("a\nö\n", encoding="latin-1"), "a")


def test_missing_file_and_other_suffixes_are_refused(tmp_path):
    assert "must be an existing file" in refused(tmp_path / "none.csv", "a")
    assert "must end in .csv or .npz" in refused(tmp_path / "data.xlsx", "a")


@pytest.fixture
def npz_file(tmp_path, comm):
    """Write an NPZ file of the given arrays."""

    def write(**arrays) -> Path:
        path = tmp_path / "data.npz"
        if comm.rank == 0:
            np.savez(path, **arrays)
        comm.barrier()
        return path

    return write


def test_npz_arrays_may_have_one_or_more_columns(npz_file):
    columns = read_columns(npz_file(x=np.arange(6).reshape(3, 2), w=[1.0, 2.0, 3.0]), ["x", "w"])
    assert columns["x"].tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert columns["w"].tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        ([[1.0, 2.0], [3.0, np.nan]], "row 2, column 2 of array 'x' must be a finite number"),
        (["a", "b"], "must hold real numbers"),
        ([1j, 2j], "must hold real numbers"),
        (np.zeros((2, 2, 2)), "must have shape"),
        ([], "must have shape"),
    ],
)
def test_npz_array_that_holds_no_samples_is_refused(npz_file, array, reason):
    assert reason in refused(npz_file(x=array), "x")


def forged(path: Path, header: str, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive whose array says of itself what it likes."""
    text = header.encode().ljust(118) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\0" * 10**6
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", content)
    return path


@pytest.mark.serial
@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("(10**9,)", "cannot be read"),
        ("(100000000,)", "it may have 64000000 bytes, its header announces 800000000"),
        ("(-5,)", "must not be negative"),
        ("(4,)", "must have the 32 bytes"),
        ("(250000,)", "must have the 2000000 bytes"),
        ("(" * 200, "cannot be read"),
    ],
)
def test_npz_is_bounded_by_its_header_before_it_is_unpacked(tmp_path, shape, reason):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    assert reason in refused(forged(tmp_path / "a.npz", header), "x")


@pytest.mark.serial
def test_npz_of_other_compression_is_refused(tmp_path):
    assert "stored or deflated" in refused(forged(tmp_path / "a.npz", "", zipfile.ZIP_LZMA), "x")


@pytest.mark.serial
def test_cut_npz_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(50.0))
    whole = (tmp_path / "a.npz").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "a.npz").write_bytes(whole[:length])
        assert "a.npz" in refused(tmp_path / "a.npz", "x")


def test_header_with_escape_sequences_is_quoted(csv_file):
    message = refused(csv_file("\x1b[31mred,b\n1,2\n"), "a")
    assert "'\\x1b[31mred', b" in message


def test_npz_of_objects_is_never_unpickled(npz_file):
    assert "cannot be read" in refused(npz_file(x=np.array([{}, {}], dtype=object)), "x")


def test_npz_arrays_of_different_length_are_refused(npz_file):
    assert "same number of rows" in refused(npz_file(x=[1.0, 2.0], y=[1.0]), "x", "y")


def test_npz_without_the_array_or_the_format_is_refused(npz_file, tmp_path, comm):
    assert "no array 'y'; it holds x" in refused(npz_file(x=[1.0]), "y")
    other = tmp_path / "other.npz"
    if comm.rank == 0:
        other.write_text("no archive")
    comm.barrier()
    assert "is no NPZ file" in refused(other, "x")


def test_standardized_columns_have_mean_0_and_variance_1_under_the_weights():
    generator = np.random.default_rng(3)
    columns = generator.normal(5.0, 3.0, (50, 2))
    weights = generator.uniform(0.5, 1.5, 50)
    weights /= weights.sum()
    result = standardized(columns, weights)
    np.testing.assert_allclose(weights @ result, 0.0, atol=1e-14)
    np.testing.assert_allclose(weights @ result**2, 1.0, rtol=1e-14)


def test_constant_column_cannot_be_standardized():
    with pytest.raises(ValueError, match="number 2 is constant"):
        standardized(np.column_stack([np.arange(3.0), np.full(3, 0.1)]))


def test_star_keeps_its_classes_apart():
    inputs, targets = star(1001, seed=4)
    radius = np.linalg.norm(inputs, axis=1)
    rho = radius / (2 + np.cos(5 * np.arctan2(inputs[:, 1], inputs[:, 0])))
    inner = targets[:, 0] == -1
    assert inner.sum() == 501
    assert set(map(tuple, targets)) == {(-1.0, 0.0), (1.0, 0.0)}
    assert rho[inner].max() <= 1 + 1e-12
    assert rho[~inner].min() >= 1.5 - 1e-12
    assert rho.max() <= 3 + 1e-12
    # ρ is uniform: its mean is within four standard errors of the middle
    assert rho[inner].mean() == pytest.approx(0.5, abs=4 * 0.289 / np.sqrt(501))
    assert rho[~inner].mean() == pytest.approx(2.25, abs=4 * 0.433 / np.sqrt(500))


def test_star_is_seeded():
    first, again, other = star(10, 1)[0], star(10, 1)[0], star(10, 2)[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)

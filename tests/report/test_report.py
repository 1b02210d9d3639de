"""Reports: every number of a table arrives, and what is printed can be trusted."""

import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest
from references.tables import LIMITS, NORM, bound, example
from rich.console import Console

from fokkerplanck.report import draw, draw_pictures, show
from fokkerplanck.report.findings import with_error
from fokkerplanck.report.terminal import mantissa
from fokkerplanck.study import Study
from fokkerplanck.study.files import COLUMNS, record, write_results
from fokkerplanck.study.results import (
    Check,
    GridFunction,
    GridFunctions,
    History,
    Row,
    SharpConstant,
)
from fokkerplanck.study.run_folder import RunFolder

pytestmark = pytest.mark.serial


def printed(table, **options) -> str:
    file = io.StringIO()
    show(table, "geyser", Console(file=file), **options)
    return file.getvalue()


def test_csv_gives_back_every_float(tmp_path):
    table = example()
    write_results(table, {}, tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    assert ",".join(header) == (
        "quantity,annulus,depth,time,value,uncertainty,scaled,scaled_uncertainty"
    )
    read = [Row(row[0], row[1], *map(float, row[2:])) for row in rows]
    assert list(map(repr, read)) == [repr(floating(row)) for row in table.rows]
    assert {row[2] for row in rows} == {"1", "2", "4", "inf"}


def floating(row: Row) -> Row:
    return Row(row.quantity, row.annulus, *(float(getattr(row, name)) for name in COLUMNS[2:]))


def test_json_is_strict_and_tells_how_the_numbers_came_about(tmp_path):
    study = Study.load("geyser1")
    write_results(example(), record(study, 3, {"solve": 1.23456}), tmp_path)
    content = json.loads(
        (tmp_path / "results.json").read_text(), parse_constant=lambda name: pytest.fail(name)
    )
    assert content["study"] == study.to_dict()
    assert (content["name"], content["ranks"], content["seconds"]) == (
        "geyser1",
        3,
        {"solve": 1.235},
    )
    assert {"fokkerplanck", "dolfinx", "petsc", "numpy", "numba", "python"} <= set(
        content["versions"]
    )
    assert content["checks"][0] == {"name": "settles", "holds": True, "detail": "N·(C) within 1e-6"}
    assert content["starts"][0]["depth"] == "inf"
    assert content["notes"] == ["a note with [brackets]"]
    assert list(content["rows"][0]) == list(COLUMNS)
    assert [row["depth"] for row in content["rows"][:16:4]] == [1, 2, 4, "inf"]
    assert content["rows"][-1]["scaled"] is None


def test_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match="must be writable"):
            RunFolder.prepare(folder)
    RunFolder.prepare(tmp_path / "a" / "b").publish()
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize(
    ("value", "uncertainty", "exponent", "text"),
    [
        (6.935071e-2, 1.2e-8, -2, "6.93507(1)"),
        (6.935071e-2, 1.2e-7, -2, "6.93507(2)"),
        (6.935071e-2, 2e-7, -2, "6.93507(2)"),
        (6.935071e-2, 8e-9, -2, "6.93507(1)"),
        (6.935071e-2, 1e-10, -2, "6.93507"),
        (6.935071e-2, 3.1e-4, -2, "6.94(4)"),
        (6.935071e-2, 0.02, -2, "7(2)"),
        (6.935071e-2, 1.3, -2, "7(130)"),
        (-6.935071e-2, 3.1e-4, -2, "-6.94(4)"),
        (0.0, 0.0, 0, "0.00000"),
        (math.nan, 1.0, 0, "nan(1)"),
    ],
)
def test_uncertainty_stands_behind_the_digits_that_it_touches(value, uncertainty, exponent, text):
    row = Row("density_l1", "", 1, 1.0, value, uncertainty, value, uncertainty)
    assert mantissa(row, exponent) == text


def test_terminal_table_has_a_column_for_each_bound_and_a_row_for_each_depth():
    lines = printed(example()).splitlines()
    header = next(line for line in lines if "(C)" in line)
    assert header.split() == ["(C)", "core", "D_0", "D_1", "(A)", "(B)", "L¹"]
    rows = {words[0]: words[1:] for line in lines if (words := line.split())}
    assert rows["N"] == ["10^-2", "10^-2", "10^-2", "10^-6", "10^-1", "10^-1", "10^-1"]
    assert rows["limit"] == ["7.0000(2)", "5.0000(1)", "2.00000(4)", "1.25000(3)"] + 3 * [
        "3.00000(6)"
    ]
    assert rows["1"][0] == "9.1000(2)"
    assert rows["±/value"][0] == "2e-05"


def test_terminal_states_sharp_constants_laws_and_starts():
    lines = [line.split() for line in printed(example()).splitlines()]
    assert [
        "(C)",
        "7.00000000(3)e-02",
        "1.002",
        "±",
        "0.001",
        "2.1000(2)e-02",
        "1.4",
        "0.065",
    ] in lines
    assert ["0.25", "0.5", "±", "0.01", "[0.2]*", "0.3", "1"] in lines
    assert ["(C)", "7.0000(2)e-02", "5.0000000(1)e-02"] in lines


def test_without_the_limit_nothing_is_called_a_sharp_constant():
    table = example()
    rows = tuple(row for row in table.rows if math.isfinite(row.depth) or row.quantity == "p0_l2")
    statements = (SharpConstant("(C)", None, None, None, None, 1.4, 0.065),)
    radii = (dataclasses.replace(table.further_radii[0], depth=4.0),)
    text = printed(
        dataclasses.replace(table, rows=rows, statements=statements, further_radii=radii)
    )
    assert "c*(p0)" not in text
    assert "Sharp constants" not in text
    assert "Explicit constants" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["(C)", "1.4", "0.065"] in lines
    # the value at the largest depth is said to be that
    assert "N·(left side)/‖p0‖₂ at N = 4 for other radii" in " ".join(text.split())
    assert ["(C)", "7.5250(2)e-02", "5.0000000(1)e-02"] in lines


def test_what_is_not_decided_is_no_failure():
    open_check = Check("(B) settles", None, "not yet asymptotic: ...")
    table = dataclasses.replace(example(), checks=(open_check,))
    assert table.holds
    assert "open   (B) settles: not yet asymptotic" in printed(table)


def test_explanation_shows_parts_relative_to_the_number():
    assert "density_l1" not in printed(example())
    lines = [line.split() for line in printed(example(), explain=True).splitlines()]
    size = 0.07 * NORM
    parts = [f"{part / size:.0e}" for part in (7e-10, 7e-12)]
    assert ["density_l1", "inf", f"{size:.6e}", *parts] in lines


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.08160165093, 4.6e-11, "8.160165093(5)e-02"),
        (-4.9287e-7, 9.99e-13, "-4.92870(1)e-07"),
        (2.5, 0.0, "2.500000000000000(0)"),
        (1e-15, 3e-14, "0(3)e-14"),
        (1.0, math.inf, "1(inf)"),
    ],
)
def test_numbers_with_errors(value, error, text):
    assert with_error(value, error) == text


def test_terminal_table_fits_100_columns_and_is_never_cut():
    text = printed(example())
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text


def test_terminal_tells_facts_checks_and_notes():
    text = printed(example(holds=False))
    assert f"‖p0‖₂ = {NORM}   T = 1" in text
    assert "largest mass defect 1.0e-15" in text
    assert "smallest density -1.0e-25" in text
    assert "FAILS  settles: N·(C) within 1e-6" in text
    assert "holds  mass: 1e-15" in text
    assert "a note with [brackets]" in text


def test_table_finds_its_curves():
    table = example()
    assert table.depths == (1, 2, 4, math.inf)
    assert table.annuli == ("core", "0", "1")
    assert table.curve("density_l1", "0")[2] == bound("density_l1", "0", 2, LIMITS["0"])
    assert table.holds
    assert not example(holds=False).holds


@pytest.mark.parametrize("planes", [[(0,)], [(0, 1)], [(0, 1), (0, 2), (1, 2)]])
def test_figures_are_pngs(tmp_path, planes):
    times = np.linspace(0.0, 1.0, 4)
    history = History("(A)", 2.0, times, times, 0.1 * times)
    grid = np.linspace(-1.0, 1.0, 5)
    bell = np.exp(-(grid**2))
    values = {1: bell, 2: np.multiply.outer(bell, bell)}
    panes = tuple(GridFunction(axes, grid, values[len(axes)]) for axes in planes)
    picture = GridFunctions(math.inf, panes, panes)
    table = dataclasses.replace(example(), histories=(history,), grid_functions=picture)
    for index, (figure, content) in enumerate(
        [(draw, table), (draw_pictures, table), (draw_pictures, example())], 1
    ):
        path = tmp_path / f"{index}.png"
        figure(content, "geyser", path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert len(list(tmp_path.iterdir())) == index

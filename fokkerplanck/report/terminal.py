"""The table that a reader sees first: N·(left side)/‖p_0‖_2 for each bound and depth."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from fokkerplanck.report.findings import explanation, findings
from fokkerplanck.study.results import DENSITY, INITIAL_NORM, Results, Row, depth_text

DECIMALS: Final = 5  #: shown at most

_VERDICTS: Final = {True: "holds", False: "FAILS", None: "open "}


def show(table: Results, title: str, console: Console, explain: bool = False) -> None:
    """Print a table, what follows from it, its checks and its notes.

    Args:
        table: the results.
        title: name of the study.
        console: where to print.
        explain: whether to print the parts of every uncertainty, too.
    """
    grids: list[Grid] = [_grid(table), *findings(table)]
    if explain:
        grids.append(explanation(table))
    # Where no terminal sets the width, lines are as long as the tables need.
    width = console.width if console.is_terminal else 100
    unlimited = console.options.update(max_width=10_000)
    needed = [grid.__rich_measure__(console, unlimited).maximum for grid in grids]
    console.width = max(width, *needed)
    console.print(f"\n{title}: N·(left side)/‖p0‖₂, uncertainty of the last digit in brackets")
    for grid in grids:
        console.print(grid)
    for line in (*_facts(table), *_verdicts(table), *table.notes):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def mantissa(row: Row, exponent: int) -> str:
    """Write a scaled value and its uncertainty in units of ``10^exponent``, like ``6.93507(2)``.

    The uncertainty has one digit, rounded up, and is left out where it would be far behind the
    last decimal shown.
    """
    value, uncertainty = (x / 10.0**exponent for x in (row.scaled, row.scaled_uncertainty))
    if not math.isfinite(value) or not math.isfinite(uncertainty):
        return f"{row.scaled:g}({row.scaled_uncertainty:g})"
    if uncertainty <= 0.05 * 10.0**-DECIMALS:
        return f"{value:.{DECIMALS}f}"
    place = math.floor(math.log10(uncertainty))
    decimals = min(max(-place, 0), DECIMALS)
    digit = math.ceil(uncertainty * 10.0**decimals * (1 - 1e-12))
    return f"{value:.{decimals}f}({digit})"


def _grid(table: Results) -> Grid:
    """One row per depth, one column per bound."""
    grid = Grid(box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    grid.add_column("N", justify="right", no_wrap=True)
    columns: list[Sequence[str]] = []
    for heading, curve in table.bounds():
        exponent = _exponent(curve)
        unit = f"\n10^{exponent}" if exponent else "\n"
        grid.add_column(heading + unit, justify="right", no_wrap=True)
        column = [mantissa(curve[n], exponent) if n in curve else "" for n in table.depths]
        columns.append([*column, _worst(curve)])
    names = ["limit" if math.isinf(n) else depth_text(n) for n in table.depths]
    for index, name in enumerate(names):
        grid.add_row(name, *(column[index] for column in columns), end_section=name == names[-1])
    grid.add_row("±/value", *(column[-1] for column in columns), style="dim")
    return grid


def _exponent(curve: Mapping[float, Row]) -> int:
    """Power of ten of a column."""
    largest = max((abs(row.scaled) for row in curve.values()), default=0.0)
    return math.floor(math.log10(largest)) if 0 < largest < math.inf else 0


def _worst(curve: Mapping[float, Row]) -> str:
    """Largest relative uncertainty of a column."""
    ratios = [row.uncertainty / abs(row.value) for row in curve.values() if row.value]
    return f"{max(ratios):.0e}" if ratios else ""


def _facts(table: Results) -> list[str]:
    """Lines on ‖p_0‖_2, the horizon, mass and positivity."""
    norm = [row.value for row in table.rows if row.quantity == INITIAL_NORM]
    times = {row.time for row in table.rows if row.quantity == DENSITY}
    mass = [abs(row.value) for row in table.rows if row.quantity == "mass_defect"]
    least = [row.value for row in table.rows if row.quantity == "density_min"]
    facts = [
        ("‖p0‖₂ = {:.10g}", norm),
        ("T = {:g}", sorted(times)),
        ("largest mass defect {:.1e}", [max(mass)] if mass else []),
        ("smallest density {:.1e}", [min(least)] if least else []),
    ]
    return ["   ".join(text.format(values[0]) for text, values in facts if values), ""]


def _verdicts(table: Results) -> list[str]:
    """One line per check."""
    return [f"{_VERDICTS[check.holds]}  {check.name}: {check.detail}" for check in table.checks]

"""What a reader of a simulation sees first."""

import math

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from fokkerplanck.simulation.summary import Outcome, exceedance
from fokkerplanck.study.results import MEAN, RISK, Row, depth_text

#: Columns of the table: heading and quantity.
_COLUMNS = (
    ("N·(A)", MEAN),
    ("N·(B)", RISK),
    ("N sup|θ−θᴺ|\nmedian", "sup_q50"),
    ("\n99 %", "sup_q99"),
    ("\n99.99 %", "sup_q9999"),
    ("tail\nindex", "sup_tail_index"),
    ("E sup|N(θ−θᴺ)−η|\ntimes N", "path_limit"),
    ("bound÷actual\nmedian", "path_bound_median"),
)


def show(outcome: Outcome, console: Console) -> None:
    """Print tables of the depths, the checks and the notes."""
    grids = _depths(outcome), _exceedances(outcome)
    unlimited = console.options.update(max_width=10_000)
    needed = [grid.__rich_measure__(console, unlimited).maximum for grid in grids]
    console.width = max(console.width if console.is_terminal else 100, *needed)
    console.print(f"\n{outcome.name}: {outcome.num_paths} coupled paths, 99 % intervals")
    for grid in grids:
        console.print(grid)
    lines = [
        f"{'holds' if check.holds else 'FAILS'}  {check.name}: {check.detail}"
        for check in outcome.checks
    ]
    if outcome.paths is not None and math.isfinite(outcome.paths.order):
        lines.append(f"N(θ − θᴺ) → η with order {outcome.paths.order:.3f} in 1/N")
    for line in (*lines, *outcome.notes):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def number(value: float, uncertainty: float) -> str:
    """Write a value with the digits that its uncertainty leaves: ``0.01865 ± 0.00011``."""
    if not (uncertainty > 0 and math.isfinite(uncertainty)):
        return f"{value:.4g}"
    decimals = max(1 - math.floor(math.log10(uncertainty)), 0)
    if decimals > 8:
        return f"{value:.3e} ± {uncertainty:.0e}"
    return f"{value:.{decimals}f} ± {uncertainty:.{decimals}f}"


def _depths(outcome: Outcome) -> Grid:
    """One row per depth."""
    found = {(row.quantity, row.depth): row for row in outcome.rows}
    columns = [c for c in _COLUMNS if (c[1], outcome.counters.depths[0]) in found]
    grid = Grid(box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    grid.add_column("N", justify="right")
    for heading, _ in columns:
        grid.add_column(heading, justify="right", no_wrap=True)
    for depth in outcome.counters.depths:
        cells = [_cell(found[name, depth], outcome.norm) for _, name in columns]
        grid.add_row(depth_text(depth), *cells)
    return grid


def _cell(row: Row, norm: float) -> str:
    """N times a value; (A) and (B) without the division by ‖p_0‖_2."""
    if math.isnan(row.scaled):
        return number(row.value, row.uncertainty)
    factor = norm if row.quantity in (MEAN, RISK) else 1.0
    if row.quantity == "path_limit":
        factor = row.depth
    return number(factor * row.scaled, factor * row.scaled_uncertainty)


def _exceedances(outcome: Outcome) -> Grid:
    """P(sup|θ − θ^N| > ε), one row per depth."""
    grid = Grid(box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    grid.add_column("P(sup|θ−θᴺ| > ε)", justify="right")
    for epsilon in outcome.counters.exceed:
        grid.add_column(f"ε = {epsilon:g}", justify="right", no_wrap=True)
    for n, depth in enumerate(outcome.counters.depths):
        found = [exceedance(outcome, n, e) for e in range(len(outcome.counters.exceed))]
        grid.add_row(depth_text(depth), *(number(p.value, p.uncertainty) for p in found))
    return grid

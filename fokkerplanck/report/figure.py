"""The figure: N·(C) and N·(D_k) against N, and how fast they settle."""

import math
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fokkerplanck.results import Row, Table


def draw(table: Table, title: str, path: Path) -> None:
    """Save the figure as PNG.

    The left panel has the scaled values with error bars and, as lines, their limits; the right
    panel the relative distance to the limits, which should fall like 1/N.
    """
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    values, distances = figure.subplots(1, 2)
    curves = [(name, curve) for name, curve in table.bounds() if name not in {"(A)", "(B)"}]
    for index, (name, curve) in enumerate(curves):
        finite = [row for row in curve.values() if math.isfinite(row.depth) and row.scaled > 0]
        if finite:
            _draw_values(values, finite, curve.get(math.inf), name, f"C{index}")
            _draw_distances(distances, finite, curve.get(math.inf), name, f"C{index}")
    values.set(title=title, xlabel="N", ylabel="N · value / ‖p0‖₂")
    distances.set(title="distance to the limit", xlabel="N", ylabel="|ratio to the limit − 1|")
    for axes in (values, distances):
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.legend()
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format="png", dpi=150)
    temporary.replace(path)


def _draw_values(axes: Any, rows: list[Row], limit: Row | None, name: str, color: str) -> None:
    """Points with error bars, and the limit as a horizontal line."""
    axes.errorbar(
        [row.depth for row in rows],
        [row.scaled for row in rows],
        yerr=[min(row.scaled_uncertainty, 0.99 * row.scaled) for row in rows],
        fmt="o",
        markersize=4,
        capsize=2,
        color=color,
        label=name,
    )
    if limit is not None:
        axes.axhline(limit.scaled, color=color, linewidth=1)


def _draw_distances(axes: Any, rows: list[Row], limit: Row | None, name: str, color: str) -> None:
    """Relative distance to the limit, with the uncertainty of the ratio."""
    if limit is None or limit.scaled <= 0:
        return
    distance = [abs(row.scaled / limit.scaled - 1) for row in rows]
    error = [(row.scaled_uncertainty + limit.scaled_uncertainty) / limit.scaled for row in rows]
    shown = [i for i, (gap, bar) in enumerate(zip(distance, error, strict=True)) if gap > bar]
    if shown:
        axes.errorbar(
            [rows[i].depth for i in shown],
            [distance[i] for i in shown],
            yerr=[error[i] for i in shown],
            fmt="o-",
            markersize=4,
            capsize=2,
            color=color,
            label=name,
        )

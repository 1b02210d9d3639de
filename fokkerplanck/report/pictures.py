"""Figures of curves over time and of the weighted density error."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from fokkerplanck.report.files import replaced
from fokkerplanck.results import Picture, Table, depth_text

#: Decades that a map shows.
_DECADES = 12


def draw_pictures(table: Table, title: str, path: Path) -> None:
    """Save as PNG the curves behind the suprema of (A) and (B), and the weighted density error."""
    figure = Figure(figsize=(15, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    mean, risk, density = figure.subplots(1, 3)
    for axes, bound, name in ((mean, "(A)", "|E[θ − θ^N]|"), (risk, "(B)", "|E[V − V_N]|")):
        axes.set(title=f"{bound} before the supremum", xlabel="t", ylabel=f"N · {name}")
        axes.grid(alpha=0.3)
        for history in table.histories:
            if history.bound == bound:
                bars = np.minimum(history.errors, np.max(history.values))
                line = axes.plot(history.times, history.values, label=f"N = {history.depth:g}")[0]
                low, high = history.values - bars, history.values + bars
                axes.fill_between(history.times, low, high, alpha=0.2, color=line.get_color())
        if axes.has_data():
            axes.legend()
    if table.picture is not None:
        _draw_density(figure, density, table.picture)
    figure.suptitle(title)
    with replaced(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _draw_density(figure: Figure, axes: Any, picture: Picture) -> None:
    """A curve for one parameter, else a map; of three parameters the last one is zero."""
    largest = float(np.nanmax(picture.values, initial=0.0))
    axes.set(title=f"N e^{{γH/4}} |p − p^N| at T, N = {depth_text(picture.depth)}", xlabel="θ_0")
    if picture.values.ndim == 1:
        axes.plot(picture.grid, picture.values)
        axes.grid(alpha=0.3)
        if largest > 0.0:
            axes.set_yscale("log")
        return
    axes.set(ylabel="θ_1", aspect="equal")
    if largest > 0.0:
        scale = LogNorm(largest * 10.0**-_DECADES, largest, clip=True)
        image = axes.pcolormesh(picture.grid, picture.grid, picture.values.T, norm=scale)
        figure.colorbar(image, ax=axes)

"""Figures of curves over time, of the density and of the weighted density error."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from fokkerplanck.runtime.files import replaced
from fokkerplanck.study.results import GridFunction, GridFunctions, History, Results

#: Decades that a map of the error shows.
_DECADES = 12

#: Contours of the density, relative to its maximum.
_CONTOURS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


def draw_pictures(table: Results, title: str, path: Path) -> None:
    """Save as PNG the curves behind the suprema of (A) and (B), the density and its error.

    With three parameters the rows have three functions each, and the figure is higher.
    """
    fields = table.grid_functions
    rows = [] if fields is None else _rows(fields)
    figure = Figure(figsize=(13, 4.2 * (1 + len(rows))), layout="constrained")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(1 + len(rows), 1, squeeze=False)[:, 0]
    mean, risk = parts[0].subplots(1, 2)
    for axes, bound, name in (
        (mean, "(A)", r"$N\,|E[\theta_t-\theta^N_t]|$"),
        (risk, "(B)", r"$N\,|E[V(\theta_t)-V_N(\theta^N_t)]|$"),
    ):
        axes.set(title=f"{bound} before the supremum", xlabel="$t$", ylabel=name)
        _draw_histories(axes, [h for h in table.histories if h.bound == bound])
    for part, functions in zip(parts[1:], rows, strict=True):
        _draw_row(part, functions)
    figure.suptitle(title)
    with replaced(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _draw_histories(axes: Any, histories: Sequence[History]) -> None:
    """Curves with their uncertainties as bands."""
    axes.grid(alpha=0.3)
    for history in histories:
        bars = np.minimum(history.errors, np.max(history.values))
        label = _depth(history.depth)
        style = "--" if math.isinf(history.depth) else "-"
        line = axes.plot(history.times, history.values, style, label=label)[0]
        low, high = history.values - bars, history.values + bars
        axes.fill_between(history.times, low, high, alpha=0.2, color=line.get_color())
    if axes.has_data():
        axes.legend(loc="upper left")
        if all(np.all(history.values <= history.errors) for history in histories):
            axes.set_xlabel("$t$   (zero up to its uncertainty)")


def _rows(fields: GridFunctions) -> list[list[tuple[str, GridFunction, bool]]]:
    """Title, function and whether it shows an error, of each function in each row."""
    limit = math.isinf(fields.depth)
    p = "$p$" if limit else "$p^N$"
    at = f"at $T$, {_depth(fields.depth)}"
    densities, errors = fields.densities, fields.errors
    lines = "" if densities[0].values.ndim == 1 else "; lines: decades"
    weighted = r"$N\,e^{\gamma H/4}\,|p-p^N|$"
    if len(errors) == 1:
        return [
            [
                (f"{p} {at}{lines}", densities[0], False),
                (f"{weighted} {at}", errors[0], True),
            ]
        ]
    return [
        [
            (f"{p} integrated over {_rest(function)}, {at}{lines}", function, False)
            for function in densities
        ],
        [(f"{weighted} on {_rest(function)}$=0$, {at}", function, True) for function in errors],
    ]


def _rest(function: GridFunction) -> str:
    """The one of three parameters that a function does not have."""
    return rf"$\theta_{({0, 1, 2} - set(function.axes)).pop()}$"


def _depth(depth: float) -> str:
    return r"$N\to\infty$" if math.isinf(depth) else f"$N={depth:g}$"


def _draw_row(figure: Any, functions: Sequence[tuple[str, GridFunction, bool]]) -> None:
    """Functions side by side, with one scale of colours for all."""
    largest = max(float(np.nanmax(function.values, initial=0.0)) for _, function, _ in functions)
    row = np.atleast_1d(figure.subplots(1, len(functions)))
    shared = len(functions) > 2
    images = [
        _draw_function(
            axes, function, error, largest if shared else float(np.nanmax(function.values))
        )
        for axes, (_, function, error) in zip(row, functions, strict=True)
    ]
    for axes, (title, function, _) in zip(row, functions, strict=True):
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel(rf"$\theta_{function.axes[0]}$")
        if len(function.axes) > 1:
            axes.set(ylabel=rf"$\theta_{function.axes[1]}$", aspect="equal")
            axes.locator_params(nbins=6)
    if shared and images[0] is not None:
        figure.colorbar(images[0], ax=list(row))
    for axes, image in zip(row, images, strict=True):
        if not shared and image is not None:
            figure.colorbar(image, ax=axes)


def _draw_function(axes: Any, function: GridFunction, error: bool, largest: float) -> Any:
    """A curve, or a map; the map is returned for its scale of colours."""
    if function.values.ndim == 1:
        axes.plot(function.grid, function.values)
        axes.grid(alpha=0.3)
        if error and largest > 0.0:
            axes.set_yscale("log")
            axes.set_ylim(bottom=largest * 10.0**-_DECADES, top=3.0 * largest)
        return None
    if not largest > 0.0:
        return None
    if error:
        scale: Normalize = LogNorm(largest * 10.0**-_DECADES, largest, clip=True)
    else:
        scale = Normalize(0.0, largest)
    colors = "inferno" if error else "viridis"
    values = function.values.T
    image = axes.pcolormesh(
        function.grid,
        function.grid,
        values,
        norm=scale,
        cmap=colors,
        shading="nearest" if error else "gouraud",
        rasterized=True,
    )
    if not error:
        logarithms = np.log10(np.maximum(values / largest, 1e-30))
        axes.contour(
            function.grid,
            function.grid,
            logarithms,
            np.log10(_CONTOURS),
            colors="white",
            linewidths=0.6,
            linestyles="solid",
        )
    return image

"""The figure: N·(C) and N·(D_k) against N, how fast they settle, and how they fall with k."""

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fokkerplanck.runtime.files import replaced
from fokkerplanck.study.results import Decay, Results, Row

#: Legends stand below the axes, where they hide nothing.
_BELOW: Final = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14)}

#: Bases b of the laws ``exp(−α b^k)``, and how their lines look.
_LAWS: Final = ((2.0, "--"), (4.0, ":"))


def draw(table: Results, title: str, path: Path) -> None:
    """Save the figure as PNG.

    The left panel has the scaled values with error bars and, as lines, their limits; the middle one
    the relative distance to the limits, which should fall like 1/N; the right one the annuli at
    several times with the laws that are linear in ``2^k`` and in ``4^k``.
    """
    figure = Figure(figsize=(15, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    values, distances, annuli = figure.subplots(1, 3)
    curves = [(name, curve) for name, curve in table.bounds() if name not in {"(A)", "(B)"}]
    for index, (name, curve) in enumerate(curves):
        finite = [row for row in curve.values() if math.isfinite(row.depth) and row.scaled > 0]
        if finite:
            _draw_values(values, finite, curve.get(math.inf), name, f"C{index}")
            _draw_distances(distances, finite, curve.get(math.inf), name, f"C{index}")
    scaled = r"$N\cdot$value$\,/\,\Vert p_0\Vert_2$"
    values.set(title="scaled left sides; lines: limits", xlabel="$N$", ylabel=scaled)
    distances.set(title="distance to the limit", xlabel="$N$", ylabel="|ratio to the limit − 1|")
    for axes in (values, distances):
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.legend(**_BELOW, ncols=3)
    law = r"$N\cdot(D_k)\,/\,\Vert p_0\Vert_2$"
    annuli.set(title="annulus law", xlabel="$k$", ylabel=law)
    annuli.grid(alpha=0.3)
    annuli.xaxis.get_major_locator().set_params(integer=True)
    for index, decay in enumerate(table.decays):
        _draw_decay(annuli, decay, f"C{index}")
    if annuli.lines:
        for base, style in _LAWS:
            annuli.plot([], [], style, color="black", label=rf"linear in ${base:g}^k$")
    if annuli.has_data():
        annuli.set_yscale("log")
        annuli.legend(**_BELOW, ncols=3)
    figure.suptitle(title)
    with replaced(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


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


def _draw_decay(axes: Any, decay: Decay, color: str) -> None:
    """Resolved annuli with error bars, and least-squares lines in ``2^k`` and ``4^k``."""
    known = [k for k in range(len(decay.values)) if str(k) not in decay.unresolved]
    if not known:
        return
    values = np.array([decay.values[k] for k in known])
    errors = [min(decay.uncertainties[k], 0.99 * decay.values[k]) for k in known]
    label = f"$t={decay.time:g}$"
    axes.errorbar(known, values, yerr=errors, fmt="o", capsize=2, color=color, label=label)
    k = np.linspace(known[0], known[-1], 50)
    for base, style in _LAWS if len(known) > 2 else ():
        law = np.polyfit(base ** np.array(known), np.log(values), 1)
        line = np.exp(np.polyval(law, base**k))
        axes.plot(k, line, style, color=color)

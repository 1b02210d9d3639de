"""The figure of a simulation: curves, laws and limits of paths."""

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.files import replaced
from fokkerplanck.simulation.summary import Outcome, exceedance
from fokkerplanck.study.results import depth_text

#: Depths that are drawn at most.
_MOST: Final = 5

#: Bins of the histogram of suprema that are drawn as one.
_JOINED: Final = 16


def draw_simulation(outcome: Outcome, path: Path) -> None:
    """Save the figure as PNG.

    Above: (A) and (B) over time with 99 % bands and the solver's curves; (A) of the parameter for
    which it is largest. Below: P(sup|θ − θ^N| > ε) against Nε, which collapse for large N; the
    density of N sup|θ − θ^N| with its tail; N sup|θ − θ^N| against sup|η|, path by path.
    """
    figure = Figure(figsize=(15, 9), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 6)
    above = [figure.add_subplot(grid[0, :3]), figure.add_subplot(grid[0, 3:])]
    below = [figure.add_subplot(grid[1, 2 * k : 2 * k + 2]) for k in range(3)]
    sizes = np.abs(outcome.differences.values[:, :, :-1]).max(axis=(0, 1))
    _draw_curve(
        above[0],
        outcome,
        int(np.argmax(sizes)),
        rf"(A): $N\,E[\theta-\theta^N]_{{{int(np.argmax(sizes))}}}$",
    )
    _draw_curve(above[1], outcome, len(sizes), r"(B): $N\,E[V(\theta)-V_N(\theta^N)]$")
    _draw_exceedance(below[0], outcome)
    _draw_law(below[1], outcome)
    _draw_limits(below[2], outcome)
    figure.suptitle(f"{outcome.name}: {outcome.num_paths} coupled paths")
    with replaced(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _shown(outcome: Outcome) -> list[tuple[int, str, Any]]:
    """Indices, labels and colours of the depths that are drawn."""
    depths = outcome.counters.depths
    chosen = sorted({round(x) for x in np.linspace(0, len(depths) - 1, min(_MOST, len(depths)))})
    colors = colormaps["viridis"](np.linspace(0.0, 0.85, len(chosen)))
    return [(n, f"$N={depth_text(depths[n])}$", c) for n, c in zip(chosen, colors, strict=True)]


def _draw_curve(axes: Any, outcome: Outcome, part: int, title: str) -> None:
    """One quantity over time: bands of paths, lines of the solver."""
    curves, reference = outcome.differences, outcome.reference
    for n, label, color in _shown(outcome):
        value, half = curves.values[:, n, part], curves.uncertainties[:, n, part]
        axes.fill_between(curves.times, value - half, value + half, color=color, alpha=0.35)
        axes.plot(curves.times, value, ".", markersize=3, color=color, label=label)
        if reference is not None:
            known = reference.depths[outcome.counters.depths[n]]
            axes.plot(reference.times, known.difference[:, part], color=color, linewidth=1)
    lines = "lines: Fokker–Planck; " if reference is not None else ""
    axes.set(title=title, xlabel=f"$t$ ({lines}bands: paths, 99 %)")
    axes.grid(alpha=0.3)
    axes.legend(ncols=2)


def _draw_exceedance(axes: Any, outcome: Outcome) -> None:
    """Survival functions of N sup|θ − θ^N|, and the counts at each ε with their intervals."""
    edges = outcome.counters.sup_edges
    for n, label, color in _shown(outcome):
        counts = outcome.sums["sup"][n]
        share = 1.0 - np.cumsum(counts)[:-1] / counts.sum()
        seen = (share > 0) & (share < 1)
        axes.plot(edges[seen], share[seen], color=color, label=label)
        for e, epsilon in enumerate(outcome.counters.exceed):
            found = exceedance(outcome, n, e)
            if 0 < found.value < 1:
                bars = [[found.value - found.low], [found.high - found.value]]
                place = outcome.counters.depths[n] * epsilon
                axes.errorbar([place], [found.value], yerr=bars, fmt="o", markersize=3, color=color)
    axes.set(xscale="log", yscale="log", xlabel=r"$N\varepsilon$")
    axes.set_ylim(bottom=0.3 / outcome.num_paths)
    axes.set(title=r"$P(\sup_t|\theta-\theta^N|>\varepsilon)$")
    axes.grid(alpha=0.3)
    axes.legend()


def _draw_law(axes: Any, outcome: Outcome) -> None:
    """Density of the logarithm of N sup|θ − θ^N|, with the tail that the largest values show."""
    logs = np.log(outcome.counters.sup_edges)
    for n, label, color in _shown(outcome):
        counts = outcome.sums["sup"][n][1:-1].reshape(-1, _JOINED).sum(axis=1)
        width = logs[_JOINED] - logs[0]
        middle = np.exp(logs[:-1].reshape(-1, _JOINED).mean(axis=1))
        seen = counts > 0
        density = counts[seen] / (outcome.num_paths * width)
        axes.plot(middle[seen], density, color=color, label=label)
    index = [row.value for row in outcome.rows if row.quantity == "sup_tail_index"]
    tail = f", tail index {index[-1]:.1f}" if index and math.isfinite(index[-1]) else ""
    axes.set(xscale="log", yscale="log", xlabel=r"$s$")
    axes.set(title=rf"density of $\ln(N\sup_t|\theta-\theta^N|)$ at $\ln s${tail}")
    axes.grid(alpha=0.3)
    axes.legend()


def _draw_limits(axes: Any, outcome: Outcome) -> None:
    """Suprema of single paths against those of their limits."""
    axes.set(title=r"$N\sup_t|\theta-\theta^N|$ against $\sup_t|\eta|$, path by path")
    axes.set(xlabel=r"$\sup_t|\eta|$", ylabel=r"$N\sup_t|\theta-\theta^N|$")
    if outcome.paths is None:
        axes.text(0.5, 0.5, "none without a cap", ha="center", transform=axes.transAxes)
        return
    eta = outcome.paths.eta
    for n, label, color in _shown(outcome):
        axes.plot(eta[0], eta[n + 1], ".", markersize=2, color=color, label=label)
    ends: Array = np.array([eta[0].min(), eta[0].max()])
    axes.plot(ends, ends, "--", color="black", linewidth=1)
    axes.set(xscale="log", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()

"""What follows from the table, for the terminal: sharp constants, the annulus law, other starts."""

import math
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table as Grid

from fokkerplanck.study.results import Decay, Estimate, Results, SharpConstant, depth_text


def findings(table: Results) -> Iterator[Grid]:
    """Yield a grid for each kind of finding that the table has."""
    if table.statements:
        yield _constants(table.statements)
    if table.decays:
        yield _laws(table.decays)
    if table.further_radii:
        yield _starts(table)


def explanation(table: Results) -> Grid:
    """The parts of every uncertainty, relative to the number."""
    names = list(dict.fromkeys(name for parts in table.parts.values() for name in parts))
    curves = {(row.quantity, row.annulus, row.depth): row for row in table.rows}
    rows = []
    for (quantity, annulus, depth), parts in table.parts.items():
        row = curves[quantity, annulus, depth]
        factor = depth if depth < float("inf") else 1.0
        size = factor * abs(row.value) or 1.0
        cells = [f"{parts[name] / size:.0e}" if name in parts else "" for name in names]
        rows.append((quantity, annulus, depth_text(depth), f"{factor * row.value:.6e}", *cells))
    return _grid(
        "Parts of the uncertainties, relative to N·(left side)",
        ("quantity", "annulus", "N", "N·value", *names),
        rows,
    )


def with_error(value: float, error: float) -> str:
    """Write a number and its error like ``0.80982131(4)e-03``, the error rounded up to a digit."""
    size = max(abs(value), error)
    if not 0.0 < size < float("inf"):
        return f"{value:g}({error:g})"
    exponent = int(f"{size:e}".rpartition("e")[2])
    scaled, blur = value / 10.0**exponent, error / 10.0**exponent
    place = int(f"{blur:e}".rpartition("e")[2]) if blur > 0.0 else -15
    decimals = min(max(-place, 0), 15)
    digit = -int(-blur * 10.0**decimals * (1 - 1e-12) // 1)
    if digit == 10 and decimals:
        digit, decimals = 1, decimals - 1
    suffix = f"e{exponent:+03d}" if exponent else ""
    return f"{scaled:.{decimals}f}({digit}){suffix}"


def _constants(statements: Sequence[SharpConstant]) -> Grid:
    """Sharp constants and how they are approached, if there is a limit, and explicit ones."""
    rows = []
    for s in statements:
        approach = (
            ()
            if s.constant is None or s.uncertainty is None
            else (
                with_error(s.constant, s.uncertainty),
                _estimate(s.order, "{:.3f} ± {:.3f}".format),
                _estimate(s.second, with_error),
            )
        )
        rows.append((s.bound, *approach, f"{s.explicit:.4g}", f"{s.ratio:.2g}"))
    if len(rows[0]) == 3:
        return _grid("Explicit constants", ("bound", "explicit", "measured/explicit"), rows)
    return _grid(
        "Sharp constants c* = lim N·(left side)/‖p0‖₂",
        ("bound", "c*", "order to c*", "second coefficient", "explicit", "measured/explicit"),
        rows,
    )


def _laws(decays: Sequence[Decay]) -> Grid:
    """Slopes of −ln(N·D_k) over each abscissa; the best one is marked."""
    names = list(dict.fromkeys(fit.abscissa for decay in decays for fit in decay.fits))
    rows = []
    for decay in decays:
        fits = {fit.abscissa: fit for fit in decay.fits}
        best = min((fit.residual for fit in decay.fits), default=0.0)
        cells = [
            f"{fits[name].slope:.3g} ± {fits[name].slope_error:.1g} [{fits[name].residual:.2g}]"
            + ("*" if fits[name].residual == best else "")
            if name in fits
            else ""
            for name in names
        ]
        rows.append(
            (f"{decay.time:g}", *cells, f"{decay.constant:.4g}", ", ".join(decay.unresolved))
        )
    return _grid(
        "Annulus law: slope of −ln(N·D_k) over ... [rms residual]; * fits best",
        ("t", *names, "c of (D)", "too far"),
        rows,
    )


def _starts(table: Results) -> Grid:
    """N·(left side) for each radius of p_0, the largest measured/explicit below."""
    depth = table.further_radii[0].depth
    own = {heading: curve[depth] for heading, curve in table.bounds()}
    what = "c*(p0)" if math.isinf(depth) else f"N·(left side)/‖p0‖₂ at N = {depth:g}"
    rows = [
        (
            name,
            with_error(own[name].scaled, own[name].scaled_uncertainty),
            *(with_error(*start.constants[name]) for start in table.further_radii),
        )
        for name in table.further_radii[0].constants
    ]
    norms = (f"{start.norm:.6g}" for start in table.further_radii)
    ratios = (f"{max(start.ratios.values()):.2g}" for start in table.further_radii)
    return _grid(
        f"{what} for other radii R0 of p0",
        ("bound", "R0 of the study", *(f"R0 = {start.radius:g}" for start in table.further_radii)),
        [*rows, ("‖p0‖₂", "", *norms), ("measured/explicit", "", *ratios)],
    )


def _estimate(estimate: Estimate | None, text: Callable[[float, float], str]) -> str:
    return "" if estimate is None else text(estimate.value, estimate.error)


def _grid(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    grid = Grid(title=escape(title), box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    grid.title_justify = "left"
    for heading in headings:
        grid.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        grid.add_row(*map(escape, row))
    return grid

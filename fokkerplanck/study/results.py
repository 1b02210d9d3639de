"""The table of measured bounds: what a study ends in, and what reports are made from."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fokkerplanck.runtime.arrays import Array

#: Bounds in the order of the paper: the letter, the quantity, the annuli that it has.
MEAN, RISK, DENSITY, PLAIN, INITIAL_NORM = "mean", "risk", "density_l1", "l1", "p0_l2"


@dataclass(frozen=True)
class Row:
    """One measured number."""

    #: ``mean``, ``risk``, ``density_l1``, ``l1``, ``p0_l2``, ``mass_defect`` or ``density_min``
    quantity: str
    annulus: str  #: empty (the whole space), ``core``, ``0``, ``1``, ...
    depth: float  #: N, or ``inf`` for the limit of N·value
    time: float
    value: float
    uncertainty: float  #: absolute
    scaled: float  #: N·value/‖p_0‖_2; for the limit value/‖p_0‖_2
    scaled_uncertainty: float


@dataclass(frozen=True)
class Check:
    """A statement that the numbers confirm or refute."""

    name: str
    holds: bool | None  #: None where the numbers decide neither way, which is no failure
    detail: str  #: the numbers behind the verdict


@dataclass(frozen=True)
class Estimate:
    """A fitted number with its standard error, or with a bound of its error."""

    value: float
    error: float


@dataclass(frozen=True)
class SharpConstant:
    """What is found about one bound; everything is divided by ‖p_0‖_2."""

    bound: str  #: heading, as in `Results.bounds`
    constant: float | None  #: sharp constant ``c* = lim N·(left side)``; None without the limit
    uncertainty: float | None  #: of c*
    order: Estimate | None  #: of ``|N·value − c*| ~ N^{−order}``, where it can be seen
    second: Estimate | None  #: ``lim N (N·value − c*)``
    explicit: float  #: a-priori constant at the largest depth
    ratio: float  #: largest measured ÷ explicit


@dataclass(frozen=True)
class Fit:
    """``−ln(N·D_k) ≈ slope · x_k + const`` over the annuli."""

    abscissa: str  #: what ``x_k`` is
    slope: float
    slope_error: float  #: standard error
    residual: float  #: root mean square, in units of ``−ln``


@dataclass(frozen=True)
class Decay:
    """How N·(D_k) falls with k at one time, at the largest depth."""

    time: float
    values: tuple[float, ...]  #: ``N·(D_k)/‖p_0‖_2``, k = 0, 1, ...
    uncertainties: tuple[float, ...]
    fits: tuple[Fit, ...]
    constant: float  #: smallest c with ``N·(D_k) <= c e^{−2^k R̃0²/t} ‖p_0‖_2`` for these k
    unresolved: tuple[str, ...]  #: annuli that are too far for double precision


@dataclass(frozen=True)
class FurtherRadius:
    """N·(left side) for another radius of p_0, at one depth."""

    radius: float
    norm: float  #: ‖p_0‖_2
    depth: float  #: infinite, so that these are the sharp constants, or else the largest
    constants: dict[str, tuple[float, float]]  #: with uncertainty, by heading
    ratios: dict[str, float]  #: measured ÷ explicit by heading


@dataclass(frozen=True, eq=False)
class History:
    """The left side of (A) or (B) over time before the supremum is taken, times N."""

    bound: str  #: ``(A)`` or ``(B)``
    depth: float
    times: Array  #: shape (n,)
    values: Array  #: shape (n,)
    errors: Array  #: shape (n,)


@dataclass(frozen=True, eq=False)
class GridFunction:
    """A function of one or two of the parameters on a grid."""

    axes: tuple[int, ...]  #: which parameters
    grid: Array  #: coordinates along each axis, shape (n,)
    values: Array  #: shape (n,) or (n, n)


@dataclass(frozen=True, eq=False)
class GridFunctions:
    """The density ``p^N`` (for the limit p) and its error at the horizon."""

    depth: float
    densities: tuple[GridFunction, ...]  #: the density; of three parameters its marginals onto two
    #: ``N e^{γH/4} |p − p^N|``, NaN beyond the last annulus; of three parameters on the planes on
    #: which the third one is zero
    errors: tuple[GridFunction, ...]


@dataclass(frozen=True)
class Results:
    """Everything that was measured, in rows, and what follows from it."""

    rows: tuple[Row, ...]
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    statements: tuple[SharpConstant, ...] = ()
    decays: tuple[Decay, ...] = ()
    further_radii: tuple[FurtherRadius, ...] = ()
    histories: tuple[History, ...] = ()
    grid_functions: GridFunctions | None = None
    #: Parts of each uncertainty of N·(left side), by quantity, annulus and depth
    parts: Mapping[tuple[str, str, float], Mapping[str, float]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether no check fails."""
        return all(check.holds is not False for check in self.checks)

    @property
    def depths(self) -> tuple[float, ...]:
        """Depths of the bounds, increasing."""
        return tuple(sorted({row.depth for row in self.rows if row.quantity == DENSITY}))

    @property
    def annuli(self) -> tuple[str, ...]:
        """Labels of (D) in the order of the rows: ``core``, ``0``, ``1``, ..."""
        labels = (row.annulus for row in self.rows if row.quantity == DENSITY and row.annulus)
        return tuple(dict.fromkeys(labels))

    def curve(self, quantity: str, annulus: str = "") -> dict[float, Row]:
        """Return the rows of one quantity by depth, increasing."""
        rows = {r.depth: r for r in self.rows if (r.quantity, r.annulus) == (quantity, annulus)}
        return dict(sorted(rows.items()))

    def bounds(self) -> Iterator[tuple[str, dict[float, Row]]]:
        """Yield a heading and the rows by depth: (C), the regions of (D), (A), (B) and L¹."""
        yield "(C)", self.curve(DENSITY)
        for label in self.annuli:
            yield label if label == "core" else f"D_{label}", self.curve(DENSITY, label)
        yield "(A)", self.curve(MEAN)
        yield "(B)", self.curve(RISK)
        yield "L¹", self.curve(PLAIN)


def depth_text(depth: float) -> str:
    """Write a depth as results files do: an integer or ``inf``."""
    return "inf" if math.isinf(depth) else str(int(depth))

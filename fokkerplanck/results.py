"""The table of measured bounds: what a study ends in, and what reports are made from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

#: Bounds in the order of the paper: the letter, the quantity, the annuli that it has.
MEAN, RISK, DENSITY, INITIAL_NORM = "mean", "risk", "density_l1", "p0_l2"


@dataclass(frozen=True)
class Row:
    """One measured number."""

    quantity: (
        str  #: ``mean``, ``risk``, ``density_l1``, ``p0_l2``, ``mass_defect``, ``density_min``
    )
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
    holds: bool
    detail: str  #: the numbers behind the verdict


@dataclass(frozen=True)
class Table:
    """Everything that was measured, in rows, and what follows from it."""

    rows: tuple[Row, ...]
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

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
        """Yield a heading and the rows by depth for (C), the regions of (D), (A) and (B)."""
        yield "(C)", self.curve(DENSITY)
        for label in self.annuli:
            yield label if label == "core" else f"D_{label}", self.curve(DENSITY, label)
        yield "(A)", self.curve(MEAN)
        yield "(B)", self.curve(RISK)


def depth_text(depth: float) -> str:
    """Write a depth as results files do: an integer or ``inf``."""
    return "inf" if math.isinf(depth) else str(int(depth))

"""The sections of a study file and the rules that each key obeys on its own."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from fokkerplanck.model.network import MAX_DIMENSION, MAX_PARAMETERS
from fokkerplanck.problem.numerics import FEWEST_VECTORS
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.tables import Flag, Number, Positive, Table, Text, Whole, numbers
from fokkerplanck.runtime.wording import quoted

Matrix = tuple[tuple[float, ...], ...]

MAX_DEPTH: Final = 10**9
MAX_ANNULI: Final = 30
MAX_DEPTHS: Final = 200  #: numbers of layers in one study
MAX_RADII: Final = 20  #: further radii of p_0
MAX_POWER: Final = 64  #: of the polynomial p_0
MAX_VECTORS: Final = 10_000
FINEST_ACCURACY: Final = 1e-15  #: what doubles can hold


#: Lengths, times and factors lie between these, so that their products stay in double range.
SMALLEST_SCALE: Final = 1e-12
LARGEST_SCALE: Final = 1e12


def _moderate(value: float) -> float:
    """Refuse a number that no scale of a problem has."""
    if not SMALLEST_SCALE <= abs(value) <= LARGEST_SCALE:
        raise ValueError(
            f"must lie between {SMALLEST_SCALE:g} and {LARGEST_SCALE:g}, got {value:g}; "
            "choose other units"
        )
    return value


Scale = Annotated[Positive, AfterValidator(_moderate)]
Coordinate = Annotated[Number, Field(ge=-LARGEST_SCALE, le=LARGEST_SCALE)]


def rows(array: Array) -> Matrix:
    """Return a matrix as tuples."""
    return tuple(tuple(row) for row in array.tolist())


class NetworkSection(Table):
    """``[network]``: the block f_θ."""

    field: tuple[Text, ...]  #: one expression per component
    parameters: Whole | None = Field(
        None, ge=1, le=MAX_PARAMETERS
    )  #: m; by default those that appear in `field`


class FileData(Table):
    """``[data]`` from a CSV or NPZ file."""

    file: Text  #: path, relative to the study file
    inputs: tuple[Text, ...] = Field(min_length=1, max_length=MAX_DIMENSION)  #: columns of x
    targets: tuple[Text, ...] = Field(min_length=1, max_length=MAX_DIMENSION)  #: columns of y
    weights: Text | None = None  #: column of weights, divided by its sum
    standardize: Flag = False  #: shift and scale every column to mean 0 and variance 1


def _points(value: Any) -> Matrix:
    """Read one point per sample; for points of one coordinate a plain list will do."""
    points = numbers(value)
    if points.ndim not in (1, 2):
        raise ValueError(f"must be a list of points, got {quoted(value)}")
    return rows(points[:, None] if points.ndim == 1 else points)


class InlineData(Table):
    """``[data]`` written into the study itself."""

    inputs: Annotated[Matrix, BeforeValidator(_points)]  #: one list of numbers per sample
    targets: Annotated[Matrix, BeforeValidator(_points)]  #: the same
    weights: tuple[Number, ...] | None = None  #: one per sample, divided by their sum
    standardize: Flag = False


class GeneratedData(Table):
    """``[data]`` drawn by a generator."""

    generator: Literal["star"]
    samples: Whole = Field(256, ge=2, le=1_000_000)
    seed: Whole = Field(1, ge=0, lt=2**63)
    standardize: Flag = False


def data_form(table: Any) -> str:
    """Return the name of the form that a ``[data]`` table, or section, has."""
    keys = table if isinstance(table, Mapping) else type(table).model_fields
    return next((f"{key} form" for key in ("file", "generator") if key in keys), "inline form")


DATA_FORMS: Final[dict[str, type[Table]]] = {
    "file form": FileData,
    "generator form": GeneratedData,
    "inline form": InlineData,
}

DataSection = Annotated[
    Annotated[FileData, Tag("file form")]
    | Annotated[GeneratedData, Tag("generator form")]
    | Annotated[InlineData, Tag("inline form")],
    Discriminator(data_form),
]


class CapSection(Table):
    """``[cap]``: T_Λ."""

    kind: Literal["smooth", "tanh", "hard", "none"] = "smooth"
    radius: Scale = 2.0  #: Λ


class PenaltySection(Table):
    """``[penalty]``: γH."""

    gamma: Scale = 0.5
    potential: Text = "quadratic"  #: ``quadratic`` or an expression in theta


def _noise(value: Any) -> float | Matrix:
    """Read σ, or the matrix σ I, where the bounds have finite constants."""
    matrix = np.atleast_2d(numbers(value))
    sigma = float(matrix.flat[0]) if matrix.size else math.nan
    if matrix.ndim != 2 or not np.array_equal(matrix, sigma * np.eye(len(matrix))):
        raise ValueError(
            f"must be a number or a multiple of the identity matrix, got {quoted(value)}; "
            "other matrices are not supported yet"
        )
    if not 0 < sigma < 2:
        raise ValueError(
            f"must lie between 0 and 2, got {sigma:g}; from 2 on the constant of (C) is infinite"
        )
    return (
        tuple(map(tuple, matrix.astype(float).tolist()))
        if isinstance(value, list | tuple)
        else sigma
    )


class NoiseSection(Table):
    """``[noise]``: Σ = σ I, so that D = σ²/2."""

    sigma: Annotated[float | Matrix, BeforeValidator(_noise)] = 2.0**0.5

    @property
    def scale(self) -> float:
        """σ."""
        return float(np.ravel(self.sigma)[0])


class InitialSection(Table):
    """``[initial]``: p_0."""

    kind: Literal["bump", "polynomial", "uniform", "gaussian"] = "bump"
    radius: Scale = 1.0  #: R0
    radii: tuple[Scale, ...] = Field(
        (), max_length=MAX_RADII
    )  #: further R0 for which the sharp constants are measured
    center: tuple[Coordinate, ...] | None = Field(None, min_length=1)  #: the origin by default
    power: Number | None = Field(None, ge=0, le=MAX_POWER)  #: of ``polynomial``; 2 by default

    @model_validator(mode="after")
    def _check_power(self) -> Self:
        """Refuse a power that would be ignored."""
        if self.power is not None and self.kind != "polynomial":
            raise ValueError(f"power belongs to kind 'polynomial', got kind {self.kind!r}")
        return self


class AnnuliSection(Table):
    """``[annuli]``: the core and the dyadic annuli around it."""

    radius: Scale = 1.0  #: of the core
    count: Whole = Field(3, ge=0, le=MAX_ANNULI)


def _distinct(depths: tuple[int, ...]) -> tuple[int, ...]:
    """Sort depths and refuse repeated ones."""
    if len(set(depths)) < len(depths):
        raise ValueError("must not repeat a depth")
    return tuple(sorted(depths))


Depth = Annotated[Whole, Field(ge=1, le=MAX_DEPTH)]


class DepthsSection(Table):
    """``[depths]``: which N."""

    values: Annotated[
        tuple[Depth, ...], Field(max_length=MAX_DEPTHS), AfterValidator(_distinct)
    ] = tuple(2**k for k in range(11))
    limit: Flag = True  #: whether to compute the limit N → ∞ as well


class TimeSection(Table):
    """``[time]``."""

    horizon: Scale = 1.0  #: T


class AccuracySection(Table):
    """``[accuracy]``."""

    relative: Positive = Field(
        1e-6, ge=FINEST_ACCURACY, lt=1
    )  #: uncertainty asked for, relative to each number


class SolverSection(Table):
    """``[solver]``: of the linear systems."""

    method: Literal["auto", "cholesky", "iterative"] = "auto"
    memory: Scale | None = None  #: gigabytes that all ranks together may take
    #: pairs of Krylov vectors that a level may hold; by default as many as fit
    vectors: Whole | None = Field(None, ge=FEWEST_VECTORS, le=MAX_VECTORS)


class Settings(Table):
    """All sections of a study file."""

    network: NetworkSection
    data: DataSection
    cap: CapSection = CapSection()
    penalty: PenaltySection = PenaltySection()
    noise: NoiseSection = NoiseSection()
    initial: InitialSection = InitialSection()
    annuli: AnnuliSection = AnnuliSection()
    depths: DepthsSection = DepthsSection()
    time: TimeSection = TimeSection()
    accuracy: AccuracySection = AccuracySection()
    solver: SolverSection = SolverSection()


def section_type(name: str, table: Mapping[str, Any]) -> type[Table]:
    """Return the section of a name; that of ``[data]`` depends on the table meant for it."""
    if name == "data":
        return DATA_FORMS[data_form(table)]
    section = Settings.model_fields[name].annotation
    assert isinstance(section, type)
    assert issubclass(section, Table)
    return section

"""A recipe's file: what its keys may hold."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

from fokkerplanck.runtime.tables import (
    Number,
    Positive,
    Table,
    Whole,
    check_keys,
    describe,
    numbers,
    read_toml,
)
from fokkerplanck.runtime.wording import brief, named, quoted

Family = Literal["interval", "disk", "ball"]

#: Numbers in one list of a recipe.
_LONGEST: Final = 1_000

#: Largest number of cells around, far beyond what a machine holds.
_MOST_SECTORS: Final = 100_000


class AnnuliTable(Table):
    """``[annuli]``."""

    radius: Positive
    count: Whole = Field(ge=0, le=30)


def _pairs(value: Any) -> tuple[tuple[float, float], ...]:
    """Read a list of pairs of numbers."""
    array = numbers(value)
    if array.ndim != 2 or array.shape[1] != 2 or len(array) > _LONGEST:
        raise ValueError(f"must be a list of [radius, size], got {quoted(value)}")
    return tuple((radius, size) for radius, size in array.tolist())


List = Annotated[tuple[Number, ...], Field(max_length=_LONGEST)]


class RecipeTable(Table):
    """All keys of a recipe."""

    family: Family
    annuli: AnnuliTable
    radius: Positive
    breaks: List = ()
    points: List = ()
    sizes: Annotated[tuple[tuple[float, float], ...], BeforeValidator(_pairs)] = ((0.0, 0.5),)
    sectors: Whole = Field(16, le=_MOST_SECTORS)
    sides: Annotated[tuple[List, ...], Field(max_length=3)] = ()
    geometry_degree: Whole = Field(6, ge=-100, le=100)


def read_recipe(path: Path) -> RecipeTable:
    """Read the file of a recipe.

    Raises:
        ValueError: It is no recipe; the message names the file and the key.
    """
    tables = read_toml(path, "mesh recipe")
    try:
        check_keys(tables, RecipeTable.model_fields)
        return RecipeTable.model_validate(tables)
    except ValidationError as error:
        reason = describe(error)
    except ValueError as error:
        reason = str(error)
    raise ValueError(brief(f"mesh recipe {named(path)}: {reason}"))

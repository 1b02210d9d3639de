"""A study: what to verify, from a TOML file to checked model objects."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, Final, Self

from fokkerplanck.model import Cap, DataMeasure, Network, Penalty
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import FAMILIES, InitialDensity
from fokkerplanck.runtime.tables import is_file, read_toml
from fokkerplanck.runtime.wording import quoted
from fokkerplanck.study.consistency import (
    check_data,
    check_dimension,
    check_growth,
    check_horizon,
    check_initial,
    check_noise,
    check_solver,
    check_spheres,
)
from fokkerplanck.study.data import data_measure
from fokkerplanck.study.errors import StudyError, blame
from fokkerplanck.study.sections import Settings
from fokkerplanck.study.toml import check_names, overridden

SHIPPED: Final = Path(__file__).with_name("shipped")
DEFAULT: Final = "geyser"


def shipped_studies() -> dict[str, Path]:
    """Return the files of the studies that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


@dataclass(frozen=True)
class Study:
    """What to verify: a model, an initial density, depths, and the accuracy asked for.

    A study that exists is right: the model objects are built, and the data read, at once.

    Raises:
        StudyError: A value, or a combination of values, is refused.
    """

    name: str
    settings: Settings
    folder: Path = Path()  #: where relative data files are looked for
    needs_mesh: bool = True  #: whether parameters without a mesh are refused

    def __post_init__(self) -> None:
        """Build the model objects, each of which checks itself, and compare them."""
        if self.needs_mesh:
            check_dimension(self.network)
        check_data(self.data, self.network)
        for initial in (self.initial, *self.further_initials):
            check_initial(initial, self.dimension, self.annuli)
            check_spheres(initial, self.cap, self.annuli)
        check_horizon(self.horizon, self.diffusion, self.annuli)
        check_noise(self.settings.noise.sigma, self.dimension)
        check_solver(self.settings.solver.method, self.dimension)
        with blame("penalty"):
            check_growth(self.penalty, self.annuli)
        if not self.depths:
            raise StudyError("[depths] needs at least one value, or limit = true")

    @classmethod
    def load(
        cls,
        study: str | Path = DEFAULT,
        settings: Iterable[str] = (),
        needs_mesh: bool = True,
    ) -> Self:
        """Read a study.

        Args:
            study: A TOML file, or the name of a shipped study.
            settings: Changes of single values, ``section.key=value`` with a TOML value.
            needs_mesh: Whether more parameters than there are meshes for are refused.
        """
        path = _find(study)
        with blame():
            tables = read_toml(path, "study")
        return cls.from_dict(overridden(tables, settings), _title(path), path.parent, needs_mesh)

    @classmethod
    def from_dict(
        cls,
        tables: Mapping[str, Any],
        name: str = "study",
        folder: Path = Path(),
        needs_mesh: bool = True,
    ) -> Self:
        """Check the tables of a study file and build the study."""
        with blame():
            check_names(tables)
            settings = Settings.model_validate(tables)
        return cls(name, settings, folder, needs_mesh)

    def with_settings(self, settings: Iterable[str]) -> "Study":
        """Return the study with single values changed, each as ``section.key=value``."""
        return Study.from_dict(overridden(self.to_dict(), settings), self.name, self.folder)

    def to_dict(self) -> dict[str, Any]:
        """Return the tables of the study file, defaults included."""
        return self.settings.model_dump(mode="json", exclude_none=True)

    @cached_property
    def network(self) -> Network:
        """The block f_θ."""
        with blame("network"):
            return Network(self.settings.network.field, self.settings.network.parameters)

    @property
    def dimension(self) -> int:
        """Number m of parameters."""
        return self.network.num_parameters

    @cached_property
    def data(self) -> DataMeasure:
        """The data measure μ."""
        with blame("data"):
            return data_measure(self.settings.data, self.folder)

    @cached_property
    def cap(self) -> Cap:
        """The cap T_Λ."""
        with blame("cap"):
            return Cap(self.settings.cap.kind, self.settings.cap.radius)

    @cached_property
    def penalty(self) -> Penalty:
        """The penalty γH."""
        section = self.settings.penalty
        with blame("penalty"):
            return Penalty(section.gamma, section.potential, self.dimension)

    @cached_property
    def initial(self) -> InitialDensity:
        """The initial density p_0."""
        return self._initial(self.settings.initial.radius)

    @cached_property
    def further_initials(self) -> tuple[InitialDensity, ...]:
        """Initial densities of other radii, for the sharp constants' dependence on ‖p_0‖_2."""
        return tuple(self._initial(radius) for radius in self.settings.initial.radii)

    def _initial(self, radius: float) -> InitialDensity:
        section = self.settings.initial
        center = section.center or (0.0,) * self.dimension
        options = {} if section.power is None else {"power": section.power}
        with blame("initial"):
            return FAMILIES[section.kind](center, radius, **options)

    @cached_property
    def annuli(self) -> Annuli:
        """The core and the annuli."""
        with blame("annuli"):
            return Annuli(self.settings.annuli.radius, self.settings.annuli.count)

    @property
    def depths(self) -> tuple[float, ...]:
        """Depths N in increasing order; the last one is ``inf`` if the limit is asked for."""
        section = self.settings.depths
        return (*section.values, inf) if section.limit else section.values

    @property
    def diffusion(self) -> float:
        """``D = σ²/2``."""
        return 0.5 * self.settings.noise.scale**2

    @property
    def horizon(self) -> float:
        """T."""
        return self.settings.time.horizon

    @property
    def tolerance(self) -> float:
        """Uncertainty asked for, relative to each number."""
        return self.settings.accuracy.relative


def _title(path: Path) -> str:
    """Return the name of a study's file in characters that all terminals and figures show."""
    return re.sub(r"[^\w. -]", "_", path.stem)[:40]


def _find(study: str | Path) -> Path:
    """Return the file of a study: a path, or the name of a shipped one."""
    path, shipped = Path(study), shipped_studies()
    if is_file(path):
        return path
    if str(study) in shipped:
        return shipped[str(study)]
    raise StudyError(
        f"study {quoted(str(study))} must be a TOML file or one of the shipped studies "
        f"{', '.join(shipped)}"
    )

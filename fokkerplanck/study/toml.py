"""The raw tables of a study file: names that must be known, and values that are changed."""

import tomllib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from fokkerplanck.study.errors import StudyError, unknown
from fokkerplanck.study.sections import Settings, section_type


def check_names(tables: Mapping[str, Any]) -> None:
    """Check that all sections and keys are known.

    Raises:
        StudyError: One is not.
    """
    for section, table in tables.items():
        if section not in Settings.model_fields:
            raise StudyError(unknown("section", section, Settings.model_fields))
        if not isinstance(table, Mapping):
            raise StudyError(f"{section} must be a section, [{section}], got a single value")
        keys = section_type(section, table).model_fields
        for key in table:
            if key not in keys:
                raise StudyError(unknown(f"key in [{section}]", key, keys))


def overridden(tables: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return the tables with single values changed.

    Args:
        tables: Tables of a study file; left as they are.
        settings: Changes ``section.key=value`` with a TOML value. What is no TOML value is taken
            for a string, and a data file is looked for from the working directory.

    Raises:
        StudyError: A change has another form, or its section is unknown.
    """
    changed = deepcopy(dict(tables))
    for setting in settings:
        place, equals, text = setting.partition("=")
        section, _, key = place.strip().partition(".")
        if not (equals and section and key) or "." in key:
            raise StudyError(f"--set must have the form section.key=value, got {setting!r}")
        if section not in Settings.model_fields:
            raise StudyError(unknown("section", section, Settings.model_fields))
        value = _value(text.strip())
        if (section, key) == ("data", "file") and isinstance(value, str):
            value = str(Path.cwd() / value)
        table = changed.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value
    return changed


def _value(text: str) -> Any:
    """Read a TOML value; what is none is a string."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text

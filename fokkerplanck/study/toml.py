"""The raw tables of a study file: names that must be known, and values that are changed."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from fokkerplanck.runtime.tables import check_keys, parse_toml
from fokkerplanck.runtime.wording import quoted, unknown
from fokkerplanck.study.errors import StudyError
from fokkerplanck.study.sections import Settings, section_type

#: Characters of a value on the command line.
LONGEST_SETTING: Final = 100_000


def check_names(tables: Mapping[str, Any]) -> None:
    """Check that all sections and keys are known.

    Raises:
        ValueError: One is not.
    """
    for section, table in tables.items():
        if section not in Settings.model_fields:
            raise StudyError(unknown("section", section, Settings.model_fields))
        if not isinstance(table, Mapping):
            raise StudyError(f"{section} must be a section, [{section}], got a single value")
        check_keys(table, section_type(section, table).model_fields, f"in [{section}]")


def overridden(tables: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return the tables with single values changed.

    Args:
        tables: Tables of a study file; left as they are.
        settings: Changes ``section.key=value`` with a TOML value. What is no TOML value is taken
            for a string, and a data file is looked for from the working directory.

    Raises:
        StudyError: A change has another form, or its section is unknown.
    """
    changed = {
        name: dict(table) if isinstance(table, Mapping) else table for name, table in tables.items()
    }
    for setting in settings:
        place, equals, text = setting.partition("=")
        section, _, key = place.strip().partition(".")
        if not (equals and section and key) or "." in key:
            raise StudyError(f"--set must have the form section.key=value, got {quoted(setting)}")
        if section not in Settings.model_fields:
            raise StudyError(unknown("section", section, Settings.model_fields))
        value = _value(place.strip(), text.strip())
        if (section, key) == ("data", "file") and isinstance(value, str):
            value = str(Path.cwd() / value)
        table = changed.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value
    return changed


def _value(place: str, text: str) -> Any:
    """Read a TOML value; what is none is a string."""
    if len(text) > LONGEST_SETTING:
        raise StudyError(
            f"--set {quoted(place)} must have at most {LONGEST_SETTING} characters, "
            f"got {len(text)}; write it into a study file"
        )
    try:
        parsed = parse_toml(f"value = {text}")
    except ValueError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text

"""What the documentation names exists."""

import importlib
import re
from pathlib import Path

import pytest

import fokkerplanck

ROOT = Path(__file__).parents[2]
DICTIONARY = (ROOT / "docs" / "theory.md").read_text().partition("## Dictionary")[2]
NAMES = [
    name
    for line in DICTIONARY.splitlines()
    if line.startswith("| ")
    for name in re.findall(r"`([\w.]+)`", line.rpartition("|")[0].rpartition("|")[2])
]


def found(name):
    """The object of a dotted name below the package."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(["fokkerplanck", *parts[:k]]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            fields = getattr(thing, "__dataclass_fields__", {})
            thing = fields[part] if part in fields else getattr(thing, part)
        return thing
    raise LookupError(name)


def test_dictionary_has_all_symbols():
    assert len(NAMES) > 35


@pytest.mark.parametrize("name", NAMES)
def test_symbols_of_the_theory_page_have_code(name):
    assert found(name) is not None


@pytest.mark.parametrize("name", fokkerplanck.__all__)
def test_public_names_are_there_and_documented(name):
    thing = getattr(fokkerplanck, name)
    assert thing.__doc__
    assert name in dir(fokkerplanck)


def test_no_two_public_classes_have_one_name():
    homes = {}
    for path in (ROOT / "fokkerplanck").rglob("*.py"):
        for name in re.findall(r"^class ([A-Z]\w*)", path.read_text(), flags=re.M):
            homes.setdefault(name, []).append(path)
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_wings_say_which_question_they_answer():
    for path in (ROOT / "fokkerplanck").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert "?" in (path / "__init__.py").read_text(), path.name


def test_modules_of_early_scripts_keep_their_names():
    from fokkerplanck.export import write_density
    from fokkerplanck.progress import Progress

    assert write_density is fokkerplanck.write_density
    assert Progress is fokkerplanck.Progress
    assert fokkerplanck.export.write_density is write_density
    with pytest.raises(AttributeError):
        _ = fokkerplanck.export.no_such_name

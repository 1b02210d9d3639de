import runpy
from pathlib import Path

import pytest

GUIDES = sorted((Path(__file__).parents[2] / "docs" / "guide").glob("*.py"))


def test_there_are_guides():
    assert GUIDES


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_guide_keeps_its_word(path):
    runpy.run_path(str(path))

"""The cache: what is cut, foreign or writable by others is not used."""

import logging
import stat
import subprocess
import sys

import pytest

from fokkerplanck.runtime import cache

pytestmark = pytest.mark.serial


@pytest.fixture
def root(monkeypatch, tmp_path):
    """Keep the cache in the temporary folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache._safe_directory.cache_clear()
    yield tmp_path / "fokkerplanck"
    cache._safe_directory.cache_clear()


def test_folder_is_this_users_alone(root):
    assert cache.cache_directory() == root
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def writable_by_others(root):
    root.mkdir()
    root.chmod(0o777)


def a_link(root):
    (root.parent / "elsewhere").mkdir()
    root.symlink_to(root.parent / "elsewhere")


def a_file(root):
    root.write_text("")


def below_a_file(root):
    root.parent.rmdir()
    root.parent.write_text("")


@pytest.mark.parametrize("prepare", [writable_by_others, a_link, a_file, below_a_file])
def test_folder_that_cannot_be_trusted_is_replaced_with_one_note(root, prepare, caplog):
    prepare(root)
    with caplog.at_level(logging.WARNING):
        first, second = cache.cache_directory(), cache.cache_directory()
    assert first == second != root
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    (record,) = caplog.records
    assert "kept for this run only: cache folder" in record.getMessage()


@pytest.mark.parametrize("content", ["", "other", "0" * 64 + "\n{}"])
def test_text_that_is_not_what_was_written_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    cache.remember(path, "{}")
    assert cache.recall(path) == "{}"
    path.write_text(content)
    with pytest.raises(ValueError, match="digest"):
        cache.recall(path)
    cache.remember(path, "[]")
    assert cache.recall(path) == "[]"


def cut(folder):
    (folder / "a.py").write_text("x")


def missing(folder):
    (folder / "a.py").unlink()


def foreign(folder):
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("")


def link(folder):
    (folder / "a.py").rename(folder.parent / "a.py")
    (folder / "a.py").symlink_to(folder.parent / "a.py")


@pytest.mark.parametrize("disturb", [cut, missing, foreign, link])
def test_disturbed_folder_is_not_sealed_and_can_be_made_again(tmp_path, disturb):
    folder = tmp_path / "kernel"
    with cache.locked(folder, exclusive=True):
        (folder / "a.py").write_text("x = 1")
        cache.seal(folder)
        assert cache.is_sealed(folder)
        disturb(folder)
        assert not cache.is_sealed(folder)
        cache.clear(folder)
        assert [path.name for path in folder.iterdir()] == [".lock"]
        (folder / "a.py").write_text("x = 1")
        cache.seal(folder)
        assert cache.is_sealed(folder)


KERNEL = """
from fokkerplanck.model import Network
from fokkerplanck.risk.codegen.library import kernel
kernel(Network(("theta[0]*x[0]",)), "resnet_value", 64)
"""


def test_kernel_with_a_cut_or_planted_file_is_made_again(root):
    def load() -> None:
        done = subprocess.run([sys.executable, "-c", KERNEL], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")

    load()
    (folder,) = root.glob("resnet_value_*")
    assert cache.is_sealed(folder)
    for path in [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]:
        path.write_bytes(path.read_bytes()[:50])
    (folder / f"{folder.name}.py").write_text("raise SystemExit('planted')")
    load()
    assert cache.is_sealed(folder)

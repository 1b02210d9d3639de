import pytest

from fokkerplanck.runtime.files import replacing

pytestmark = pytest.mark.serial


def test_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as file:
            file.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]

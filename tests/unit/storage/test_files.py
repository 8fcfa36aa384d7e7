"""What cannot be written says so, whatever is in the way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edged.errors import StoreError
from edged.storage.files import create_private_file, private_output, replace_private_file


def output(path: Path) -> None:
    with private_output(path) as file:
        file.write("x")


WRITERS: dict[str, Callable[[Path], object]] = {
    "create": create_private_file,
    "replace": lambda path: replace_private_file(path, b"x"),
    "output": output,
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_file_in_place_of_the_folder_is_told_of(write: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(StoreError, match=r"file/x: cannot be (created|written): Not a directory"):
        write(tmp_path / "file/x")
    with pytest.raises(StoreError, match="No such file or directory"):
        write(tmp_path / "nowhere/x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

from pathlib import Path

import pytest

from edged.collecting.links import open_link
from edged.errors import ConfigError, StoreError
from edged.storage import connections


@pytest.mark.parametrize("url", ["mysql://x", "events.db", "sqlite:", "sqlite://relative", ""])
def test_another_url_is_the_operators_mistake(url: str) -> None:
    with pytest.raises(ConfigError):
        open_link(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@127.0.0.1:1/events", "postgresql://me:sec%ret@127.0.0.1:1/events",
        "postgresql://me@127.0.0.1:1/events?password=secret", "postgresql://me:a/secret@127.0.0.1:1/events",
    ],
)  # fmt: skip
def test_no_password_is_shown(url: str) -> None:
    with pytest.raises((ConfigError, StoreError)) as caught:
        open_link(url)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize("form", ["sqlite:{}", "sqlite://{}"])
def test_a_file_is_made_once_and_found_again(tmp_path: Path, form: str) -> None:
    path = tmp_path / "events.db"
    for _ in range(2):
        open_link(form.format(path)).close()
    open_link(form.format(path), writable=False).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        open_link(f"sqlite:{tmp_path / 'none.db'}", writable=False)
    assert not (tmp_path / "none.db").exists()


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.touch()
    connection = connections.open_writer(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StoreError, match="something else"):
        open_link(f"sqlite:{path}")


def test_a_database_of_a_newer_edged_is_refused(tmp_path: Path) -> None:
    link = open_link(f"sqlite:{tmp_path / 'events.db'}")
    link.execute("PRAGMA user_version = 99")
    link.close()
    with pytest.raises(StoreError, match="newer"):
        open_link(f"sqlite:{tmp_path / 'events.db'}")

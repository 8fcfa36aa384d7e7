"""Addresses of network cameras, and what of them may be shown."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.config.sections import UrlSource
from edged.devices.camera_url import UrlCamera, origin, with_credentials
from edged.errors import CameraError

TEXT = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=30)


@given(TEXT, TEXT)
def test_credentials_come_out_as_they_went_in(username: str, password: str) -> None:
    url = urlsplit(with_credentials("rtsp://cam.example:8554/a/b?c=d", username, password))
    assert unquote(url.username or "") == username
    assert unquote(url.password or "") == password
    assert (url.hostname, url.port, url.path, url.query) == ("cam.example", 8554, "/a/b", "c=d")


def test_credentials_of_the_url_are_replaced() -> None:
    assert with_credentials("rtsp://old:word@[::1]:554/x", "new", "p@ss") == "rtsp://new:p%40ss@[::1]:554/x"


def test_nothing_but_scheme_host_and_port_is_shown() -> None:
    assert origin("rtsp://admin:s3cret@cam:554/user=admin_password=s3cret?pw=s3cret") == "rtsp://cam:554"


def test_a_missing_password_file_fails_the_opening_without_its_path(tmp_path: Path) -> None:
    source = UrlSource(url="http://127.0.0.1:9/x", username="u", password_file=tmp_path / "absent")
    with pytest.raises(CameraError, match=r"password_file of http://127.0.0.1:9 cannot be read"):
        UrlCamera(source).open()


def test_a_camera_that_is_not_open_gives_nothing() -> None:
    camera = UrlCamera(UrlSource(url="http://127.0.0.1:9/x"))
    camera.close()
    with pytest.raises(CameraError, match="not open"):
        camera.read()

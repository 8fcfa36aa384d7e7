"""Photographs over HTTP from a server that behaves well or badly."""

import socket
from collections.abc import Iterator

import pytest

from edged.enrolment.fetching import Fetcher
from edged.errors import EnrolmentError
from tests.fakes.file_server import Answer, FileServer, Request, cut, dripping, file, redirect, status

PICTURE = bytes(range(256)) * 40


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with Fetcher(max_bytes=20_000, total_seconds=60) as opened:
        yield opened


def page(kind: str) -> Answer:
    def answer(request: Request) -> None:
        request.start(200, Content_Type=kind)
        request.send(b"<html>sign in</html>")

    return answer


def refusal(fetcher: Fetcher, url: str) -> EnrolmentError:
    with pytest.raises(EnrolmentError) as caught:
        fetcher.get(url)
    return caught.value


def test_a_picture_arrives_whole_by_way_of_redirects(server: FileServer, fetcher: Fetcher) -> None:
    server.routes = {"/a": redirect("/b"), "/b": redirect(f"{server.url}/c?x=1"), "/c?x=1": file(PICTURE)}
    assert fetcher.get(f"{server.url}/a") == PICTURE
    assert fetcher.get(f"{server.url}/a") == PICTURE


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json"])
def test_a_share_page_is_unreadable_and_its_type_is_told(
    server: FileServer, fetcher: Fetcher, kind: str
) -> None:
    server.routes["/share"] = page(kind)
    refused = refusal(fetcher, f"{server.url}/share")
    assert refused.reason == "unreadable"
    assert kind.partition(";")[0] in str(refused)


def test_what_is_too_large_is_not_read_to_its_end(server: FileServer, fetcher: Fetcher) -> None:
    server.routes["/large"] = file(bytes(8_000_000))
    assert refusal(fetcher, f"{server.url}/large").reason == "too_large"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(404), "answered 404"),
        (status(500), "answered 500"),
        (cut(PICTURE, 100), "connection broke"),
        (redirect("/bad"), "more than 5 redirects"),
        (redirect("file:///etc/hostname"), "http or https"),
        (redirect("http://[broken/"), "ValueError"),
    ],
)
def test_a_broken_link_has_its_cause(server: FileServer, fetcher: Fetcher, answer: Answer, said: str) -> None:
    server.routes = {"/bad": answer, "/bad?key=secret": answer}
    refused = refusal(fetcher, f"{server.url}/bad?key=secret")
    assert refused.reason == "not_fetched"
    assert said in str(refused)
    assert "secret" not in str(refused)


def test_a_server_that_drips_is_given_up(server: FileServer) -> None:
    server.routes["/slow"] = dripping(PICTURE, 0.05)
    with Fetcher(max_bytes=20_000, total_seconds=0.3) as hasty:
        refused = refusal(hasty, f"{server.url}/slow")
    assert refused.reason == "not_fetched"
    assert "not complete after 0.3 s" in str(refused)


def test_a_server_that_is_not_there_is_told(fetcher: Fetcher) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        refused = refusal(fetcher, f"http://127.0.0.1:{reserved.getsockname()[1]}/a.jpg")
    assert refused.reason == "not_fetched"
    assert "cannot be reached" in str(refused)


@pytest.mark.parametrize("url", ["ftp://host/a.jpg", "http://", "http://a..b/x.jpg", "http://host:port/"])
def test_what_is_no_address_is_told(fetcher: Fetcher, url: str) -> None:
    assert refusal(fetcher, url).reason == "not_fetched"

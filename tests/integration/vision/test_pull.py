"""Pulling packs from real HTTP servers that behave and misbehave."""

import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edged.errors import DownloadError, ModelError
from edged.vision.download import Patience, fetch
from edged.vision.installation import Installed, Installer, terms
from edged.vision.packs import Catalogue, ModelFile
from tests.fakes import file_server
from tests.fakes.file_server import Answer, FileServer
from tests.fakes.model_packs import descriptor, flattening_model, write_pack

DATA = flattening_model(note="x" * 300_000)
INT8 = flattening_model(note="int8")
# For what is never to end by itself; everything else may take its time on a busy machine.
SHORT = Patience(connect_seconds=10, read_seconds=0.3, window_seconds=0.5, min_bytes=1000)
LONG = Patience(connect_seconds=60, read_seconds=60, window_seconds=60, min_bytes=1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FileServer() as running:
        yield running


class Ground:
    """A models directory whose one pack, ``toy``, is on a mirror."""

    def __init__(self, root: Path, mirror: str) -> None:
        self.root, self.mirror = root, mirror
        self.models = root / "models"
        self.shipped = root / "shipped"
        write_pack(self.shipped, descriptor("toy", {"float32": DATA}, url="https://example.org"))
        self.catalogue = Catalogue(self.models, self.shipped)

    def pull(self, name: str = "toy", *, patience: Patience = LONG, **options: object) -> Installed:
        installer = Installer(self.catalogue, patience=patience)
        return installer.pull(name, **({"source": self.mirror} | options))  # type: ignore[arg-type]

    def parts(self) -> list[Path]:
        return sorted(self.models.glob(".pull/*"))

    def installed(self) -> bytes | None:
        path = self.models / "toy" / "float32.onnx"
        return path.read_bytes() if path.exists() else None

    def refuse(self, told: str, **options: object) -> None:
        with pytest.raises(ModelError, match=told):
            self.pull(**options)  # type: ignore[arg-type]
        assert not (self.models / "toy").exists()


@pytest.fixture
def ground(tmp_path: Path, server: FileServer) -> Ground:
    return Ground(tmp_path, server.url)


PATH = "/toy/float32.onnx"


def test_the_right_file_is_installed(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.file(DATA)
    assert ground.pull().added == ("float32",)
    assert ground.installed() == DATA
    assert ground.parts() == []


def test_what_is_installed_is_not_fetched_again(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.file(DATA)
    ground.pull()
    sent = server.sent_bytes
    assert ground.pull().added == ()
    assert server.sent_bytes == sent


def test_a_file_that_rotted_on_disk_is_fetched_again(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.file(DATA)
    ground.pull()
    (ground.models / "toy" / "float32.onnx").write_bytes(b"rot")
    assert ground.pull().added == ("float32",)
    assert ground.installed() == DATA


def test_a_flat_mirror_is_a_mirror_too(ground: Ground, server: FileServer) -> None:
    server.routes["/float32.onnx"] = file_server.file(DATA)
    ground.pull()
    assert ground.installed() == DATA
    assert [path for path, _ in server.asked] == [PATH, "/float32.onnx"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (file_server.whole(DATA.replace(b"tiny", b"tinY")), "sent another file"),
        (file_server.unmeasured(b"<html>a portal's page</html>"), "ended early"),
        (file_server.whole(b"<html>a portal's page</html>"), "offers 28 bytes, expected"),
        (file_server.whole(DATA + b"more"), "offers"),
        (file_server.unmeasured(DATA + b"more"), "sends more than"),
        (file_server.cut(DATA, 1000), "ended early after 1000 of"),
        (file_server.status(404), "HTTP 404"),
        (file_server.status(500), "HTTP 500"),
        (file_server.status(204), "HTTP 204"),
        (file_server.redirect(PATH), "more than 5 redirects"),
        (file_server.redirect("ftp://127.0.0.1/x"), "expected http or https"),
        (file_server.redirect("file:///etc/passwd"), "expected http or https"),
        (file_server.redirect("http://[no"), "no address"),
        (file_server.chunked([b"x", None]), "ended early"),
        (file_server.compressed(DATA), "offers|another file"),
    ],
)
def test_a_bad_answer_installs_nothing(ground: Ground, server: FileServer, answer: Answer, told: str) -> None:
    server.routes[PATH] = answer
    ground.refuse(told)


def test_an_oversized_body_is_not_read_to_its_end(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.unmeasured(DATA + bytes(50_000_000))
    ground.refuse("sends more than")
    assert ground.parts() == []


def test_a_wrong_file_is_not_kept(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.whole(DATA.replace(b"tiny", b"tinY"))
    ground.refuse("sent another file")
    assert ground.parts() == []


def test_a_file_in_chunks_is_installed(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.chunked([DATA[:7], DATA[7:100_000], DATA[100_000:]])
    ground.pull()
    assert ground.installed() == DATA


def test_a_redirect_is_followed(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.redirect("/there")
    server.routes["/there"] = file_server.redirect(f"{server.url}/here", 307)
    server.routes["/here"] = file_server.file(DATA)
    ground.pull()
    assert ground.installed() == DATA


def test_a_broken_transfer_goes_on_where_it_ended(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.cut(DATA, 200_000)
    ground.refuse("the same command continues")
    (part,) = ground.parts()
    assert part.read_bytes() == DATA[:200_000]
    server.routes[PATH] = file_server.file(DATA)
    ground.pull()
    assert ground.installed() == DATA
    assert server.asked[-1] == (PATH, "bytes=200000-")
    assert server.sent_bytes == len(DATA)


def test_a_server_without_ranges_starts_again(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.cut(DATA, 1000)
    ground.refuse("ended early")
    server.routes[PATH] = file_server.whole(DATA)
    ground.pull()
    assert ground.installed() == DATA


def test_a_refused_range_starts_again(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.cut(DATA, 1000)
    ground.refuse("ended early")

    def answer(request: file_server.Request) -> None:
        (file_server.status(416) if request.offset else file_server.whole(DATA))(request)

    server.routes[PATH] = answer
    ground.pull()
    assert ground.installed() == DATA


def test_another_range_than_asked_for_is_refused(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.cut(DATA, 1000)
    ground.refuse("ended early")

    def answer(request: file_server.Request) -> None:
        request.start(206, Content_Length=len(DATA), Content_Range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}")
        request.send(DATA)

    server.routes[PATH] = answer
    ground.refuse("another range")


@pytest.mark.parametrize("spoilt", [b"?" * 1000, b"?" * len(DATA), DATA + b"?"])
def test_a_spoilt_part_file_is_replaced(ground: Ground, server: FileServer, spoilt: bytes) -> None:
    part = ground.models / ".pull" / f"{_pin(ground).sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(spoilt)
    server.routes[PATH] = file_server.file(DATA)
    ground.pull()
    assert ground.installed() == DATA


def test_a_complete_part_file_needs_no_server(ground: Ground, server: FileServer) -> None:
    part = ground.models / ".pull" / f"{_pin(ground).sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA)
    ground.pull()
    assert ground.installed() == DATA
    assert server.asked == []


def _pin(ground: Ground) -> ModelFile:
    return ground.catalogue.find("toy").model("embedder").files["float32"]


def test_a_stalling_server_is_given_up_and_the_part_kept(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.stalling(DATA, 5000)
    ground.refuse("no answer in time after 5000 of", patience=SHORT)
    assert [part.read_bytes() for part in ground.parts()] == [DATA[:5000]]


def test_a_dripping_server_is_given_up(ground: Ground, server: FileServer) -> None:
    server.routes[PATH] = file_server.dripping(DATA, 0.02)
    ground.refuse("too slow", patience=replace(SHORT, read_seconds=60))


def test_a_server_that_is_not_there_is_told_so(ground: Ground) -> None:
    ground.refuse("refused", source="http://127.0.0.1:9")
    assert ground.parts() == []


def test_one_file_has_one_fetcher(ground: Ground, server: FileServer, tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(request: file_server.Request) -> None:
        entered.set()
        leave.wait(50)
        file_server.file(DATA)(request)

    server.routes[PATH] = slow

    def fetched() -> None:
        fetch([f"{server.url}{PATH}"], _pin(ground), tmp_path / "part", patience=LONG)

    thread = threading.Thread(target=fetched)
    thread.start()
    assert entered.wait(30)
    with pytest.raises(DownloadError, match="another process"):
        fetched()
    leave.set()
    thread.join()
    assert (tmp_path / "part").read_bytes() == DATA


def test_an_unwritable_directory_is_an_error_of_ours(ground: Ground, server: FileServer) -> None:
    ground.models.write_text("a file where the directory should be")
    with pytest.raises(ModelError, match="cannot write"):
        ground.pull()


def test_a_non_commercial_licence_must_be_accepted(ground: Ground, server: FileServer) -> None:
    document = descriptor("toy", {"float32": DATA}, url="https://example.org")
    write_pack(ground.shipped, document | {"commercial": False, "licence": "Research only"})
    server.routes[PATH] = file_server.file(DATA)
    ground.refuse("Research only.*--accept-license")
    assert server.asked == []
    assert "Research only" in (terms(ground.catalogue.find("toy")) or "")
    ground.pull(accept_licence=True)
    assert ground.installed() == DATA


def test_a_pack_without_an_address_names_the_way(ground: Ground) -> None:
    write_pack(ground.shipped, descriptor("toy", {"float32": DATA}))
    ground.refuse(r"no public address.*import.*float32\.onnx", source=None)


def test_a_precision_that_is_not_to_be_had_is_told(ground: Ground) -> None:
    ground.refuse("no int8 here; available: float32", precision="int8")


def test_a_second_precision_joins_the_first(ground: Ground, server: FileServer) -> None:
    write_pack(ground.shipped, descriptor("toy", {"float32": DATA, "int8": INT8}))
    server.routes = {PATH: file_server.file(DATA), "/toy/int8.onnx": file_server.file(INT8)}
    assert ground.pull(precision="float32").pack.present() == ("float32",)
    assert ground.pull(precision="all").added == ("int8",)
    assert ground.catalogue.find("toy").present() == ("float32", "int8")
    assert [path for path, _ in server.asked] == [PATH, "/toy/int8.onnx"]


def test_an_unfit_file_with_the_right_hash_is_not_installed(ground: Ground, server: FileServer) -> None:
    write_pack(ground.shipped, descriptor("toy", {"float32": b"not ONNX"}))
    server.routes[PATH] = file_server.file(b"not ONNX")
    ground.refuse("does not fit its descriptor")


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_a_folder_is_a_mirror(ground: Ground, tmp_path: Path, form: str) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "any name.onnx").write_bytes(DATA)
    ground.pull(source=form.format(tmp_path / "stick"))
    assert ground.installed() == DATA


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("file://server/share", "names another machine"),
        ("ftp://127.0.0.1", "expected a folder"),
        ("http://user:secret@127.0.0.1", "may hold no password"),
        ("http://[no", "no address"),
        ("/no/such/folder", "does not exist"),
    ],
)
def test_a_mirror_that_cannot_be_is_refused(ground: Ground, source: str, told: str) -> None:
    ground.refuse(told, source=source)


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server with a certificate that this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with FileServer(context) as running:
        yield running


def test_the_pinned_address_is_used(ground: Ground, secure: FileServer) -> None:
    write_pack(ground.shipped, descriptor("toy", {"float32": DATA}, url=secure.url))
    secure.routes["/float32.onnx"] = file_server.file(DATA)
    ground.pull(source=None)
    assert ground.installed() == DATA


def test_a_redirect_out_of_tls_is_refused(ground: Ground, server: FileServer, secure: FileServer) -> None:
    write_pack(ground.shipped, descriptor("toy", {"float32": DATA}, url=secure.url))
    secure.routes["/float32.onnx"] = file_server.redirect(f"{server.url}{PATH}")
    server.routes[PATH] = file_server.file(DATA)
    ground.refuse("redirects from https to http", source=None)
    assert server.asked == []


def test_a_certificate_of_nobody_is_refused(
    ground: Ground, secure: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    write_pack(ground.shipped, descriptor("toy", {"float32": DATA}, url=secure.url))
    ground.refuse("certificate", source=None)
    assert secure.asked == []

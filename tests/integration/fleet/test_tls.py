"""TLS to a real broker: who is believed, who is not, and what the operator is told."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edged.config.sections import MqttTlsConfig
from edged.errors import ConfigError
from tests.fakes.certificates import Authority
from tests.fakes.collector import eventually
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import Rig, mqtt_config, new_client

Start = Callable[..., Rig]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca", "office-ca")


def tls_options(authority: Authority, address: str | None = "127.0.0.1") -> list[str]:
    server = authority.issue("broker.example", address=address)
    return [
        f"cafile {authority.certificate}", f"certfile {server.certificate}", f"keyfile {server.key}",
    ]  # fmt: skip


@pytest.fixture
def mutual(tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    options = [*tls_options(authority), "require_certificate true", "use_identity_as_username true"]
    with mosquitto(tmp_path / "b", *options) as broker:
        yield broker


def trouble(rig: Rig) -> tuple[str, str]:
    eventually(lambda: rig.worker.trouble is not None)
    assert rig.worker.trouble is not None
    return rig.worker.trouble.cause, rig.worker.trouble.text


def test_a_broker_of_the_right_authority_is_believed(
    tmp_path: Path, authority: Authority, start: Start
) -> None:
    with mosquitto(tmp_path / "b", *tls_options(authority)) as broker:
        rig = start(mqtt_config(broker.port, tls=MqttTlsConfig(ca_file=authority.certificate)))
        eventually(lambda: rig.worker.connected)
        rig.outbox.add(*(event() for _ in range(50)))
        rig.worker.wake()
        eventually(lambda: rig.published("nobody") > 0)


def test_a_broker_of_another_authority_is_not(tmp_path: Path, authority: Authority, start: Start) -> None:
    other = Authority(tmp_path / "other", "other-ca")
    with mosquitto(tmp_path / "b", *tls_options(authority)) as broker:
        rig = start(mqtt_config(broker.port, tls=MqttTlsConfig(ca_file=other.certificate)))
        cause, text = trouble(rig)
        assert (cause, "not trusted" in text) == ("tls", True)


def test_a_broker_of_no_known_authority_is_not(tmp_path: Path, authority: Authority, start: Start) -> None:
    with mosquitto(tmp_path / "b", *tls_options(authority)) as broker:
        cause, _ = trouble(start(mqtt_config(broker.port, tls=MqttTlsConfig())))
        assert cause == "tls"


def test_a_certificate_for_another_host_is_refused(
    tmp_path: Path, authority: Authority, start: Start
) -> None:
    with mosquitto(tmp_path / "b", *tls_options(authority, address=None)) as broker:
        rig = start(mqtt_config(broker.port, tls=MqttTlsConfig(ca_file=authority.certificate)))
        cause, text = trouble(rig)
        assert (cause, "127.0.0.1" in text) == ("tls", True)


def test_a_device_with_its_certificate_is_let_in(
    mutual: Mosquitto, authority: Authority, start: Start
) -> None:
    device = authority.issue("door-7")
    tls = MqttTlsConfig(
        ca_file=authority.certificate, certificate_file=device.certificate, key_file=device.key
    )
    rig = start(mqtt_config(mutual.port, tls=tls))
    eventually(lambda: rig.worker.connected)


def test_a_device_without_or_with_a_foreign_certificate_is_told(
    tmp_path: Path, mutual: Mosquitto, authority: Authority, start: Start
) -> None:
    foreign = Authority(tmp_path / "foreign", "foreign-ca").issue("door-7")
    for tls in (
        MqttTlsConfig(ca_file=authority.certificate),
        MqttTlsConfig(
            ca_file=authority.certificate, certificate_file=foreign.certificate, key_file=foreign.key
        ),
    ):
        rig = start(mqtt_config(mutual.port, tls=tls))
        cause, text = trouble(rig)
        assert cause in ("tls", "mute"), text  # a reset connection hides the alert
        assert "client certificate is refused" in text
        assert not rig.worker.connected
        rig.stop()


def test_a_renewed_certificate_needs_no_restart(
    tmp_path: Path, mutual: Mosquitto, authority: Authority, start: Start
) -> None:
    device = Authority(tmp_path / "foreign", "foreign-ca").issue("door-7")
    tls = MqttTlsConfig(
        ca_file=authority.certificate, certificate_file=device.certificate, key_file=device.key
    )
    rig = start(mqtt_config(mutual.port, tls=tls))
    assert "certificate" in trouble(rig)[1]
    renewed = authority.issue("door-7")
    device.certificate.write_bytes(renewed.certificate.read_bytes())
    device.key.write_bytes(renewed.key.read_bytes())
    eventually(lambda: rig.worker.connected)


def test_a_broker_without_tls_is_not_spoken_to_in_clear(broker: Mosquitto, start: Start) -> None:
    rig = start(mqtt_config(broker.port, username="door", tls=MqttTlsConfig()))
    assert trouble(rig)[0] in ("tls", "unreachable")
    assert "edged-hq-front" not in broker.log


@pytest.mark.parametrize("what", ["ca_file", "certificate_file", "password_file"])
def test_a_file_that_cannot_be_used_is_named_before_the_start(
    tmp_path: Path, authority: Authority, what: str
) -> None:
    bad = tmp_path / "missing.pem"
    tls = {"ca_file": authority.certificate} | (
        {} if what == "password_file" else {what: bad, "key_file": bad}
    )
    extra = {"username": "door", "password_file": bad} if what == "password_file" else {}
    with pytest.raises(ConfigError, match=what):
        new_client(mqtt_config(1, tls=MqttTlsConfig(**tls), **extra))


def test_an_encrypted_key_is_refused_and_not_asked_for(tmp_path: Path, authority: Authority) -> None:
    from cryptography.hazmat.primitives import serialization

    device = authority.issue("door-7")
    key = serialization.load_pem_private_key(device.key.read_bytes(), None)
    device.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(os.urandom(8).hex().encode()),
        )
    )
    tls = MqttTlsConfig(
        ca_file=authority.certificate, certificate_file=device.certificate, key_file=device.key
    )
    with pytest.raises(ConfigError, match="certificate_file"):
        new_client(mqtt_config(1, tls=tls))

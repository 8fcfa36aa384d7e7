"""Modes, owners and groups; the key; the certificates."""

import os
from pathlib import Path

import pytest

from edged.doctor.camera import camera
from edged.doctor.certificates import certificates
from edged.doctor.disk import disk
from edged.doctor.examination import examine
from edged.doctor.finding import State
from edged.doctor.gallery_age import gallery_age
from edged.doctor.keys import keys
from edged.doctor.permissions import permissions
from edged.doctor.record import record
from edged.doctor.running import running
from edged.errors import ConfigError, StoreError
from tests.fakes.certificates import Authority
from tests.fakes.mosquitto import free_port
from tests.unit.doctor.conftest import Site, strike, with_lock

DAY = 86_400.0


def test_private_files_are_fine(site: Site) -> None:
    site.file("journal.db")
    site.file("people.db")
    assert permissions(site.patient()).state is State.OK


@pytest.mark.parametrize("name", ["journal.db", "people.db-wal", "people.db.lock"])
@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_data_that_others_read_fails(site: Site, name: str, mode: int) -> None:
    path = site.file(name, mode)
    found = permissions(site.patient())
    assert found.state is State.FAILED
    assert f"chmod 600 {path}" in found.detail


@pytest.mark.parametrize(
    ("mode", "state"), [(0o600, State.OK), (0o640, State.WARNING), (0o644, State.FAILED)]
)
def test_secrets_of_the_configuration_are_looked_at(site: Site, mode: int, state: State) -> None:
    site.file("password", mode)
    for sections in (
        {"mqtt": {"username": "t", "password_file": "password"}},
        {"mqtt": {"tls": {"certificate_file": "door.pem", "key_file": "password"}}},
        {"camera": {"source": {"type": "url", "url": "rtsp://192.0.2.1/", "password_file": "password"}}},
    ):
        assert permissions(site.patient(**sections)).state is state


def test_a_secret_that_is_missing_fails(site: Site) -> None:
    found = permissions(site.patient(mqtt={"username": "t", "password_file": "gone"}))
    assert found.state is State.FAILED
    assert "mqtt.password_file" in found.detail


def test_what_may_not_be_looked_at_is_not_called_private(site: Site) -> None:
    (site.data / "inner").mkdir()
    gallery = {"path": "inner/people.db", "key_file": "inner/vault.key"}
    patient = site.patient(journal={"path": "inner/journal.db"}, gallery=gallery)
    (site.data / "inner").chmod(0)
    chosen = {
        "permissions": permissions, "running": running, "keys": keys, "gallery age": gallery_age,
        "disk": disk, "journal": record, "camera": camera,
    }  # fmt: skip
    own = os.geteuid()
    if own == 0:  # root may look everywhere
        os.seteuid(65534)
    try:
        found = examine(patient, chosen, seconds={})
    finally:
        os.seteuid(own)
        (site.data / "inner").chmod(0o700)
    assert {name: one.state for name, one in found.items()} == dict.fromkeys(chosen, State.FAILED)
    assert "as the service's user" in found["running"].detail


def test_credentials_show_the_group_s_bits_and_are_private_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site.file("password", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(site.data))
    assert permissions(site.patient(mqtt={"username": "t", "password_file": str(path)})).state is State.OK


@pytest.mark.parametrize(
    ("mode", "state"), [(0o755, State.OK), (0o775, State.WARNING), (0o777, State.FAILED), (0o1777, State.OK)]
)
def test_nobody_else_may_replace_what_is_in_a_folder(site: Site, mode: int, state: State) -> None:
    folder = site.data / "run"
    folder.mkdir()
    folder.chmod(mode)
    door = with_lock(strike(), socket=str(folder / "door.sock"))
    assert permissions(site.patient(**door)).state is state


def test_whoever_writes_the_configuration_opens_the_door(site: Site) -> None:
    patient = site.patient()
    (site.data / "config.yaml").chmod(0o666)
    assert "everybody may change it" in permissions(patient).detail
    (site.data / "config.yaml").chmod(0o644)
    assert permissions(patient).state is State.OK


def test_the_services_accounts_need_their_groups(site: Site) -> None:
    door = with_lock(strike(), socket="door.sock")
    camera = {"source": {"type": "v4l2", "device": "/dev/video0"}}
    assert permissions(site.patient(**door, camera=camera)).state is State.OK  # a desk has no accounts
    accounts = "edged:x:998:998::/:/bin/false\nedged-door:x:997:997::/:/bin/false"
    site.kernel("etc/passwd", accounts)
    site.kernel("etc/group", "video:x:44:ada\ngpio:x:986:edged-door")
    found = permissions(site.patient(**door, camera=camera))
    assert found.detail == "edged is not in the group video: usermod -aG video edged"
    site.kernel("etc/group", "video:x:44:ada,edged\ngpio:x:986:")
    assert "usermod -aG gpio edged-door" in permissions(site.patient(**door, camera=camera)).detail
    site.kernel("etc/group", "video:x:44:edged\ngpio:x:997:")  # its own group
    assert permissions(site.patient(**door, camera=camera)).state is State.OK


def test_a_key_in_order_asks_for_its_copy(site: Site) -> None:
    assert keys(site.patient()).state is State.NOT_APPLICABLE
    site.file("vault.key", content=os.urandom(32))
    found = keys(site.patient())
    assert found.state is State.OK
    assert "copy" in found.detail


def test_a_gallery_without_its_key_is_lost(site: Site) -> None:
    site.file("people.db", content=b"x")
    assert "restore your backup" in keys(site.patient()).detail
    assert keys(site.patient()).state is State.FAILED


@pytest.mark.parametrize(("mode", "size"), [(0o640, 32), (0o600, 31), (0o600, 33), (0o600, 0)])
def test_a_key_that_others_read_or_of_another_length_is_refused(site: Site, mode: int, size: int) -> None:
    site.file("vault.key", mode, os.urandom(size))
    with pytest.raises(StoreError, match=r"vault\.key"):
        keys(site.patient())


@pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to change")
def test_a_key_that_the_gallerys_owner_cannot_read_fails(site: Site) -> None:
    key = site.file("vault.key", content=os.urandom(32))
    gallery = site.file("people.db", content=b"x")
    assert keys(site.patient()).state is State.OK
    os.chown(gallery, 65534, -1)
    found = keys(site.patient())
    assert (found.state, "chown" in found.detail) == (State.FAILED, True)
    os.chown(key, 65534, -1)
    assert keys(site.patient()).state is State.OK


def test_a_second_name_of_the_key_is_told_of(site: Site) -> None:
    key = site.file("vault.key", content=os.urandom(32))
    (site.data / "other").hardlink_to(key)
    assert keys(site.patient()).state is State.WARNING


def test_a_key_given_by_the_service_manager_is_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.file("edged-vault-key", 0o440, os.urandom(32))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(site.data))
    found = keys(site.patient())
    assert (found.state, found.facts["credential"]) == (State.OK, True)


def tls(site: Site, name: str = "front", days: float = 1) -> dict[str, object]:
    authority = Authority(site.data / "ca", f"{name}-ca", days=days)
    issued = authority.issue(name)
    return {
        "port": free_port(),  # nobody is there
        "tls": {
            "ca_file": str(authority.certificate),
            "certificate_file": str(issued.certificate),
            "key_file": str(issued.key),
        },
    }


def now_of(path: object) -> float:
    """When the certificates of a test were made: they are good from a day before it on."""
    return Path(str(path)).stat().st_mtime


def test_certificates_say_when_they_run_out(site: Site) -> None:
    assert certificates(site.patient()).state is State.NOT_APPLICABLE
    mqtt = tls(site)
    made = now_of(site.data / "ca" / "front.crt")
    soon = certificates(site.patient(now=made, mqtt=mqtt))
    assert soon.state is State.WARNING
    assert "renew it" in soon.detail
    assert certificates(site.patient(now=made - 40 * DAY, mqtt=mqtt)).state is State.FAILED  # not yet
    over = certificates(site.patient(now=made + 3 * DAY, mqtt=mqtt))
    assert over.state is State.FAILED
    assert "ran out 2 days ago" in over.detail
    fine = certificates(site.patient(now=made, mqtt=tls(site, "long", days=31)))
    assert fine.state is State.OK
    assert "good for 31 days more" in fine.detail
    system = certificates(site.patient(now=made, mqtt={"tls": {}, "port": free_port()}))
    assert system.state is State.OK


def test_an_authority_that_was_replaced_may_run_out(site: Site) -> None:
    mqtt = tls(site, days=400)
    old = Authority(site.data / "old", "old", days=2).certificate.read_bytes()
    authorities = site.data / "ca" / "front-ca.pem"
    authorities.write_bytes(old + authorities.read_bytes())
    made = now_of(authorities)
    assert certificates(site.patient(now=made + 5 * DAY, mqtt=mqtt)).state is State.OK


def test_a_key_of_another_certificate_is_found_before_the_broker_finds_it(site: Site) -> None:
    mqtt, other = tls(site), tls(site, "other")
    mqtt["tls"] = {**mqtt["tls"], "key_file": other["tls"]["key_file"]}  # type: ignore[dict-item, index]
    with pytest.raises(ConfigError, match="cannot be used"):
        certificates(site.patient(mqtt=mqtt))

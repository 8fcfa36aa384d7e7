"""A door whose fleet's files are damaged starts, lets nobody in, and has them brought again."""

import errno
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import cv2
import numpy as np
import pytest

from edged.domain.people import Person, Template
from edged.errors import StoreError
from edged.fleet.gallery_format import record_of
from edged.fleet.trust import PublisherTrust
from edged.membership.command_memory import CommandMemory, CommandMemoryFile, Lockdown
from edged.membership.update import GalleryUpdate
from edged.publishing.planning import Wanted
from edged.storage.vault import Vault
from edged.vision.pipeline import FacePipeline
from edged.workers.health import Check
from tests.fakes.mosquitto import Mosquitto, free_port, mosquitto
from tests.integration.membership.fleet import GROUP, Door, FleetFolder, door, publisher, vector, wanted
from tests.integration.membership.parts import Parts, damage, joined, parts
from tests.integration.membership.test_over_mqtt import push, until

MODELS = Path(__file__).parents[3] / "models"


def files(at: Door, part: str) -> list[Path]:
    """The files of a part of what lies on the door's disk."""
    blobs, state = at.folder / "blobs", at.store.state()
    assert state.gallery is not None
    assert state.denied is not None
    shards = [entry.sha256 for entry in at.store.manifest(state.gallery).entries]
    return {
        "the manifest": [blobs / state.gallery.sha256],
        "the keys": [blobs / state.gallery.keys],
        "the deny list": [blobs / state.denied.sha256],
        "the shards": [blobs / name for name in shards],
        "the state": [at.folder / "state"],
        "all blobs": list(blobs.iterdir()),
        "everything": [*blobs.iterdir(), at.folder / "state"],
    }[part]


PARTS = (
    "the manifest", "the keys", "the deny list", "the shards", "the state", "all blobs", "everything",
)  # fmt: skip


# A door without a state is one that never heard anything.
@pytest.mark.parametrize(
    ("part", "how"),
    [
        (part, how)
        for part in PARTS
        for how in (damage, Path.unlink)
        if (part, how) != ("the state", Path.unlink)
    ],
)
def test_nobody_is_let_in_until_it_was_fetched_again(
    folder: FleetFolder, front: Door, part: str, how: Callable[[Path], object]
) -> None:
    folder.publish(GROUP, wanted(1, 2, 3))
    folder.deny(GROUP, ["p-00003"])
    front.attempt()
    config = joined(front)
    for path in files(front, part):
        how(path)
    with parts(config) as here:
        assert not any(here.lets_in(f"p-0000{number}") for number in (1, 2, 3))
        settled(here)
        assert not any(here.lets_in(f"p-0000{number}") for number in (1, 2, 3))
        store = here.fleet._membership.store  # type: ignore[union-attr]
        here.worker._attempt = lambda _now: front.attempt(store=store)
        here.worker._follow()
        settled(here)
        assert [here.lets_in(f"p-0000{number}") for number in (1, 2, 3)] == [True, True, False]


def settled(here: Parts) -> None:
    """Have the gallery's worker look, as it does at each poll; what it cannot read it says."""
    try:
        here.gallery._refresh()
    except StoreError as exc:
        here.gallery._failed(exc)


def test_a_sector_that_is_gone_is_damage(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    config, gone = joined(front), set((front.folder / "blobs").iterdir()) | {front.folder / "state"}
    read = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path in gone and path.exists() and path.stat().st_ino in inodes:
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    inodes = {path.stat().st_ino for path in gone}
    held = [path.open("rb") for path in gone]  # or the number goes to the file that takes its place
    monkeypatch.setattr(Path, "read_bytes", failing)
    with parts(config) as here:
        assert not here.lets_in("p-00001")
        store = here.fleet._membership.store  # type: ignore[union-attr]
        here.worker._attempt = lambda _now: front.attempt(store=store)
        here.worker._follow()
        settled(here)
        assert here.lets_in("p-00001")
    for file in held:
        file.close()


def test_hours_that_cannot_be_read_for_a_moment_let_nobody_in_for_that_moment(
    folder: FleetFolder, front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    with parts(joined(front)) as here:
        changes: list[object] = []
        here.gallery.on_change = changes.append
        store = here.fleet._membership.store  # type: ignore[union-attr]
        with monkeypatch.context() as broken:
            broken.setattr(store, "access", full)
            assert not here.lets_in("p-00001")
        assert here.fleet.check() == Check(ok=False, detail="the fleet's hours are not known")
        settled(here)
        assert len(changes) == 1  # so that the settings are asked for again
        assert here.lets_in("p-00001")
        assert here.fleet.check() == Check(ok=True, detail=f"group {GROUP}")
        settled(here)
        assert len(changes) == 1


def full(*_: object) -> None:
    raise StoreError("cannot be read")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


def test_a_daemon_with_nothing_but_damage_starts_and_heals(tmp_path: Path, broker: Mosquitto) -> None:
    (tmp_path / "front" / "scene").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "front/scene/0.jpg"), np.full((240, 320, 3), 128, np.uint8))
    folder, port = publisher(tmp_path / "fleet"), free_port()
    front = door(tmp_path / "front", "front", folder)
    more = (
        f"models: {{directory: {MODELS}}}\nhttp: {{port: {port}}}\njournal: {{path: journal.db}}\n"
        "second_factor: {socket_path: pin.sock}\n"
    )
    config = joined(front, broker.port, more)
    pipeline = FacePipeline.load(config.models, config.quality)
    folder.publish(GROUP, one(pipeline.space, pipeline.dimension))
    trust = PublisherTrust(front.folder / "tuf", front.root, front.source, GROUP)
    update = GalleryUpdate(
        front.store, trust, front.source, space=pipeline.space, dimension=pipeline.dimension,
        too_close=lambda _people: 0.9, now=lambda: datetime.now(UTC),
    )  # fmt: skip
    assert update.attempt(front.not_before).applied
    for path in [*(front.folder / "blobs").iterdir(), front.folder / "state"]:
        damage(path)
    lockdown = CommandMemory(lockdown=Lockdown(since=1.0, key="alarm", reason="a drill"))
    CommandMemoryFile(front.folder / "commands", Vault.open(config.gallery.key_file)).write(lockdown)
    program = [sys.executable, "-m", "edged", "run", "--config", str(front.folder / "config.yaml")]
    with subprocess.Popen(
        program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ
    ) as daemon:
        try:
            until(lambda: check_of(port, "gallery") is not None or daemon.poll() is not None, 60)
            assert daemon.poll() is None
            assert check_of(port, "gallery") == (
                False,
                "0 people, generation 0; changes since cannot be read",
            )
            assert check_of(port, "lockdown") == (False, "locked down by a command")
            push(folder, broker)
            until(lambda: (check_of(port, "gallery") or (False, ""))[0], 60)
        finally:
            daemon.send_signal(signal.SIGTERM)
            said = (daemon.stderr or sys.stdin).read()
        assert daemon.wait(30) == 0, said


def one(space: str, dimension: int) -> Wanted:
    """A gallery of one person."""
    face = Template("1", "p-00001", space, vector(1, dimension), 0.8, b"")
    return Wanted([record_of(Person("p-00001", "Somebody"), [face])], space, dimension)


def check_of(port: int, name: str) -> tuple[bool, str] | None:
    """What the daemon says of a part of it; None where it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            report: Any = json.load(answer)
    except HTTPError as exc:
        report = json.load(exc)
    except URLError:
        return None
    check = report["checks"][name]
    return check["ok"], check["detail"]

"""A whole daemon on a disk that is full or damages files: what it decides, what it keeps, how it recovers."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from edged.app import Daemon, Listeners
from edged.config import Config, load
from edged.domain.types import Decision, EventKind, Outcome, Reason, StoredEvent
from edged.storage.journal_reader import JournalReader
from edged.storage.people import NewTemplate, PeopleStore
from edged.storage.vault import Vault
from edged.workers.door import DoorChange
from edged.workers.effects import Told
from tests.fakes.doorway import until
from tests.integration.storage.test_crashes import tiny_disk
from tests.integration.storage.test_disk_full import small_ballast
from tests.integration.workers import test_every_worker as whole
from tests.unit.workers.test_effects import GRANT

__all__ = ["small_ballast", "tiny_disk"]
pipeline, loaded = whole.pipeline, whole._loaded


@dataclass
class Play:
    """One run of a daemon before whose camera nobody comes: a story decides in the place of recognition."""

    config: Config
    told: list[tuple[Decision, str]] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    recoveries: float = 0.0

    def run(self, story: Callable[[Daemon], None]) -> int:
        errors: list[BaseException] = []

        def play() -> None:
            try:
                until(lambda: daemon.door.alive and daemon.door.refusal(time.monotonic()) is None)
                story(daemon)
            except BaseException as exc:  # noqa: BLE001 - raised again in the test's thread
                errors.append(exc)
            daemon.supervisor.request_stop()

        listeners = Listeners(
            on_ready=lambda _daemon: threading.Thread(target=play).start(),
            on_told=self._told,
            on_door=self._door,
        )
        daemon = Daemon(self.config, listeners=listeners)
        self.recoveries = daemon.metrics.registry.get_sample_value("edged_storage_recoveries_total") or 0.0
        status = daemon.run()
        if errors:
            raise errors[0]
        return status

    def _told(self, told: Told, _state: object) -> None:
        self.told.append((told.decision, told.event_id))

    def _door(self, change: DoorChange) -> None:
        if change.state == "unlocked":
            self.opened.add(change.event_id)

    def grant(self, daemon: Daemon) -> tuple[Decision, str]:
        """Let somebody be recognised; return what came of it."""
        until(lambda: daemon.door.refusal(time.monotonic()) is None)
        now = time.monotonic()
        decision = replace(GRANT, track_id=len(self.told), first_seen_at=now, freshest_at=now)
        daemon.effects.apply(decision, daemon.gallery.current)
        return self.told[-1]

    @property
    def recorded(self) -> list[StoredEvent]:
        with JournalReader.open(self.config.journal.path) as reader:
            assert reader.verify().ok
            return list(reader.events())


def config_on(folder: Path, disk: Path, on_failure: str = "deny") -> Config:
    if not (folder / "config.yaml").exists():
        whole.config_of(folder, "{driver: fake, trace_path: lock.jsonl}")
        text = (folder / "config.yaml").read_text()
        journal = f"journal: {{path: '{disk}/journal.db', on_failure: {on_failure}, record_first_ms: 1000}}"
        text = text.replace("journal: {path: journal.db}", journal).replace(
            "mqtt: {", "mqtt: {enabled: false, "
        )
        (folder / "config.yaml").write_text(text.replace("unlock_seconds: 50", "unlock_seconds: 0.1"))
    return load(folder / "config.yaml", {})


def fill(disk: Path) -> None:
    with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.usefixtures("small_ballast", "loaded")
@pytest.mark.parametrize("on_failure", ["deny", "open"])
def test_a_full_disk_is_decided_by_the_policy_and_over_once_there_is_space(
    on_failure: str, tiny_disk: Path, tmp_path: Path
) -> None:
    play = Play(config_on(tmp_path, tiny_disk, on_failure))
    failed: list[tuple[Decision, str]] = []
    ballast = tiny_disk / "journal.db.ballast"

    def story(daemon: Daemon) -> None:
        assert play.grant(daemon)[0].outcome is Outcome.GRANT
        until(ballast.exists)
        for _ in range(100):
            fill(tiny_disk)
            before = daemon.log.unwritten
            failed[:] = [play.grant(daemon)]
            if daemon.log.unwritten > before and not ballast.exists():
                break
        assert not ballast.exists()
        assert daemon.log.trouble is not None
        assert not daemon.readiness().ok
        (tiny_disk / "filler").unlink()
        until(lambda: daemon.log.trouble is None and ballast.exists())
        assert play.grant(daemon)[0].outcome is Outcome.GRANT
        until(lambda: play.told[-1][1] in play.opened)

    assert play.run(story) == 0
    (decision, event_id), denies = failed[0], on_failure == "deny"
    assert (decision.reason is Reason.STORE_FAILED, event_id in play.opened) == (denies, not denies)
    ids = [stored.event.event_id for stored in play.recorded]
    assert [ids.count(event_id) for _, event_id in play.told] == [1] * len(play.told)
    alarms = [stored.event.body["type"] for stored in play.recorded if stored.event.kind is EventKind.ALARM]
    assert {"disk_full", "disk_space_back"} <= set(alarms)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("damage", ["page", "half", "head"])
def test_a_journal_that_was_damaged_meanwhile_keeps_nobody_outside(damage: str, tmp_path: Path) -> None:
    config = config_on(tmp_path, tmp_path)
    first, second = Play(config), Play(config)

    def visits(play: Play) -> Callable[[Daemon], None]:
        def story(daemon: Daemon) -> None:
            for _ in range(3):
                assert play.grant(daemon)[0].outcome is Outcome.GRANT
            until(lambda: play.told[-1][1] in play.opened)

        return story

    assert first.run(visits(first)) == 0
    path = config.journal.path
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    if damage == "page":
        content[middle : middle + 4096] = bytes(4096)
    elif damage == "half":
        del content[middle:]
    else:
        content[:100] = bytes(100)
    path.write_bytes(content)
    assert second.run(visits(second)) == 0
    assert second.recoveries == 1
    told = [stored.event.body["type"] for stored in second.recorded if "type" in stored.event.body]
    assert told.count("storage_recovered") == 1
    ids = [stored.event.event_id for stored in second.recorded]
    assert [ids.count(event_id) for _, event_id in second.told] == [1, 1, 1]
    assert all(ids.count(event_id) <= 1 for _, event_id in first.told)


@pytest.mark.usefixtures("loaded")
def test_a_journal_that_breaks_under_the_daemon_ends_it_and_the_next_start_works(tmp_path: Path) -> None:
    config = config_on(tmp_path, tmp_path)
    first, second = Play(config), Play(config)

    def broken(daemon: Daemon) -> None:
        path = config.journal.path

        def hurt(connection: sqlite3.Connection) -> None:
            connection.close()  # and with it what it remembers of the pages
            daemon.journal._database._connection = None
            with path.open("r+b") as file:
                file.seek(4096)
                file.write(bytes(path.stat().st_size - 4096))

        assert first.grant(daemon)[0].outcome is Outcome.GRANT
        daemon.journal._database.submit(hurt, transaction=False).result()
        now = time.monotonic()
        daemon.effects.apply(
            replace(GRANT, track_id=9, first_seen_at=now, freshest_at=now), daemon.gallery.current
        )
        decision, event_id = first.told[-1]
        # Where the word of the relock met the damage first, the daemon is stopping already.
        assert decision.reason in (Reason.STORE_FAILED, Reason.DOOR_REFUSED)
        assert event_id not in first.opened
        until(lambda: not daemon.recognition.alive)

    def works(daemon: Daemon) -> None:
        assert second.grant(daemon)[0].outcome is Outcome.GRANT
        until(lambda: second.told[-1][1] in second.opened)

    assert first.run(broken) == 1
    assert second.run(works) == 0
    types = [stored.event.body.get("type") for stored in second.recorded]
    assert types.count("storage_recovered") == 1
    denied = first.told[-1][1]
    assert [stored.event.event_id for stored in second.recorded].count(denied) == 1


@pytest.mark.usefixtures("loaded")
def test_a_gallery_with_a_damaged_record_lets_nobody_in_until_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_on(tmp_path, tmp_path)
    vault = Vault.open(config.gallery.key_file)
    with PeopleStore.open(config.gallery.path, vault, writable=True) as store:
        hurt, well = store.add_person("Ada Augusta"), store.add_person("Ben")
    with sqlite3.connect(config.gallery.path) as connection:
        connection.execute("UPDATE people SET sealed = zeroblob(60) WHERE person_id = ?", (hurt.person_id,))
    connection.close()

    def story(daemon: Daemon) -> None:
        pipeline = daemon.pipeline
        assert daemon.gallery.current.threshold.cosine is None
        assert (daemon.readiness().ok, daemon.standing.armed) == (False, False)
        vector = np.eye(pipeline.dimension, dtype=np.float32)[0]
        with PeopleStore.open(config.gallery.path, vault, writable=True) as store:
            store.add_templates(well.person_id, [NewTemplate(pipeline.space, vector, 0.9, b"")])
            assert daemon.gallery.current.snapshot.people == ()
            store.forget(hurt.person_id)
        until(lambda: [one.name for one in daemon.gallery.current.snapshot.people] == ["Ben"])
        assert daemon.gallery.current.threshold.cosine is not None

    assert Play(config).run(story) == 0
    assert f"person {hurt.person_id}" in caplog.text
    assert "Ada" not in caplog.text

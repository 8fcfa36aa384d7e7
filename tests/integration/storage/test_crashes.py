"""Power gone, disk full, several processes: what was acknowledged is there."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edged.config.sections import JournalConfig
from edged.errors import StoreError, StoreFullError
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault
from tests.integration.storage.conftest import event

ROOT = Path(__file__).parents[3]


def start(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"tests.integration.storage.{module}", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    acknowledged: dict[int, str] = {}
    for life in range(10):
        process = start("appender", path, f"life-{life}")
        assert process.stdout is not None
        first = process.stdout.readline()  # it is at work
        time.sleep(0.02 * life)
        process.kill()
        lines = [first, *process.stdout.read().splitlines(keepends=True)]
        process.stdout.close()
        process.wait()
        acknowledged |= {
            int(seq): name for seq, name in (line.split() for line in lines if line.endswith("\n"))
        }
        with JournalReader.open(path) as reader:
            assert reader.verify().ok
            recorded = {stored.seq: stored.event.event_id for stored in reader.events()}
        assert acknowledged.items() <= recorded.items()
        # At most the one event whose answer was on its way is there without it, in each life.
        assert len(recorded) - len(acknowledged) <= life + 1
    assert len(acknowledged) >= 10


def test_the_lock_of_a_killed_writer_is_free(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    process = start("appender", path, "life")
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(StoreError, match=f"process {process.pid} is writing"):
        Journal.open(JournalConfig(path=path), wait_seconds=0)
    process.kill()
    process.wait()
    process.stdout.close()
    Journal.open(JournalConfig(path=path)).close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; skips where we may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small file system needs the right to mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_file_system_refuses_keeps_and_recovers(tiny_disk: Path) -> None:
    path = tiny_disk / "journal.db"
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    journal = Journal.open(JournalConfig(path=path))
    recorded: list[int] = []
    refused = 0
    for number in range(2000):
        try:
            (stored,) = journal.submit([replace(event(number), body={"note": "x" * 1000})]).result()
            recorded.append(stored.seq)
        except StoreFullError:
            refused += 1
            if refused == 5:
                break
    assert refused == 5
    assert [stored.seq for stored in journal.pending(0, 5000)] == recorded
    ballast.unlink()
    (stored,) = journal.submit([event(5000)]).result()
    assert stored.seq == recorded[-1] + 1
    journal.close()
    with JournalReader.open(path) as reader:
        assert reader.verify().ok
        assert [stored.seq for stored in reader.events()] == [*recorded, stored.seq]


def test_readers_see_whole_transactions_while_the_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.open(JournalConfig(path=path))
    done = threading.Event()
    faults: list[str] = []

    def read() -> None:
        while not done.is_set():
            with JournalReader.open(path) as reader:
                if not reader.verify().ok:
                    faults.append("chain")
                if reader.verify().rows % 2:
                    faults.append("half a transaction")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    for number in range(0, 400, 2):
        stored = journal.submit([event(number), event(number + 1)]).result()
        assert [each.seq for each in journal.pending(stored[0].seq - 1, 10)] == [each.seq for each in stored]
        journal.delivered([each.seq for each in stored])
    done.set()
    for thread in readers:
        thread.join()
    journal.close()
    assert faults == []
    assert (
        not path.with_name("journal.db-wal").exists() or path.with_name("journal.db-wal").stat().st_size == 0
    )


def test_many_threads_record_without_gaps(tmp_path: Path) -> None:
    journal = Journal.open(JournalConfig(path=tmp_path / "journal.db"))
    seqs: list[int] = []

    def work(worker: int) -> None:
        for number in range(50):
            (stored,) = journal.submit([event(worker * 1000 + number)]).result()
            seqs.append(stored.seq)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert sorted(seqs) == list(range(1, 201))


def test_commands_that_write_at_the_same_time_take_turns_under_a_polling_reader(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    vault = Vault.open(tmp_path / "vault.key", environ={})
    reader = PeopleStore.open(path, vault, writable=False)
    commands = [start("enroller", path, prefix, 5) for prefix in ("a", "b", "c")]
    generations = [0]
    while any(command.poll() is None for command in commands):
        contents = reader.contents()
        assert len(contents.people) == contents.generation
        generations.append(reader.generation())
    for command in commands:
        assert command.returncode == 0
        assert command.stdout is not None
        command.stdout.close()
    assert generations == sorted(generations)
    assert reader.generation() == 15
    assert len({person.person_id for person in reader.people()}) == 15

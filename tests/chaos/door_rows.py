"""Faults of the two processes of a door, and of what they need, each in the middle of a grant."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edged.doorway.channel import Channel, connect
from edged.doorway.messages import Hello, Unlock
from edged.errors import DoorwayError
from tests.chaos.line import Opening, unsafe_ms
from tests.chaos.plan import Plan
from tests.chaos.row import Row
from tests.chaos.stage import Stage, staged, unrecorded

# A door refuses a grant whose newest frame is older than door.max_grant_age_ms, a second unless set
# otherwise; a frame needs some 100 ms from the camera program to its time stamp.
STALE_SECONDS = 1.2
_FLOOD_A_SECOND, _FLOOD_SECONDS = 500, 8.0
# A grant is there half a second to a second after the face, and delivered with the next.
_VISIT_SECONDS = 2.5
_SLOW_TURN_SECONDS, _SLOW_SHARE = 0.1, 0.1


@dataclass
class Finding:
    """What injections of one fault had to say: times in seconds by name, and what must not have been.

    ``patience`` is what a busy machine is given beyond each bar.
    """

    patience: float = 0.0
    worst: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)

    def took(self, what: str, seconds: float, bar: float | None = None) -> None:
        """Keep the longest time; one beyond ``bar`` is a breach."""
        self.worst[what] = max(seconds, self.worst.get(what, 0.0))
        if bar is not None and seconds > bar + self.patience:
            self.breaches.append(f"{what} after {seconds:.2f} s")

    def saw(self, what: str, times: int = 1) -> None:
        """Count something."""
        self.counts[what] = self.counts.get(what, 0) + times

    def expect(self, *, holds: bool, breach: str) -> None:
        """Note a breach unless it holds."""
        if not holds:
            self.breaches.append(breach)

    @property
    def text(self) -> str:
        """All of it in a line."""
        times = [f"{what} ≤ {1000 * seconds:.0f} ms" for what, seconds in self.worst.items()]
        return ", ".join([*(f"{count} {what}" for what, count in self.counts.items()), *times])


@dataclass(frozen=True)
class Fault:
    """``inject`` makes it once; ``full`` is how often in twenty minutes."""

    name: str
    full: int
    expected: str
    inject: Callable[[Stage, random.Random, Finding], None]


def _kill_daemon(stage: Stage, chance: random.Random, found: Finding) -> None:
    stage.grant()
    stage.within_pulse(chance, 0.6)
    killed_at = stage.daemon.send(signal.SIGKILL)
    stage.until_shut()
    found.took("secure", _ended(stage) - killed_at, 0.2)
    stage.away(0.1)
    stage.daemon.wait_ready()
    found.took("back", time.monotonic() - killed_at)


def _kill_daemon_anywhere(stage: Stage, chance: random.Random, found: Finding) -> None:
    """Kill it while it decides, records, asks the door, delivers, or has not even begun, and so once more."""
    for _ in range(2):
        stage.show(chance.choice(("face", "face", "stranger")))
        time.sleep(chance.uniform(0.0, _VISIT_SECONDS))
        stage.daemon.send(signal.SIGKILL)
        found.saw("kills")
    stage.away(0.1)
    stage.until_shut()
    stage.daemon.wait_ready()


def _kill_keeper(stage: Stage, chance: random.Random, found: Finding) -> None:
    stage.grant()
    stage.within_pulse(chance, 0.95)
    secured = _secured_by_guards(stage)
    killed_at = stage.keeper.send(signal.SIGKILL)
    stage.show("empty")
    stage.until_shut()
    found.took("secure", _ended(stage) - killed_at, 0.2)
    stage.until(lambda: _secured_by_guards(stage) > secured, "the guard says that it did")
    stage.away()
    stage.keeper.wait_ready()


def _secured_by_guards(stage: Stage) -> int:
    return stage.keeper.log.count("line secured by its guard")


def _kill_all(stage: Stage, chance: random.Random, found: Finding) -> None:
    """Kill daemon, door process and its guard: nothing of ours is left, and ExecStopPost has to do it.

    Early in the pulse: what is left of it is all the time that a service manager has.
    """
    stage.grant()
    stage.within_pulse(chance, 0.3)
    process = stage.keeper.process
    if process is None:
        raise RuntimeError("there is no door process")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    killed_at = stage.keeper.send(signal.SIGKILL)
    stage.daemon.send(signal.SIGKILL)
    found.saw("guards killed", len(children))
    stage.until_shut()
    found.took("secure", _ended(stage) - killed_at, 3.0)
    stage.away(0.1)
    stage.keeper.wait_ready()
    stage.daemon.wait_ready()


def _freeze_daemon(stage: Stage, chance: random.Random, found: Finding) -> None:
    stage.grant()
    stage.within_pulse(chance, 0.6)
    stopped_at = stage.daemon.send(signal.SIGSTOP)
    stage.until_shut()
    found.took("secure", _ended(stage) - stopped_at)
    if chance.random() < 0.2:  # until the watchdog bites
        barked = stage.daemon.barked
        stage.until(lambda: stage.daemon.barked > barked, "the watchdog bites", 40)
        found.took("watchdog", time.monotonic() - stopped_at, 25.0)
        found.saw("ended by the watchdog")
        stage.until(lambda: not stage.daemon.ready.is_set(), "it ends")
    else:
        time.sleep(chance.uniform(0.0, 4.0))
        stage.daemon.send(signal.SIGCONT)
    stage.away()
    stage.daemon.wait_ready()


def _freeze_keeper(stage: Stage, chance: random.Random, found: Finding) -> None:
    stage.grant()
    stage.within_pulse(chance, 0.6)
    ended = len(stage.keeper.exits)
    stopped_at = stage.keeper.send(signal.SIGSTOP)
    stage.until(lambda: len(stage.keeper.exits) > ended, "somebody ends a door process that hangs", 40)
    stage.until_shut()
    found.took("secure", _ended(stage) - stopped_at)
    stage.away()
    stage.keeper.wait_ready()


def _flood(stage: Stage, chance: random.Random, found: Finding) -> None:
    del chance
    alarms, since = stage.alarms("request_flood"), time.monotonic()
    channel = Channel(connect(stage.folder / "door.sock"))
    asked = refused = 0
    try:
        channel.send(Hello(reader="flood", listens=False))
        while (now := time.monotonic()) - since < _FLOOD_SECONDS:
            while asked < (now - since) * _FLOOD_A_SECOND:
                asked += 1
                try:
                    channel.send(Unlock(request=f"flood-{now}-{asked}", cause="test", granted_at=now))
                except DoorwayError:  # it reads one message of each a turn: the queue is full
                    refused += 1
            while channel.receive() is not None:
                pass
            time.sleep(0.002)
    except DoorwayError:
        found.saw("connection ended")
    finally:
        channel.close()
    stage.until_shut()
    opened = stage.openings(since)
    found.saw("requests", asked)
    found.saw("not even heard", refused)
    found.saw("openings", len(opened))
    # As often as there is room for a whole pulse, and never twenty requests' worth in ten seconds.
    found.expect(holds=len(opened) <= 20, breach=f"{len(opened)} openings")
    stage.until(lambda: stage.alarms("request_flood") > alarms, "the alarm is recorded")
    _fresh_keeper(stage)


def _fresh_keeper(stage: Stage) -> None:
    """Start the door process anew: what the fault has spent of its share must not tell on later rows."""
    stage.keeper.send(signal.SIGKILL)
    stage.keeper.wait_ready()


def _broker_gone(stage: Stage, chance: random.Random, found: Finding) -> None:
    stage.grant()
    time.sleep(chance.uniform(0.0, 0.5))
    frozen = chance.random() < 0.5
    stage.broker.freeze() if frozen else stage.broker.stop()
    time.sleep(chance.uniform(0.5, 3.0))
    stage.away(0.3)
    found.took("opened without a broker", _open_once_more(stage))
    stage.away()
    stage.broker.thaw() if frozen else stage.broker.start()
    found.saw("silent" if frozen else "stopped")


def _open_once_more(stage: Stage) -> float:
    stage.until_shut()
    time.sleep(1.0)  # the track of before has ended
    began_at = time.monotonic()
    return stage.grant() - began_at


def _slow_daemon(stage: Stage, chance: random.Random, found: Finding) -> None:
    """Give the daemon a tenth of the time while somebody comes and goes."""
    ends_at = time.monotonic() + 8.0
    turn_at = time.monotonic()
    try:
        while (now := time.monotonic()) < ends_at:
            if now >= turn_at:
                turn_at = now + chance.uniform(0.8, 2.0)
                stage.show(chance.choice(("face", "empty")))
            stage.daemon.send(signal.SIGSTOP)
            time.sleep(_SLOW_TURN_SECONDS * (1 - _SLOW_SHARE))
            stage.daemon.send(signal.SIGCONT)
            time.sleep(_SLOW_TURN_SECONDS * _SLOW_SHARE)
    finally:
        stage.daemon.send(signal.SIGCONT)
    stage.away()
    stage.until_shut()
    found.saw("times slowed")


FAULTS = (
    Fault("kill -9 of the daemon in mid-pulse", 20, "secure ≤ 200 ms later, all recorded", _kill_daemon),
    Fault(
        "kill -9 of the daemon at any moment",
        10,
        "0 lost, none invented, all recorded",
        _kill_daemon_anywhere,
    ),
    Fault("kill -9 of the door process in mid-pulse", 25, "secure ≤ 200 ms later, restarted", _kill_keeper),
    Fault("kill -9 of both and of the guard", 8, "secure ≤ 3 s later, all recorded", _kill_all),
    Fault("daemon stopped in mid-pulse", 10, "pulse ends in time, watchdog ≤ 25 s", _freeze_daemon),
    Fault("door process stopped in mid-pulse", 6, "ended by a watchdog, line secure", _freeze_keeper),
    Fault("500 unlock requests a second", 2, "rate limit, alarm, no endless pulse", _flood),
    Fault("broker gone in mid-grant", 8, "the door works, all arrives later", _broker_gone),
    Fault("daemon ten times slower", 6, "no grant for who has left", _slow_daemon),
)


def run_fault(stage: Stage, fault: Fault, plan: Plan) -> Row:
    """Make a fault as often as planned, wait until all is told, and say what came of it."""
    before, since, found = stage.settle(), time.monotonic(), Finding(stage.patience)
    chance, injected = plan.chance(fault.name), 0
    for _ in plan.rounds(fault.name, fault.full):
        try:
            fault.inject(stage, chance, found)
        except Exception as exc:  # noqa: BLE001 - the row is broken, those after it need not be
            found.breaches.append(str(exc) if isinstance(exc, RuntimeError) else repr(exc))
            break
        finally:
            injected += 1
    after = stage.settle()
    opened = stage.openings(since)
    missing, invented, twice = unrecorded(
        opened, [one for one in stage.events() if one.event.monotonic_at >= since], stage.patience
    )
    lost = missing + max(0, after.lost - before.lost)
    stale = stale_openings(stage, opened)
    wrong = {"openings without a record": missing, "records without an opening": invented,
             "records twice": twice, "openings for nobody": stale}  # fmt: skip
    found.breaches += [f"{count} {what}" for what, count in wrong.items() if count]
    found.breaches += [each for each in after.breaches if each not in before.breaches]
    unsafe = unsafe_ms(opened, stage.pulse + stage.patience, time.monotonic())
    events = after.recorded - before.recorded
    text = ", ".join(filter(None, [f"{events} events, {len(opened)} openings", found.text]))
    breaches = (*found.breaches, *((f"open too long by {unsafe} ms",) if unsafe else ()))
    again = after.duplicated - before.duplicated
    return plan.done(Row(fault.name, injected, fault.expected, text, lost, again, unsafe, breaches))


def stale_openings(stage: Stage, opened: list[Opening]) -> int:
    """Count openings at a time when nobody had been before the camera for ``STALE_SECONDS``.

    Those that somebody asked for who is no camera are not judged here.
    """
    seen: list[tuple[float, float]] = []
    stale = STALE_SECONDS + stage.patience
    for shown in stage.shown():
        if shown.mode == "face":
            seen.append((shown.at, float("inf")))
        elif seen and seen[-1][1] == float("inf"):
            seen[-1] = (seen[-1][0], shown.at)
    told = [one.event for one in stage.events() if one.event.body.get("type") == "unlocked"]
    asked = {event.monotonic_at for event in told if event.body.get("cause") == "test"}
    return sum(
        not any(begin <= one.began_at <= end + stale for begin, end in seen)
        and not any(abs(at - one.began_at) < 0.25 + stage.patience for at in asked)
        for one in opened
    )


def _ended(stage: Stage) -> float:
    last = stage.openings()[-1].ended_at
    return time.monotonic() if last is None else last


def rows(folder: Path, plan: Plan, faults: tuple[Fault, ...] = FAULTS) -> list[Row]:
    """Run the faults that are wanted on one door, one after the other."""
    chosen = [fault for fault in faults if plan.wants(fault.name)]
    if not chosen:
        return []
    with staged(folder) as stage:
        return [run_fault(stage, fault, plan) for fault in chosen]

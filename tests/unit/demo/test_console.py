"""What a person at the desk reads."""

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from rich.console import Console

from edged.config import Config
from edged.demo.console import DemoConsole, Limits
from edged.demo.pace import Pace
from edged.demo.preparation import Options, write_config
from edged.demo.stage import Appearance, Role
from edged.demo.summary import commands, sum_up
from edged.demo.tally import Tally, Verdict
from edged.domain.challenge import Gesture, Prompt
from edged.domain.types import Decision, Outcome, Reason
from edged.metrics import Metrics
from edged.workers.door import DoorChange

GRANT = Decision(
    Outcome.GRANT, Reason.MATCHED, 1, "p-ada", 0.71, 0.55, 3, first_seen_at=10.0, freshest_at=10.2
)
DENY = Decision(Outcome.DENY, Reason.UNKNOWN, 1, None, 0.12, 0.0, 5)
LIMITS = Limits(0.42, 0.06)


class Page:
    def __init__(self) -> None:
        self._out = io.StringIO()
        self.console = DemoConsole(Console(file=self._out, soft_wrap=True))

    @property
    def text(self) -> str:
        return self._out.getvalue()


@pytest.fixture
def page() -> Page:
    return Page()


def test_a_grant_is_told_with_name_score_threshold_and_margin(page: Page) -> None:
    page.console.decided(GRANT, "Ada [Byron]", "in", LIMITS)
    for part in ("granted", "Ada [Byron]", "0.71", "0.42", "0.55", "0.06", "200 ms", "attendance: in"):
        assert part in page.text


def test_a_denial_is_told_in_plain_words(page: Page) -> None:
    page.console.decided(DENY, None, None, LIMITS)
    assert "denied" in page.text
    assert "not close enough to anybody" in page.text
    assert "score 0.12 (needs 0.42)" in page.text


def test_a_face_that_was_compared_with_nobody_has_no_score(page: Page) -> None:
    page.console.decided(replace(DENY, score=-1.0, reason=Reason.LOW_QUALITY), None, None, LIMITS)
    assert "score" not in page.text


@pytest.mark.parametrize(
    ("liveness", "words"),
    [(None, "no liveness check is in force"), (0.8, "took it for a living face (0.80)")],
)
def test_a_print_that_was_let_in_is_said_plainly(page: Page, liveness: float | None, words: str) -> None:
    page.console.fooled(liveness)
    assert "A PHOTOGRAPH FOOLED THIS DOOR" in page.text
    assert words in page.text


def test_whoever_stands_there_is_told_what_to_do(page: Page) -> None:
    page.console.asks(Prompt(Gesture.TURN_LEFT, 1, 2))
    assert "turn your head to your left (1 of 2)" in page.text
    before = page.text
    page.console.asks(None)
    assert page.text == before


def test_the_lock_is_told(page: Page) -> None:
    page.console.door(DoorChange("unlocked", 1.0, "e", "face"))
    page.console.door(DoorChange("locked", 2.5, "e", "face", held_seconds=1.5))
    page.console.door(DoorChange("refused", 2.5, "e", "face", reason="stale"))
    assert [line.split("  ")[-1].strip() for line in page.text.splitlines()] == [
        "UNLOCKED", "locked after 1.5 s", "refused: stale",
    ]  # fmt: skip


ADA = Appearance(Role.ENROLLED, "Ada", (Path("a.jpg"),))
PRINT = Appearance(Role.PRINT, "Ada", (), Path("a.jpg"))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return write_config(Options(tmp_path), broker=None, source=None)


def test_the_summary_hides_neither_mistakes_nor_a_print_that_was_let_in(page: Page, config: Config) -> None:
    tally = Tally([ADA, PRINT])
    tally.saw(1, 0)
    tally.saw(2, 1)
    tally.decided(1, Verdict(Outcome.GRANT, "matched", "Ben"))
    tally.decided(2, Verdict(Outcome.GRANT, "matched", "Ada"))
    sum_up(page.console, tally, config, Path("demo/config.yaml"), pulses=2)
    assert "0 of 1 enrolled people" in page.text
    assert "1 let in as somebody else" in page.text
    assert "Ada was let in as Ben" in page.text
    assert "THE PRINTED PHOTOGRAPH OPENED THE DOOR: no liveness check is in force" in page.text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (None, "not noticed"),
        (Verdict(Outcome.DENY, "unknown", None), "That is luck: no liveness check is in force"),
        (Verdict(Outcome.DENY, "not_live", None, 0.1), "refused by the liveness check"),
        (Verdict(Outcome.GRANT, "matched", "Ada", 0.9), "past the liveness check"),
    ],
)
def test_what_became_of_the_print(page: Page, config: Config, verdict: Verdict | None, words: str) -> None:
    tally = Tally([PRINT])
    tally.saw(1, 0)
    if verdict is not None:
        tally.decided(1, verdict)
    sum_up(page.console, tally, config, Path("config.yaml"), pulses=0)
    assert words in page.text


def test_the_commands_to_try_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/my edged/bin/edged"])
    monkeypatch.setenv("PATH", "")
    lines = commands(Path("my demo/config.yaml"))
    assert lines[0] == "'/opt/my edged/bin/edged' events tail --config 'my demo/config.yaml'"
    monkeypatch.setattr(sys, "argv", ["/somewhere/edged/__main__.py"])
    assert commands(Path("config.yaml"))[0].endswith("-m edged events tail --config config.yaml")


@pytest.mark.parametrize(
    ("pace", "told"),
    [
        (Pace(came=200, seen=180, stale=20, late=0), False),
        (Pace(came=200, seen=60, stale=120, late=0), True),
        (Pace(came=200, seen=180, stale=20, late=1), True),
    ],
)
def test_where_somebody_was_missed_by_a_machine_that_did_not_keep_up_that_is_said(
    page: Page, tmp_path: Path, pace: Pace, told: bool
) -> None:
    config = write_config(Options(tmp_path), broker=None, source=None)
    tally = Tally([ADA])
    tally.saw(1, 0)
    tally.decided(1, Verdict(Outcome.DENY, "stale", None))
    sum_up(page.console, tally, config, tmp_path / "c.yaml", pulses=0, pace=pace)
    assert ("this machine was too slow" in page.text) is told
    tally.decided(1, Verdict(Outcome.GRANT, "matched", "Ada"))
    before = page.text
    sum_up(page.console, tally, config, tmp_path / "c.yaml", pulses=1, pace=pace)
    assert "too slow" not in page.text[len(before) :]  # everybody came in: nobody was missed


def test_the_pace_is_what_the_daemon_counted() -> None:
    metrics = Metrics(CollectorRegistry())
    for kind, times in (("captured", 100), ("processed", 20), ("idle", 10), ("stale", 30), ("replaced", 40)):
        metrics.frames.labels(kind).inc(times)
    assert Pace.of(metrics) == Pace(came=100, seen=30, stale=30, late=0)
    metrics.lock_refusals.labels("stale").inc()
    metrics.decisions.labels("denied", "stale").inc()
    assert Pace.of(metrics).late == 2

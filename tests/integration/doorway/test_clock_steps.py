"""The wall clock steps by a day in the middle of a pulse."""

from pathlib import Path

import pytest

from edged.doorway.messages import Happened
from tests.fakes.doorway import EXIT, DoorProcess

DAY = 86_400
PULSE = 0.4


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_a_step_of_the_clock_changes_no_pulse(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP_FILE", str(tmp_path / "step"))
    door = DoorProcess(tmp_path, unlock_seconds=PULSE)
    door.program = [str(Path(__file__).with_name("stepping_clock.py"))]
    with door, door.reader() as reader:
        reader.ask("A")
        reader.wait(lambda: door.released)
        (tmp_path / "step").write_text(str(step))
        reader.wait(lambda: "locked" in reader.events)
        # And what comes after it is as before: grants, the button, the connection.
        reader.rest(0.3)
        reader.ask("B")
        reader.wait(lambda: reader.events.count("locked") == 2)
        door.press(EXIT)
        reader.wait(lambda: reader.events.count("locked") == 3)
    times = [at for at, _ in door.timeline][-6:]
    held = [locked - unlocked for unlocked, locked in zip(times[::2], times[1::2], strict=True)]
    # A clock that steps would make it nothing, or a day; how late a busy machine is, nobody knows. It may be
    # late to note the release too, and the pulse runs from before that.
    assert all(PULSE / 2 <= seconds < 60 * PULSE for seconds in held)
    events = reader.of(Happened)
    assert [event.request for event in events if event.what == "unlocked"] == ["A", "B", None]
    ends = [event for event in events if event.what in ("unlocked", "locked")][:2]
    assert abs(ends[1].ts - ends[0].ts - step) < DAY / 2  # it did step
    assert all(PULSE <= event.held_seconds < 60 * PULSE for event in events if event.what == "locked")

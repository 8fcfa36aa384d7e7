"""The keeper of the line: a line that does not obey, one that comes late, too many who ask, broken inputs."""

import pytest

from edged.domain.doorway import Condition
from edged.doorway.inputs import FAULT_SECONDS, SOUND_SECONDS
from edged.doorway.keeper import INBOX, OVERRUN_SECONDS
from edged.errors import LockError
from tests.unit.doorway.keeper_bench import PULSE, Bench


def test_a_grant_releases_the_line_for_its_pulse() -> None:
    bench = Bench()
    bench.grant()
    bench.run(PULSE + 0.1)
    assert (bench.line.orders, bench.told.acts) == (["unlock", "secure"], ["unlocked", "locked"])
    assert bench.told.alarms == []


def test_a_line_that_does_not_release_is_secured_told_and_the_error_goes_on() -> None:
    bench = Bench()
    bench.line.disobeys = ["unlock"]
    bench.ask()
    with pytest.raises(LockError, match="does not obey"):
        bench.keeper.turn()
    assert not bench.line.unlocked
    assert bench.line.orders == ["unlock", "secure"]
    assert not bench.keeper.door.released
    assert bench.told.alarms == ["line_failed"]
    assert [(one.request, one.result, one.reason) for one in bench.told.refusals] == [
        ("R1", "failed", "line_failed")
    ]
    assert bench.told.acts == []  # nothing is said to have been unlocked


def test_a_line_that_does_not_relock_is_secured_once_more_and_told() -> None:
    bench = Bench()
    bench.grant()
    bench.line.disobeys = ["secure"]
    bench.clock.now += PULSE
    with pytest.raises(LockError):
        bench.keeper.turn()
    assert not bench.line.unlocked
    assert bench.line.orders == ["unlock", "secure", "secure"]
    assert bench.told.alarms == ["line_failed"]


def test_a_line_that_obeys_no_more_is_told_and_tried_again_at_the_end() -> None:
    bench = Bench()
    bench.grant()
    bench.line.disobeys = ["secure", "secure"]
    bench.clock.now += PULSE
    with pytest.raises(LockError):
        bench.keeper.turn()
    assert bench.line.unlocked
    assert bench.told.alarms == ["line_failed"]
    bench.keeper.close()
    assert not bench.line.unlocked


def test_whoever_leaves_in_mid_pulse_from_a_line_that_does_not_obey_leaves_it_secure() -> None:
    bench = Bench()
    bench.grant()
    bench.line.disobeys = ["secure"]
    with pytest.raises(LockError):
        bench.keeper.drop("front")
    assert not bench.line.unlocked
    assert bench.told.alarms == ["line_failed"]


@pytest.mark.parametrize(("late", "alarms"), [(0.9, []), (1.1, ["relocked_late"])])
def test_a_pulse_that_ends_late_raises_an_alarm(late: float, alarms: list[str]) -> None:
    bench = Bench()
    bench.grant()
    bench.clock.now += PULSE + late * OVERRUN_SECONDS
    bench.keeper.turn()
    assert not bench.line.unlocked
    assert bench.told.alarms == alarms


def test_a_line_that_takes_its_time_to_relock_is_late_as_well() -> None:
    bench = Bench()
    bench.grant()
    bench.line.slow_seconds = 2 * OVERRUN_SECONDS
    bench.clock.now += PULSE
    bench.keeper.turn()
    assert bench.told.alarms == ["relocked_late"]


def test_only_so_many_grants_wait() -> None:
    bench = Bench()
    for number in range(INBOX + 2):
        bench.ask(f"R{number}")
    assert [(one.request, one.reason) for one in bench.told.refusals] == [
        (f"R{INBOX}", "queue_full"),
        (f"R{INBOX + 1}", "queue_full"),
    ]
    bench.run(0.1)
    bench.ask("later")
    assert len(bench.told.refusals) == 2


def test_a_flood_is_refused_with_one_alarm_while_it_lasts_and_another_after_a_pause() -> None:
    bench = Bench(max_requests=3)
    for _ in range(50):
        bench.ask()
        bench.run(0.1)
    assert bench.told.alarms == ["request_flood"]
    assert "rate_limited" in bench.told.reasons
    bench.run(30.0)
    for _ in range(10):
        bench.ask()
    assert bench.told.alarms == ["request_flood", "request_flood"]


@pytest.mark.parametrize("emergency", [False, True])
def test_closing_secures_the_line_and_answers_whoever_waits(emergency: bool) -> None:
    bench = Bench(emergency=emergency)
    assert bench.line.unlocked is emergency
    bench.ask("A")
    bench.keeper.turn()
    bench.ask("B")
    bench.keeper.close()
    assert not bench.line.unlocked
    assert bench.line.closed
    assert bench.told.reasons[-1] == "stopping"


def test_a_start_that_finds_an_emergency_says_why_the_line_is_released() -> None:
    bench = Bench(emergency=True)
    assert bench.line.unlocked
    assert [(one.act.value, one.reason) for one in bench.told.happenings] == [("emergency", "latched")]
    assert Bench().told.happenings == []


INPUTS = ("exit", "contact", "fire", "tamper", "reset")


def broken(name: str, *, active: bool = False) -> Bench:
    """A door one of whose inputs cannot be read any more, and last said so."""
    bench = Bench(*INPUTS)
    bench.run(0.2)
    bench.set(name, active=active)
    bench.wires.broken = {name}
    bench.run(FAULT_SECONDS + 0.2)
    return bench


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_that_cannot_be_read_is_told_once_and_the_door_goes_on_without_it(name: str) -> None:
    bench = broken(name)
    bench.run(60)
    faults = [one.reason for one in bench.told.happenings if one.act.value == "input_fault"]
    assert (faults, bench.keeper.faulty) == ([name], (name,))
    assert not bench.line.unlocked
    assert bench.told.acts == ["input_fault"]
    bench.grant()
    bench.run(PULSE + 0.1)
    assert not bench.line.unlocked
    if name != "exit":
        bench.set("exit", active=True, seconds=0.5)  # after the rest of the bolt
        assert bench.line.unlocked
    if name != "fire":
        bench.set("fire", active=True)
        assert bench.keeper.door.condition is Condition.EMERGENCY


def test_a_line_that_misses_some_samples_is_no_fault_and_no_press_is_lost() -> None:
    bench = Bench(*INPUTS)
    bench.run(0.2)
    bench.wires.broken = set(INPUTS)
    bench.run(FAULT_SECONDS / 2)
    bench.wires.broken = set()
    bench.run(0.1)
    assert bench.told.acts == []
    bench.set("exit", active=True)
    assert bench.told.acts == ["unlocked"]


def test_an_input_that_comes_and_goes_is_one_fault_until_it_has_worked_for_a_while() -> None:
    bench = broken("tamper")
    for _ in range(20):
        bench.wires.broken = set()
        bench.run(0.8 * SOUND_SECONDS)
        bench.wires.broken = {"tamper"}
        bench.run(2 * FAULT_SECONDS)
    assert bench.told.acts == ["input_fault"]
    bench.wires.broken = set()
    bench.run(SOUND_SECONDS + 1.2)
    assert bench.told.acts == ["input_fault", "input_fault_over"]
    assert bench.keeper.faulty == ()


@pytest.mark.parametrize("name", ["exit", "reset"])
def test_a_button_that_comes_back_pressed_is_no_press(name: str) -> None:
    bench = broken(name)
    bench.keeper.door = bench.keeper.door if name == "exit" else Bench(emergency=True).keeper.door
    before = bench.keeper.door
    bench.wires.levels[name] = True
    bench.wires.broken = set()
    bench.run(2.0)
    assert bench.keeper.door.released == before.released
    bench.set(name, active=False)
    bench.set(name, active=True)  # one that somebody made
    assert bench.keeper.door.released != before.released


def test_a_fire_input_that_cannot_be_read_releases_nothing_and_ends_nothing() -> None:
    quiet = broken("fire")
    assert not quiet.line.unlocked
    burning = broken("fire", active=True)
    assert burning.line.unlocked
    burning.keeper.reset()
    assert burning.line.unlocked  # fire was the last that it said
    assert burning.told.acts[-1] == "reset_refused"
    burning.wires.levels["fire"] = False
    burning.wires.broken = set()
    burning.run(1.2)
    burning.keeper.reset()
    assert not burning.line.unlocked


def test_a_fire_that_is_there_when_the_input_comes_back_releases_the_door() -> None:
    bench = broken("fire")
    bench.wires.levels["fire"] = True
    bench.wires.broken = set()
    bench.run(1.2)
    assert bench.line.unlocked
    assert bench.told.acts[-1] == "emergency"


def test_nothing_is_said_of_a_leaf_that_nobody_sees() -> None:
    bench = broken("contact")
    assert not bench.keeper.has_contact
    bench.grant()
    bench.run(PULSE + 5)
    assert "never_opened" not in bench.told.acts
    bench.wires.levels["contact"] = True
    bench.wires.broken = set()
    bench.run(SOUND_SECONDS + 2)
    assert bench.keeper.has_contact
    assert bench.keeper.door.condition is Condition.OPEN  # by whom is not known: no burglar is made of it
    assert "forced_open" not in bench.told.acts
    bench.run(40)
    assert bench.told.acts[-2:] == ["held_open_soon", "held_open"]


def test_a_leaf_that_opened_while_its_contact_could_not_be_read_is_told_as_found_open() -> None:
    bench = broken("contact")
    bench.wires.levels["contact"] = True
    bench.wires.broken = set()
    bench.run(SOUND_SECONDS + 2)
    bench.set("contact", active=False)
    said = [(one.act.value, one.reason) for one in bench.told.happenings]
    assert said == [
        ("input_fault", "contact"), ("opened", "found_open"), ("input_fault_over", "contact"), ("shut", None),
    ]  # fmt: skip


def test_a_leaf_that_stands_open_at_the_start_is_not_said_to_have_opened() -> None:
    bench = Bench(*INPUTS)
    bench.wires.levels["contact"] = True
    bench.run(0.5)
    assert bench.keeper.door.condition is Condition.OPEN
    assert bench.told.acts == []
    bench.set("contact", active=False)
    assert bench.told.acts == ["shut"]


def test_a_forced_door_stays_forced_while_its_contact_cannot_be_read_and_is_shut_when_it_says_so() -> None:
    bench = broken("contact", active=True)
    assert bench.keeper.door.condition is Condition.FORCED
    bench.wires.broken = set()
    bench.run(2)
    assert bench.keeper.door.condition is Condition.FORCED
    bench.wires.broken = {"contact"}
    bench.run(FAULT_SECONDS + 0.2)
    bench.wires.levels["contact"] = False
    bench.wires.broken = set()
    bench.run(2)
    assert bench.told.acts[-2:] == ["shut", "forced_open_over"]


def test_a_bus_that_hangs_does_not_keep_the_line_from_its_deadline() -> None:
    bench = broken("tamper")
    bench.wires.hang({"tamper"}, 1.0)
    bench.run(30)
    bench.grant()
    bench.run(PULSE + 1)
    assert bench.told.alarms == []
    assert bench.told.acts[-2:] == ["unlocked", "locked"]


def test_a_guard_that_is_gone_is_one_alarm_and_stands_among_what_does_not_work() -> None:
    bench = broken("tamper")
    bench.keeper.guard_gone()
    bench.keeper.guard_gone()
    assert bench.told.alarms == ["guard_gone"]
    assert bench.keeper.faulty == ("tamper", "guard")
    bench.grant()  # nobody is kept outside by it


@pytest.mark.parametrize("answers", [False, True])
def test_a_bus_that_hangs_takes_a_small_share_of_the_time_whatever_hangs_on_it(answers: bool) -> None:
    """Each read takes a second, and fails, or comes back with a level."""
    bench = Bench(*INPUTS)
    bench.run(0.2)
    hung = {"contact", "tamper", "reset"}
    bench.wires.hang(hung, 1.0, answers=answers)
    bench.run(90)
    assert set(bench.keeper.faulty) == hung
    bench.wires.hung_seconds, began = 0.0, bench.clock.now
    for _ in range(600 * 50):
        before = bench.wires.hung_seconds
        bench.run(0.02)
        assert (
            bench.wires.hung_seconds - before <= 1.0
        )  # a turn: readers give up one that is silent for 1.5 s
    assert bench.wires.hung_seconds <= 0.05 * (bench.clock.now - began)
    assert bench.wires.hung_seconds > 0
    bench.wires.hang(set(), 0.0)
    bench.run(22 + SOUND_SECONDS)
    assert bench.keeper.faulty == ()


def test_one_that_hangs_once_is_no_fault() -> None:
    bench = Bench(*INPUTS)
    bench.run(0.2)
    bench.wires.hang({"exit"}, 30.0, answers=True)  # a process that was stopped in between
    bench.run(0.04)
    bench.wires.hang(set(), 0.0)
    bench.run(0.2)  # and not until twenty times as long has passed
    assert bench.told.acts == []
    bench.set("exit", active=True)
    assert bench.line.unlocked


def test_a_bus_that_hangs_now_and_then_takes_a_small_share_of_the_time_too() -> None:
    bench = Bench(*INPUTS)
    bench.run(0.2)
    began = bench.clock.now
    for _ in range(2000):
        bench.wires.hang({"tamper"}, 1.0, answers=True)
        bench.run(0.04)
        bench.wires.hang(set(), 0.0)
        bench.run(0.2)
    assert bench.wires.hung_seconds > 0
    assert bench.wires.hung_seconds <= 0.1 * (bench.clock.now - began)


def test_a_bus_that_begins_to_hang_in_mid_pulse_is_read_once_until_the_line_is_secure() -> None:
    bench = Bench(*INPUTS)
    bench.run(0.2)
    bench.grant()
    bench.run(0.5)
    bench.wires.hang(set(INPUTS), 1.0)
    bench.run(PULSE - 0.6)
    assert bench.wires.hung_seconds == 1.0
    bench.run(0.2)
    assert not bench.line.unlocked
    assert bench.told.alarms == []


def test_what_hung_before_a_pulse_is_not_read_in_it_and_takes_no_sound_input_along() -> None:
    bench = broken("tamper")
    bench.wires.hang({"tamper"}, 1.0)
    bench.run(5)
    before = bench.wires.hung_seconds
    while bench.wires.hung_seconds == before:
        bench.run(0.02)
    bench.run(19)
    bench.grant()
    bench.run(PULSE - 0.5)  # its turn has come meanwhile
    bench.set("fire", active=True)
    assert bench.keeper.door.condition is Condition.EMERGENCY
    assert bench.wires.hung_seconds == before + 1.0


def test_a_press_while_a_button_that_came_back_is_gone_again_opens_nothing() -> None:
    bench = broken("exit")
    bench.wires.broken = set()
    bench.run(2.0)  # it works, and not for long enough that the fault is over
    bench.wires.broken = {"exit"}
    bench.run(3.0)
    bench.wires.levels["exit"] = True  # nobody sees who does that
    bench.wires.broken = set()
    bench.run(3.0)
    assert not bench.line.unlocked
    assert "unlocked" not in bench.told.acts


def test_a_press_that_falls_into_the_fault_itself_opens_nothing() -> None:
    bench = broken("exit")
    bench.wires.levels["exit"] = True
    bench.wires.broken = set()
    bench.run(3.0)
    assert "unlocked" not in bench.told.acts


def test_a_fire_is_heard_in_mid_pulse_though_another_input_is_broken() -> None:
    bench = broken("contact")
    bench.grant()
    bench.set("fire", active=True)
    assert bench.keeper.door.condition is Condition.EMERGENCY

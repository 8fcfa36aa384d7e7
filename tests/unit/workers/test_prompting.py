"""Who is told what is asked for, and when."""

from edged.config.sections import LivenessConfig
from edged.domain.challenge import Gesture, Prompt
from edged.workers.prompting import Prompter, prompter


class Desk:
    """Asks for whatever it is told to."""

    wants: Prompt | None = None

    def prompt(self, _now: float) -> Prompt | None:
        return self.wants


def test_each_prompt_and_its_end_are_told_once() -> None:
    told: list[Prompt | None] = []
    desk = Desk()
    one = Prompter(desk, told.append)  # type: ignore[arg-type] - a fake
    first, second = Prompt(Gesture.TURN_LEFT, 1, 2), Prompt(Gesture.LOOK_AHEAD, 2, 2)
    for wants in (None, first, first, second, None, None):
        desk.wants = wants
        one.tell(1.0)
    assert told == [first, second, None]


def test_nothing_is_asked_for_unless_it_is_configured() -> None:
    assert prompter(LivenessConfig(), print) is None
    asks = prompter(LivenessConfig(mode="required", challenge="turn", challenge_gestures=3), print)
    assert asks is not None
    assert asks.desk.prompt(0.0) is None

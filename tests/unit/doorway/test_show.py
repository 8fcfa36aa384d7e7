import pytest

from edged.domain.door import Unlocked
from edged.domain.doorway import Doorway
from edged.doorway.show import shown

OPEN = Doorway(leaf_open=True)


@pytest.mark.parametrize(
    ("door", "look", "faulty", "lit"),
    [
        (Doorway(), "idle", False, set()),
        (Doorway(), "looking", False, {"looking"}),
        (Doorway(), "denied", False, {"denied"}),
        (Doorway(), "idle", True, {"fault"}),
        (Doorway(tampered=True), "idle", False, {"fault"}),
        (Doorway(pulse=Unlocked(0, 9)), "denied", False, {"granted"}),
        (Doorway(emergency=True), "idle", False, {"granted"}),
        (OPEN, "idle", False, set()),
        (Doorway(leaf_open=True, rightful=False), "idle", False, {"buzzer"}),
        (Doorway(leaf_open=True, held=True, warned=True), "idle", False, {"buzzer"}),
    ],
)
def test_what_is_shown(door: Doorway, look: str, faulty: bool, lit: set[str]) -> None:
    assert shown(door, look, look_age=1.0, faulty=faulty, now=0.7) == lit  # type: ignore[arg-type]


def test_a_denial_and_a_warning_sound_now_and_then() -> None:
    assert shown(Doorway(), "denied", look_age=0.1, faulty=False, now=0.0) == {"denied", "buzzer"}
    warned = Doorway(leaf_open=True, warned=True)
    assert [bool(shown(warned, "idle", look_age=9, faulty=False, now=now)) for now in (0.1, 0.6, 1.1)] == [
        True, False, True,
    ]  # fmt: skip

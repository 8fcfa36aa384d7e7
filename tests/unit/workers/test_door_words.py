from typing import Any

import pytest

from edged.doorway.messages import Status
from edged.workers.door_words import DoorWords, words_of


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"condition": "locked", "released": False}, DoorWords("locked")),
        ({"condition": "granted", "released": True, "leaf": "shut"}, DoorWords("unlocked", "shut")),
        ({"condition": "open", "released": False, "leaf": "open"}, DoorWords("locked", "open")),
        ({"condition": "held", "released": False, "leaf": "open"}, DoorWords("locked", "held")),
        ({"condition": "forced", "released": False, "leaf": "open"}, DoorWords("locked", "forced")),
        (
            {"condition": "emergency", "released": True, "leaf": "open", "tampered": True},
            DoorWords("unlocked", "open", tampered=True, emergency=True),
        ),
        ({"condition": "emergency", "released": True}, DoorWords("unlocked", emergency=True)),
    ],
)
def test_what_a_status_says(status: dict[str, Any], words: DoorWords) -> None:
    assert words_of(Status(**status)) == words


def test_a_door_that_is_gone_is_neither_open_nor_shut() -> None:
    assert DoorWords("locked", "shut", tampered=True).gone() == DoorWords("unknown", "unknown", tampered=True)
    assert DoorWords("locked").gone() == DoorWords("unknown")

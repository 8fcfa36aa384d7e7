import pytest

from edged.fleet.negotiation import Negotiation


def test_auto_asks_for_mqtt_5_first() -> None:
    assert Negotiation("auto").version == "5"


def test_a_refusal_by_name_is_followed_by_3_1_1_at_once() -> None:
    talk = Negotiation("auto")
    assert talk.refused()
    assert talk.version == "3.1.1"


def test_a_broker_that_refuses_both_is_not_asked_in_a_tight_loop() -> None:
    talk = Negotiation("auto")
    talk.refused()
    assert not talk.refused()
    assert talk.version == "5"


def test_one_closed_connection_is_no_reason_to_give_mqtt_5_up() -> None:
    talk = Negotiation("auto")
    talk.mute()
    assert talk.version == "5"
    talk.mute()
    assert talk.version == "3.1.1"


def test_a_dead_network_never_gives_mqtt_5_up() -> None:
    talk = Negotiation("auto")
    for _ in range(20):
        talk.failed()
    assert talk.version == "5"


def test_a_broker_mute_to_both_is_asked_in_turns() -> None:
    talk = Negotiation("auto")
    seen = []
    for _ in range(6):
        seen.append(talk.version)
        talk.mute()
    assert seen == ["5", "5", "3.1.1", "5", "3.1.1", "5"]


def test_the_next_cycle_asks_for_mqtt_5_again_and_falls_back_sooner() -> None:
    talk = Negotiation("auto")
    talk.mute()
    talk.mute()
    talk.accepted()
    assert talk.version == "5"
    talk.mute()
    assert talk.version == "3.1.1"


def test_mqtt_5_accepted_forgets_old_silence() -> None:
    talk = Negotiation("auto")
    talk.mute()
    talk.accepted()
    talk.mute()
    assert talk.version == "5"


@pytest.mark.parametrize("setting", ["5", "3.1.1"])
def test_a_fixed_version_stays(setting: str) -> None:
    talk = Negotiation(setting)  # type: ignore[arg-type]
    for step in (talk.mute, talk.mute, talk.refused, talk.failed, talk.accepted):
        step()
        assert talk.version == setting
    assert not talk.refused()

"""When a second factor is asked for."""

from pathlib import Path

import pytest

from edged.config.factor import factor_limits, factor_rule
from edged.config.loading import parse
from edged.config.risk import stated_risk
from edged.config.sections import Config
from edged.domain.second_factor import NEVER, FactorCause
from edged.errors import ConfigError

SMALL = """\
site: hq
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: fake}}
"""


def read(text: str) -> Config:
    return parse(SMALL + text, base=Path("/etc/edged"))


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.problems


def test_nobody_is_asked_unless_it_is_enabled() -> None:
    config = read("second_factor: {ask: [always, risk]}")
    assert factor_rule(config.second_factor) == NEVER
    assert not stated_risk(config.security, config.decision, config.second_factor).second_factor


def test_what_is_asked_follows_from_the_section() -> None:
    config = read(
        "second_factor: {enabled: true, ask: [risk, liveness], liveness_band: 0.1, wait_seconds: 7}"
    )
    rule = factor_rule(config.second_factor)
    assert (rule.causes, rule.liveness_band) == ({FactorCause.RISK, FactorCause.LIVENESS}, 0.1)
    assert stated_risk(config.security, config.decision, config.second_factor).second_factor
    assert not stated_risk(config.security, config.decision).second_factor
    assert factor_limits(config.second_factor).wait_seconds == 7
    assert config.second_factor.socket_path == Path("/etc/edged/var/second-factor.sock")


def test_answers_over_mqtt_need_the_broker() -> None:
    section = "second_factor: {enabled: true, mqtt_key_file: sf.key}\n"
    assert read(section).second_factor.mqtt_key_file == Path("/etc/edged/sf.key")
    assert read("second_factor: {enabled: true}\n").second_factor.mqtt_key_file is None
    told = problems(section + "mqtt: {enabled: false}\n")
    assert told == ("second_factor.mqtt_key_file: given, but mqtt.enabled is false",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{enabled: true, waitseconds: 3}", "second_factor.waitseconds: unknown key; did you mean"),
        ("{ask: [lookalikes]}", "second_factor.ask"),
        ("{ask: []}", "second_factor.ask"),
        ("{accept: [pin, pin]}", "second_factor.accept: names one twice"),
        ("{max_wrong: 7}", "second_factor.max_wrong"),
        ("{wait_seconds: 0}", "second_factor.wait_seconds"),
        ("{liveness_band: 0.5}", "second_factor.liveness_band"),
    ],
)
def test_mistakes_are_told_with_their_path(text: str, problem: str) -> None:
    assert any(one.startswith(problem) for one in problems(f"second_factor: {text}"))

import logging

import pytest

from edged.workers.outage import Outage


def test_an_outage_is_told_once_and_its_end_with_the_duration(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outage = Outage(logging.getLogger("edged.camera"), "camera")
    outage.recovered(1.0)
    assert not outage.ongoing
    outage.failed("no device", 10.0)
    outage.failed("no device", 11.0)
    assert outage.ongoing
    outage.recovered(14.5)
    outage.recovered(15.0)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "camera failed reason='no device'"),
        ("DEBUG", "camera still failing failures=2 seconds=1.0 reason='no device'"),
        ("INFO", "camera recovered seconds=4.5 failures=2"),
    ]


def test_the_next_outage_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("edged.camera"), "camera")
    outage.failed("a", 1.0)
    outage.recovered(2.0)
    outage.failed("b", 3.0)
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == [
        "WARNING"
    ] * 2


def test_what_a_peer_said_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    Outage(logging.getLogger("edged.mqtt"), "broker").failed("x\n" * 10_000, 1.0)
    assert len(caplog.records[0].message) < 400
    assert "\n" not in caplog.records[0].message

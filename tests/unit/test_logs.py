import io
import logging
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from edged import logs
from edged.config.sections import LoggingConfig


@pytest.fixture(autouse=True)
def _root_logger_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(capture=False)


class Pipe(io.StringIO):
    """A stream that has the identity of a real file."""

    def __init__(self, fileno: int) -> None:
        super().__init__()
        self._fileno = fileno

    def fileno(self) -> int:
        return self._fileno


def journal(pipe: Pipe) -> dict[str, str]:
    status = os.fstat(pipe.fileno())
    return {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    yield Pipe(writing)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("level", "prefix"),
    [("debug", "<7>"), ("info", "<6>"), ("warning", "<4>"), ("error", "<3>"), ("critical", "<2>")],
)
def test_the_journal_gets_priorities_and_no_timestamp(pipe: Pipe, level: str, prefix: str) -> None:
    logs.configure(LoggingConfig(level="debug"), stream=pipe, environ=journal(pipe))
    getattr(logging.getLogger("edged.door"), level)("unlocked seconds=%.1f", 3)
    assert pipe.getvalue() == f"{prefix}edged.door: unlocked seconds=3.0\n"


def test_every_line_of_a_traceback_has_its_priority(pipe: Pipe) -> None:
    logs.configure(LoggingConfig(), stream=pipe, environ=journal(pipe))
    try:
        int("one\ntwo")
    except ValueError:
        logging.getLogger("edged.door").exception("failed")
    lines = pipe.getvalue().splitlines()
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)


@pytest.mark.parametrize("environ", [{}, {"JOURNAL_STREAM": "1:2"}, {"JOURNAL_STREAM": "nonsense"}])
def test_elsewhere_a_timestamp_stands_in_front(pipe: Pipe, environ: dict[str, str]) -> None:
    logs.configure(LoggingConfig(), stream=pipe, environ=environ)
    logging.getLogger("edged.door").warning("late by=%d", 3)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d WARNING edged\.door: late by=3\n",
        pipe.getvalue(),
    )


def test_a_stream_without_a_file_is_not_the_journal() -> None:
    assert not logs.under_journald(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


def test_the_level_of_the_configuration_rules_and_may_change(pipe: Pipe) -> None:
    logs.configure(LoggingConfig(level="warning"), stream=pipe, environ={})
    logger = logging.getLogger("edged.x")
    logger.info("not shown")
    logs.set_level(LoggingConfig(level="info"))
    logger.info("shown")
    assert "not shown" not in pipe.getvalue()
    assert "shown" in pipe.getvalue()


def test_configuring_twice_writes_once(pipe: Pipe) -> None:
    for _ in range(2):
        logs.configure(LoggingConfig(), stream=pipe, environ={})
    logging.getLogger("edged.x").info("once")
    assert pipe.getvalue().count("once") == 1


def test_a_broken_pipe_does_not_disturb_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(io.StringIO):
        def write(self, _text: Any) -> int:
            raise BrokenPipeError

    logs.configure(LoggingConfig(), stream=Broken(), environ={})
    logging.getLogger("edged.x").error("nobody reads this")
    assert capsys.readouterr().err == ""

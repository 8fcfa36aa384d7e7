"""Logs go to standard error, one line an event.

Under journald each line carries its priority as ``<N>`` (sd-daemon(3)) and no timestamp, since the
journal has its own; elsewhere a timestamp with its zone stands in front.
"""

import logging
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TextIO

from edged.config.sections import LoggingConfig

# syslog(3) priorities, which the journal reads from the prefix
_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


class JournalFormatter(logging.Formatter):
    """``<6>module: text``; every line of a traceback gets the prefix, or the journal would call it info."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of ``record``."""
        prefix = f"<{_PRIORITIES.get(record.levelno, 5)}>"
        return "\n".join(prefix + line for line in super().format(record).split("\n"))


class ConsoleFormatter(logging.Formatter):
    """``2026-11-22T08:59:01.250+01:00 INFO module: text``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - the library's signature
        """Return ISO 8601 with milliseconds and offset."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


def configure(
    config: LoggingConfig, *, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ
) -> None:
    """Make the root logger write to ``stream`` (default: standard error) at the level of ``config``.

    Replaces what an earlier call set up; a new level may be set at any time with ``set_level``.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JournalFormatter() if under_journald(stream, environ) else ConsoleFormatter())
    logging.basicConfig(handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a full pipe must not print tracebacks over the log
    set_level(config)


def set_level(config: LoggingConfig) -> None:
    """Let through what ``config`` asks for."""
    logging.getLogger().setLevel(config.level.upper())
    # It tells of every key that did not sign, which is the rule with two of three.
    logging.getLogger("tuf").setLevel(logging.WARNING)


def under_journald(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether ``stream`` is the pipe that systemd named in ``JOURNAL_STREAM`` (``device:inode``).

    The variable is inherited by children whose output goes elsewhere, hence the comparison.
    """
    named = environ.get("JOURNAL_STREAM", "")
    if not named:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{status.st_dev}:{status.st_ino}"

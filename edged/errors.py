"""Every exception of edged, split by who must act.

Names end in ``Error``. A message says what was got and what was expected; facts that a caller may
need are attributes, not text. Adapters wrap foreign exceptions (``raise CameraError(...) from exc``).
"""

from collections.abc import Sequence

# A person mends a few at a time; a file of nothing but mistakes must not fill the log.
_MOST_PROBLEMS = 100


class EdgedError(Exception):
    """Base of all; the command line turns it into one line and ``exit_code``."""

    exit_code = 1


class ConfigError(EdgedError, ValueError):
    """The operator must change the configuration; ``problems`` holds one ``path: text`` each.

    They may quote the file: what no terminal should be sent is spelt out, and beyond the first hundred
    problems they are only counted.
    """

    exit_code = 78  # EX_CONFIG of sysexits.h; systemd's RestartPreventExitStatus names it

    def __init__(self, problems: Sequence[str]) -> None:
        more = [f"... and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
        self.problems = tuple(map(printable, [*problems[:_MOST_PROBLEMS], *more]))
        super().__init__("\n".join(self.problems))


class ModelError(EdgedError):
    """A model pack is missing, altered or does not fit: the deployment must be mended."""


class DownloadError(ModelError, OSError):
    """A file of a pack could not be fetched; nothing was installed."""


class DeviceError(EdgedError, OSError):
    """Hardware did not do what was asked."""


class CameraError(DeviceError):
    """The camera cannot be opened or gave no frame in time."""


class LockError(DeviceError):
    """The lock line cannot be claimed or driven."""


class DoorwayError(DeviceError):
    """The door process, or a reader of it, is gone or says what nobody can understand."""


class StoreError(EdgedError, OSError):
    """A database or key file cannot be read or written."""


class StoreBusyError(StoreError):
    """Another process writes to it."""


class StoreFullError(StoreError):
    """No space is left for the write; nothing of it was kept."""


class StoreCorruptError(StoreError):
    """Stored bytes fail their own check."""


class PictureError(EdgedError, ValueError):
    """Bytes that must not be decoded; ``reason`` is ``unreadable`` or ``too_large``."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class EnrolmentError(EdgedError):
    """A person or photograph was refused; ``reason`` is a stable code such as ``no_face``."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class NotFoundError(EdgedError, LookupError):
    """The person or event that was named does not exist."""


class EvaluationError(EdgedError, ValueError):
    """Photographs or lists cannot be measured as asked."""


class FleetError(EdgedError):
    """The broker or a peer did not do its part."""


class MonitorError(EdgedError, OSError):
    """The monitoring endpoint cannot listen."""


def printable(text: str) -> str:
    """Return ``text`` with control characters, line ends and halves of surrogate pairs as escapes."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)

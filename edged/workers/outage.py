"""Logs an outage once, not once a retry."""

import logging


class Outage:
    """First failure WARNING, repeats DEBUG, recovery INFO with the duration.

    For one thread. ``now`` is the monotonic clock in seconds.
    """

    def __init__(self, logger: logging.Logger, what: str) -> None:
        self._logger = logger
        self._what = what
        self._since: float | None = None
        self._failures = 0

    @property
    def ongoing(self) -> bool:
        """Whether ``failed`` was called and ``recovered`` not yet."""
        return self._since is not None

    def failed(self, reason: object, now: float) -> None:
        """Note one more failure."""
        self._failures += 1
        if self._since is None:
            self._since = now
            self._logger.warning("%s failed reason=%r", self._what, str(reason)[:200])
        else:
            self._logger.debug(
                "%s still failing failures=%d seconds=%.1f reason=%r",
                self._what, self._failures, now - self._since, str(reason)[:200],
            )  # fmt: skip

    def recovered(self, now: float) -> None:
        """Note that it works; says something only after a failure."""
        if self._since is None:
            return
        self._logger.info(
            "%s recovered seconds=%.1f failures=%d", self._what, now - self._since, self._failures
        )
        self._since, self._failures = None, 0

"""Whether a command is fresh: its nonce was given by this door, lately, and is used now for the first time.

The counter of a key grows, so that a key that was copied shows: of two who use it one is refused.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

# Somebody types a command, a radio link repeats: half a minute is plenty, and nothing held back lives longer.
NONCE_SECONDS = 30.0
# More than a door gives in that time, five a second: whoever floods it with hellos pushes out none.
MOST_NONCES = 160


@dataclass(slots=True)
class CommandGuard:
    """For one thread. Times are monotonic seconds; ``counters`` is the highest seen by key."""

    counters: dict[str, int] = field(default_factory=dict)
    _given: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def give(self, nonce: str, now: float) -> None:
        """Remember a nonce that was given out."""
        self._given[nonce] = now
        while len(self._given) > MOST_NONCES:
            self._given.popitem(last=False)

    def spend(self, nonce: str, now: float) -> bool:
        """Take a nonce; whether it was given, lately and not yet taken. A wrong clock spends, and refuses."""
        at = self._given.pop(nonce, None)
        return at is not None and 0 <= now - at <= NONCE_SECONDS

    def is_next(self, key: str, counter: int) -> bool:
        """Whether ``counter`` is above all that were seen of the key."""
        return counter > self.counters.get(key, -1)

    def counted(self, key: str, counter: int) -> Mapping[str, int]:
        """Return the counters with this one taken; the caller keeps them before anything is done."""
        self.counters[key] = counter
        return self.counters

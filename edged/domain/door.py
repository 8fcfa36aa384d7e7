"""How long the door stays unlocked: one deadline, never a stack of them.

A grant at a locked door starts an unlocked period. A grant during the period moves its one deadline, never
past ``max_unlock_seconds`` from the period's START, so a queue of people, or a flood of requests, cannot hold
the door for ever: the period ends, the lock rests, and the next grant starts a new one.
"""

from dataclasses import dataclass

# A period that begins as the last one ends would leave the bolt no time to fall: a strike or a relay moves
# within some tens of milliseconds. Short enough that a person who comes just then does not notice.
REST_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class PulseLimits:
    """Seconds: what one grant asks for, what any unlocked period may last, the rest after it."""

    unlock_seconds: float
    max_unlock_seconds: float
    rest_seconds: float = REST_SECONDS


@dataclass(frozen=True, slots=True)
class Locked:
    """No period runs; none may begin before ``rests_until`` (monotonic seconds)."""

    rests_until: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A period from ``started_at`` that ends at ``relock_at`` (monotonic seconds)."""

    started_at: float
    relock_at: float


DoorState = Locked | Unlocked


def grant(state: DoorState, now: float, limits: PulseLimits) -> DoorState:
    """Return the state after a grant.

    At rest, and once a period is over, the door stays as it is: call ``lapse`` and grant again later.
    """
    if isinstance(state, Locked):
        if now < state.rests_until:
            return state
        return Unlocked(now, now + min(limits.unlock_seconds, limits.max_unlock_seconds))
    if is_over(state, now):
        return state
    latest = state.started_at + limits.max_unlock_seconds
    return Unlocked(state.started_at, min(max(state.relock_at, now + limits.unlock_seconds), latest))


def is_over(state: Unlocked, now: float) -> bool:
    """Whether the period has to end: at its deadline, or when the clock is behind its start and unfit."""
    return not state.started_at <= now < state.relock_at


def lapse(state: DoorState, now: float, limits: PulseLimits) -> DoorState:
    """Return the locked, resting state if the period is over, else ``state`` itself."""
    if isinstance(state, Unlocked) and is_over(state, now):
        return lock(now, limits)
    return state


def lock(now: float, limits: PulseLimits) -> Locked:
    """Return the state of a door that is locked at ``now``."""
    return Locked(rests_until=now + limits.rest_seconds)


def due_in(state: DoorState, now: float) -> float:
    """Return the seconds until the deadline of a period, or the end of the rest; 0 where neither is ahead."""
    return max(0.0, (state.relock_at if isinstance(state, Unlocked) else state.rests_until) - now)

"""Gestures on the recognition thread: what is asked for now, told to whoever can show it."""

import logging
import secrets
from collections.abc import Callable

from edged.config.sections import LivenessConfig
from edged.domain.challenge import ChallengeDesk, ChallengePolicy, Prompt

logger = logging.getLogger(__name__)


class Prompter:
    """Tells ``on_prompt`` of each change: a prompt when one is asked for, None when it is over.

    ``desk`` judges; the decision engine asks it. A lamp, a buzzer, a screen and the broker all hang on
    ``on_prompt``, which is called on the recognition thread and must not block.
    """

    def __init__(self, desk: ChallengeDesk, on_prompt: Callable[[Prompt | None], None]) -> None:
        self.desk = desk
        self._on_prompt = on_prompt
        self._told: Prompt | None = None

    def tell(self, now: float) -> None:
        """Say what is asked for at ``now`` if it is something else than before."""
        prompt = self.desk.prompt(now)
        if prompt == self._told:
            return
        self._told = prompt
        if prompt is not None:
            logger.info("asked for gesture=%s number=%d of=%d", prompt.gesture, prompt.number, prompt.of)
        self._on_prompt(prompt)


def prompter(liveness: LivenessConfig, on_prompt: Callable[[Prompt | None], None]) -> Prompter | None:
    """Return what asks for gestures, drawn from the system's entropy; None where none is asked for."""
    if liveness.challenge == "off":
        return None
    policy = ChallengePolicy(liveness.challenge_gestures, liveness.challenge_seconds)
    return Prompter(ChallengeDesk(policy, secrets.choice), on_prompt)

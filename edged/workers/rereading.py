"""Templates of a few people, read again while a face is held against them."""

import logging
from collections.abc import Sequence
from typing import Protocol

from edged.domain.people import Template
from edged.errors import StoreError

logger = logging.getLogger(__name__)


class Readable(Protocol):
    """Where templates are; ``storage.people.PeopleStore`` is the real one."""

    def templates_of(self, person_ids: Sequence[str], space: str) -> list[Template]:
        """Return the templates of some people. Raises ``StoreError``."""


class Rereading:
    """The templates of ``space`` in ``people``, and none while they cannot be read; from any thread.

    A face is then held against the least that its score may be: somebody may be refused, nobody let in.
    """

    def __init__(self, people: Readable, space: str) -> None:
        self._people = people
        self._space = space
        self._failing = False

    def __call__(self, person_ids: Sequence[str]) -> list[Template]:
        """Return the templates of some people, by id; said once until it works again where it fails."""
        try:
            found = self._people.templates_of(person_ids, self._space)
        except StoreError as exc:
            if not self._failing:
                logger.warning("templates not read, scores are taken for the least they may be error=%s", exc)
            self._failing = True
            return []
        if self._failing:
            logger.info("templates are read again")
        self._failing = False
        return found

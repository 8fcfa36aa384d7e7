"""Under which names this journal's daemon was a reader before: ``site`` and ``door_id`` may be renamed.

The door process keeps a reader's events for that reader. One that was renamed asks for those of its former
names too, each up to the moment at which it gave the name up: whoever has the name since is another.
"""

import logging
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edged.doorway.messages import MOST_FORMER, Former, Token
from edged.errors import StoreError
from edged.storage.files import replace_private_file

logger = logging.getLogger(__name__)

# Later than whatever a door process may say.
_UNTOLD = 1e12
# Sixteen names of 130 characters each, and as much again.
_MOST_BYTES = 8192


class _Names(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Token
    former: Annotated[tuple[Former, ...], Meta(max_length=MOST_FORMER)]


def names_path(journal: Path) -> Path:
    """Return the file beside ``journal`` that keeps the names."""
    return journal.with_name(f"{journal.name}.names")


def former_names(journal: Path, name: str, now: float | None) -> tuple[Former, ...]:
    """Return the former names, and keep ``name``, which is the one from ``now`` (Unix seconds) on.

    None where the clock is wrong: then everything that waits under the last name is this reader's.
    What cannot be read or kept is logged: then events of a former name wait, as the door process says.
    """
    path = names_path(journal)
    kept = _read(path)
    if kept is not None and kept.name == name:
        return kept.former
    former: tuple[Former, ...] = ()
    if kept is not None:
        logger.info("this reader was renamed before=%s now=%s", kept.name, name)
        # The newest word on each: a name may be had, given up, and had again.
        known = {one.name: one for one in kept.former if one.name != kept.name}
        former = (*known.values(), Former(name=kept.name, until=_UNTOLD if now is None else now))[
            -MOST_FORMER:
        ]
    try:
        replace_private_file(path, msgspec.json.encode(_Names(name=name, former=former)))
    except StoreError as exc:
        logger.warning("names of this reader not kept error=%s", exc)
    return former


def _read(path: Path) -> _Names | None:
    """Return what is kept; the door process would not hear a reader that says what is none of it."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MOST_BYTES), type=_Names)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        logger.warning("former names of this reader not read file=%s error=%s", path.name, exc)
        return None

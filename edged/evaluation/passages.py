"""The other record of a door: a CSV of badges and exit buttons."""

import csv
from collections.abc import Mapping
from datetime import datetime, tzinfo
from pathlib import Path

from edged.domain.shadow import Passage
from edged.errors import EvaluationError
from edged.evaluation.protocols import shown

_COLUMNS = frozenset({"time", "person", "by"})
_WAYS = ("badge", "exit")


def read_passages(path: Path, ids: Mapping[str, str], zone: tzinfo | None) -> tuple[list[Passage], int]:
    """Return the passages of a CSV, and how many badges are of people who are not in ``ids``.

    Columns: ``time``, ISO 8601, in ``zone`` (None: the machine's) where it has no offset; ``person``, a
    key of ``ids`` or empty; ``by``, badge or exit. Only ``time`` must be there. Somebody who is not
    enrolled cannot be recognised: such a badge is left out. Raises ``EvaluationError`` naming the line.
    """
    passages, strangers = [], 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = set(reader.fieldnames or ())
            if "time" not in columns or not columns <= _COLUMNS:
                raise EvaluationError(
                    f"{path}: expected columns time, person, by; got {shown(reader.fieldnames)}"
                )
            for row in reader:
                at = _moment(row["time"], zone, f"{path}:{reader.line_num}")
                by = (row.get("by") or "badge").strip().lower()
                if by not in _WAYS:
                    raise EvaluationError(
                        f"{path}:{reader.line_num}: expected badge or exit, got {by[:40]!r}"
                    )
                who = (row.get("person") or "").strip()
                if who and who not in ids and by == "badge":
                    strangers += 1
                    continue
                passages.append(Passage(at, ids.get(who), by))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise EvaluationError(f"{path}: cannot be read: {exc}") from exc
    return passages, strangers


def _moment(text: str | None, zone: tzinfo | None, where: str) -> float:
    try:
        moment = datetime.fromisoformat((text or "").strip())
        # Without an offset and a zone, astimezone takes the machine's own.
        there = moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone).astimezone()
        return there.timestamp()
    except (ValueError, OverflowError) as exc:  # the first and the last day overflow in some zones
        raise EvaluationError(
            f"{where}: expected a time such as 2026-03-02T08:01:30, got {(text or '')[:40]!r}"
        ) from exc

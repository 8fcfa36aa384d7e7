"""The bars of a large gallery: found when somebody is matched, not for everybody at each change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from edged.domain.lookalikes import Bar, LookalikeRule
from edged.domain.search import Search


class BarsOnDemand(Mapping[str, Bar]):
    """Who needs a bar, by person id, as ``lookalikes.raised_bars`` tells it of everybody at once.

    A person costs one search for who is nearest to them, once; many may ask at the same time. Where rows are
    kept as codes the cosine of two people is taken for the greatest it may be, which makes no bar lower.
    ``ids[i]`` is whose row i is; to count them or to go through them is a search for every one.
    """

    def __init__(
        self, rows: Mapping[str, int], ids: Sequence[str], search: Search, rule: LookalikeRule
    ) -> None:
        self._rows = rows
        self._ids = ids
        self._search = search
        self._rule = rule
        self._found: dict[str, Bar | None] = {}

    def __getitem__(self, person_id: str) -> Bar:
        if person_id not in self._found:
            self._found[person_id] = self._find(self._rows[person_id])
        bar = self._found[person_id]
        if bar is None:
            raise KeyError(person_id)
        return bar

    def __iter__(self) -> Iterator[str]:
        return (person_id for person_id in self._ids if person_id in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _find(self, row: int) -> Bar | None:
        other = self._search.nearest_other(row)
        if other is None:
            return None
        cosine = min(1.0, other.most)
        bar = self._rule.bar(cosine) or self._rule.likeness(cosine)
        return bar and replace(bar, other_id=self._ids[other.row])

"""Photographs as the gallery of a door, and the two rules by which it may be searched."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Person, Template
from edged.domain.types import FloatArray
from edged.evaluation.embedding import Embedded
from edged.evaluation.protocols import Labelled


class Rule(StrEnum):
    """How near a probe is to a person: to their centroid, as the door has it, or to the nearest template."""

    CENTROID = "centroid"
    TEMPLATES = "templates"


def enrolled(embedded: Embedded, enrol: Sequence[Labelled]) -> GallerySnapshot:
    """Return the door's own gallery of ``enrol``; who has no photograph with a face is not in it."""
    templates = [
        Template(str(index), item.person, "", embedded.vectors[row], embedded.quality(row), b"")
        for index, item in enumerate(enrol)
        if (row := embedded.rows.get(item.image)) is not None
    ]
    people = [Person(name, name) for name in sorted({item.person for item in enrol})]
    return build_snapshot("", embedded.vectors.shape[1], 0, people, templates)


class Gallery:
    """``snapshot`` and the templates behind it; ``counts[i]`` of them are of person i."""

    def __init__(self, embedded: Embedded, enrol: Sequence[Labelled]) -> None:
        self.snapshot = enrolled(embedded, enrol)
        owners = np.array(
            [self.snapshot.index[one.person] for one in enrol if one.image in embedded.rows], np.int64
        )
        rows = np.array([embedded.rows[one.image] for one in enrol if one.image in embedded.rows], np.int64)
        order = np.argsort(owners, kind="stable")
        self._templates = embedded.vectors[rows[order]]
        self.counts = np.bincount(owners, minlength=len(self.snapshot.people))
        self._starts = np.cumsum(self.counts) - self.counts

    def scores(self, vectors: FloatArray, rule: Rule) -> FloatArray:
        """Return the cosine (N, people) of each of ``vectors`` (N, D) with every person."""
        if rule is Rule.CENTROID:
            return np.asarray(vectors @ self.snapshot.matrix[:].T, np.float32)
        every = vectors @ self._templates.T
        return np.asarray(np.maximum.reduceat(every, self._starts, axis=1), np.float32)

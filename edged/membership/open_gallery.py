"""A received gallery in the open: one row a person, and no template.

Its shards lie together in blocks of some hundred people, of which a change makes those anew that it touches.
"""

import itertools
import operator
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edged.domain.gallery import build_snapshot
from edged.domain.gallery_parts import GalleryPart
from edged.domain.people import Person, Template
from edged.domain.types import FloatArray
from edged.fleet.gallery_format import Manifest, ShardEntry

# Rows of a block, at most, on average. From 300 on a search is as fast as in one piece, of 80 it takes 11 %
# longer and of 40 (one shard of 10,000 people) 25 %; copied at a change are these.
_ROWS_A_BLOCK = 512


@dataclass(frozen=True, slots=True, eq=False)
class OpenedShard:
    """The ``people`` of one shard. Row i of ``matrix`` (P, D) belongs to ``known[i]``; the others have none.

    ``templates`` counts what the rows were made of.
    """

    people: tuple[Person, ...]
    known: tuple[Person, ...]
    matrix: FloatArray
    templates: int


@dataclass(frozen=True, slots=True)
class Frame:
    """How a gallery is divided: a shard is the same only where all of this is, too."""

    space: str
    dimension: int
    shards: int

    @classmethod
    def of(cls, manifest: Manifest) -> "Frame":
        """Return the frame of a gallery."""
        return cls(manifest.space, manifest.dimension, manifest.shards)


@dataclass(frozen=True, slots=True, eq=False)
class ShardBlock:
    """Shards whose rows lie in one piece, that of ``part``."""

    entries: tuple[ShardEntry, ...]
    shards: tuple[OpenedShard, ...]
    part: GalleryPart


@dataclass(frozen=True, slots=True, eq=False)
class OpenGallery:
    """The shards that are open, by block; all of a gallery, or what is left of it."""

    frame: Frame | None = None
    blocks: tuple[ShardBlock, ...] = ()

    def people(self) -> Iterator[Person]:
        """Yield everybody, also who has no row."""
        for block in self.blocks:
            for shard in block.shards:
                yield from shard.people

    def shards(self, frame: Frame) -> dict[ShardEntry, OpenedShard]:
        """Return the shards that are open, none where they are of another frame."""
        if frame != self.frame:
            return {}
        return {
            entry: shard
            for block in self.blocks
            for entry, shard in zip(block.entries, block.shards, strict=True)
        }

    def only(self, entries: frozenset[ShardEntry]) -> "OpenGallery":
        """Let go of every block with a shard that is not one of ``entries``: its rows lie in one piece."""
        return replace(self, blocks=tuple(one for one in self.blocks if entries.issuperset(one.entries)))


def open_shard(people: Sequence[Person], templates: Sequence[Template], frame: Frame) -> OpenedShard:
    """Return a shard with the templates made rows. Raises ``ValueError`` as ``build_snapshot``."""
    snapshot = build_snapshot(frame.space, frame.dimension, 0, people, templates)
    rows = np.asarray(snapshot.matrix[:])
    return OpenedShard(tuple(people), tuple(snapshot.people), rows, snapshot.templates)


def open_gallery(
    manifest: Manifest, shards: MutableMapping[ShardEntry, OpenedShard], before: OpenGallery
) -> OpenGallery:
    """Return the gallery of ``manifest``, with the blocks of ``before`` that are the same.

    ``shards`` has all of its shards, and loses those that come into a new block: each is in memory once.
    Raises ``ValueError`` where an id occurs twice in a block.
    """
    frame, together = Frame.of(manifest), _shards_a_block(manifest)
    known = {block.entries: block for block in before.blocks} if before.frame == frame else {}
    blocks = []
    for _, group in itertools.groupby(manifest.entries, lambda entry: entry.number // together):
        entries = tuple(group)
        blocks.append(known.get(entries) or _block(entries, [shards.pop(entry) for entry in entries]))
    return OpenGallery(frame, tuple(blocks))


def _shards_a_block(manifest: Manifest) -> int:
    """Return a power of two, so that a few people more or fewer seldom divide anew."""
    most = _ROWS_A_BLOCK * manifest.shards // max(1, manifest.people)
    return 1 << max(0, most.bit_length() - 1)


def _block(entries: tuple[ShardEntry, ...], shards: Sequence[OpenedShard]) -> ShardBlock:
    matrix = np.concatenate([shard.matrix for shard in shards])
    matrix.flags.writeable = False
    ends = list(itertools.accumulate(len(shard.matrix) for shard in shards))
    known = tuple(itertools.chain.from_iterable(map(operator.attrgetter("known"), shards)))
    left_out = sum(len(shard.people) - len(shard.known) for shard in shards)
    part = GalleryPart(known, matrix, sum(shard.templates for shard in shards), left_out)
    own = (  # views, so that a row is in memory once
        replace(shard, matrix=matrix[end - len(shard.matrix) : end])
        for shard, end in zip(shards, ends, strict=True)
    )
    return ShardBlock(entries, tuple(own), part)

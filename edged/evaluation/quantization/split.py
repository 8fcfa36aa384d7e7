"""Who calibrates and who is measured: different people, the same ones on every machine."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edged.evaluation.comparison import name_hash
from edged.evaluation.protocols import Labelled

# MobileFaceNet y1, cosine of int8 to float32 by the number of pictures: 16 0.9930, 32 0.9951,
# 64 0.9960, 128 0.9962, 256 0.9954.
CALIBRATION_PHOTOGRAPHS = 128
MIN_CALIBRATION_FACES = 32
# 8 million pairs: a false match rate of 1e-4 with 800 errors behind it.
MEASURED_PHOTOGRAPHS = 4000
# Ten pairs a person at most: otherwise the few people with hundreds of photographs decide alone.
_PHOTOGRAPHS_A_PERSON = 5
_CALIBRATING_DIGITS = "0123"


@dataclass(frozen=True, slots=True)
class Split:
    """Photographs to calibrate with and photographs to measure on; no person is in both."""

    calibration: tuple[Labelled, ...]
    measured: tuple[Labelled, ...]


def calibrates(person: str) -> bool:
    """Tell whether ``person`` is of the quarter whose folder name's SHA-256 begins with 0, 1, 2 or 3."""
    return name_hash(person)[0] in _CALIBRATING_DIGITS


def split_people(photographs: Iterable[Labelled]) -> Split:
    """Deal ``photographs`` out by person, in an order that depends on the names alone.

    Calibration sees as many people as it can; those with several photographs are measured first.
    """
    folders: dict[str, list[Labelled]] = defaultdict(list)
    for one in sorted(photographs, key=lambda one: one.image):
        folders[one.person].append(one)
    people = sorted(folders, key=name_hash)
    calibrating = [folders[person] for person in people if calibrates(person)]
    measured = [folders[person][:_PHOTOGRAPHS_A_PERSON] for person in people if not calibrates(person)]
    measured.sort(key=lambda photographs: len(photographs) == 1)
    return Split(
        tuple(_in_turns(calibrating)[:CALIBRATION_PHOTOGRAPHS]),
        tuple([one for photographs in measured for one in photographs][:MEASURED_PHOTOGRAPHS]),
    )


def _in_turns(folders: Sequence[Sequence[Labelled]]) -> list[Labelled]:
    """Return everybody's first photograph, then everybody's second, and so on."""
    turns = [(turn, index) for index, photographs in enumerate(folders) for turn in range(len(photographs))]
    return [folders[index][turn] for turn, index in sorted(turns)]

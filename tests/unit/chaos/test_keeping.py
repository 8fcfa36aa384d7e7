"""The judge of what visits leave behind: frames on their way are nothing, an object a visit is a leak."""

import random
from dataclasses import replace

from tests.chaos.keeping import Kept, leaks, lowest, slopes

VISITS = 1500


def series(*, objects: float = 0.0, kilobytes: float = 0.0, descriptors: float = 0.0) -> list[Kept]:
    """What a process holds while so much of each visit stays, and a frame or two is often on its way."""
    chance, samples = random.Random(1), []
    for visits in range(0, VISITS, VISITS // 200):
        frames = chance.choice((0, 0, 1, 2))
        samples.append(
            Kept(
                visits=visits,
                rss_mb=160.0 + frames,
                malloc_mb=46.0 + 0.92 * frames + kilobytes * visits / 1000,
                blocks=318_000 + 900.0 * frames + chance.randrange(300) + objects * visits,
                descriptors=21.0 + chance.choice((0, 0, 3)) + descriptors * visits,
                threads=16.0,
                door_rss_mb=22.3,
            )
        )
    return samples


def test_frames_on_their_way_are_no_leak() -> None:
    assert leaks(slopes(series()), VISITS) == []


def test_what_each_visit_leaves_is_one() -> None:
    assert leaks(slopes(series(objects=1)), VISITS) == ["blocks"]
    assert leaks(slopes(series(kilobytes=2)), VISITS) == ["malloc_mb"]
    assert leaks(slopes(series(descriptors=0.01)), VISITS) == ["descriptors"]


def test_of_a_few_samples_the_smallest_counts() -> None:
    values = (24.0, 21.0, 24.0, 23.0, 24.0, 22.0, 24.0)
    samples = [replace(series()[0], visits=10.0 * at, threads=value) for at, value in enumerate(values)]
    assert lowest(samples, "threads") == [(0.0, 21.0), (50.0, 22.0)]

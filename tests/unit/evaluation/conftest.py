"""Embeddings with known answers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from edged.domain.decision import DecisionPolicy
from edged.domain.types import Box, Face, FloatArray, Image, Quality
from edged.evaluation.embedding import Embedded
from edged.vision.pipeline import FacePipeline

GOOD = Quality(0.9, 120, 50, 200, 120, 0, 0, 0)
POLICY = DecisionPolicy(
    threshold=0.5, confirm_frames=3, window_frames=5, min_margin=0.06, cooldown_seconds=10,
    absence_seconds=1, evidence_seconds=2, max_frame_age_seconds=0.5,
)  # fmt: skip


def unit(vectors: FloatArray) -> FloatArray:
    """The rows of ``vectors`` at length one."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def embedded(vectors: Mapping[str, FloatArray], without_face: tuple[str, ...] = ()) -> Embedded:
    """What a pass would have made of photographs with these vectors."""
    names = tuple(vectors)
    rows = np.array([vectors[name] for name in names], np.float32)
    return Embedded(
        names,
        rows,
        np.zeros((len(names), 5, 2), np.float32),
        (),
        without_face,
        {},
        {name: row for row, name in enumerate(names)},
    )


def crowd(people: int, photographs: int, *, spread: float, seed: int = 0) -> dict[str, FloatArray]:
    """``person/k`` -> 32-d unit vectors, scattered by ``spread`` about each person's own direction."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(people, 32)))
    return {
        f"p{person}/{k}": unit((centre + rng.normal(0, spread, 32))[None])[0]
        for person, centre in enumerate(centres)
        for k in range(photographs)
    }


def rated(vectors: Mapping[str, FloatArray], name: str = "", shortfall: str = "") -> Embedded:
    """The same, all of good quality, but one that a door would refuse."""
    whole = embedded(vectors)
    return replace(whole, qualities=(GOOD,) * len(vectors), refused={name: shortfall} if name else {})


POINTS = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)


class GreyFaces:
    """A face in every picture that is not black; its vector is the mean of its left and right half."""

    dimension = 2
    calibration = ()

    def detect(self, image: Image) -> list[Face]:
        return [Face(Box(30, 30, 40, 40), POINTS, 0.9)] if image.mean() > 20 else []

    def align(self, image: Image, face: Face) -> Image:
        return image

    def assess(self, face: Face, aligned: Image) -> Quality:
        return Quality(0.9, 40, 20, 100, float(aligned.mean()), 0, 0, 0)

    def shortfall(self, quality: Quality) -> str | None:
        return "too_dark" if quality.brightness < 40 else None

    def embed(self, faces: list[Image]) -> FloatArray:
        rows = np.array([[face[:, :50].mean(), face[:, 50:].mean()] for face in faces], np.float32)
        rows = rows.reshape(-1, 2)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


GREY_FACES = cast("FacePipeline", GreyFaces())

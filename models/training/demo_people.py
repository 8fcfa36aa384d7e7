"""Make the people of the demo: photographs of people who do not exist.

    python models/training/demo_people.py --photos DIR --archive TAR --models PACKS --out FOLDER

Each is blended from the persons that ``demo_people.yaml`` lists, none of them held out, and dressed by
drawing. Written are ``FOLDER/people/NAME/1..5.jpg``, ``FOLDER/strangers/X/1..5.jpg`` and ``checks.json``.
It fails when the teacher finds a real person in one of them, or two of them alike.
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import msgspec
import numpy as np
import yaml
from corpus import held_out
from figure import Style
from likeness import FloatArray, Survey, survey, teacher, vector
from msgspec import Meta
from portraits import agreeing, blended, mirrored, on_canvas, placed, registered, same_light
from resemblance import Checks, check, problems
from rich.console import Console
from rich.progress import track
from rich.table import Table
from studio import Look, photographed

from edged.domain.types import Image
from edged.vision.alignment import align
from edged.vision.pipeline import FacePipeline

CAST = Path(__file__).with_suffix(".yaml")
# Yaw and pitch in degrees of the five photographs.
POSES = ((0.0, 0.0), (-6.0, 2.0), (6.0, 0.0), (-3.0, -4.0), (4.0, 4.0))
# How many photographs of each contributor serve.
_CHOICE = 3
_JPEG_QUALITY = 88
_GARMENTS = ((92, 66, 44), (60, 58, 62), (70, 92, 58), (64, 52, 112), (132, 128, 122), (110, 90, 40))
_WALLS = ((172, 178, 180), (150, 165, 176), (186, 182, 170), (140, 150, 148), (196, 200, 204))


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the demo's people; ``name`` starts with ``strangers/`` where nobody enrols them."""

    name: str
    seed: int
    shape: tuple[float, float, float, float]
    style: Style
    contributors: Annotated[list[str], Meta(min_length=3)]


@dataclass(frozen=True, slots=True)
class Made:
    """A member's five photographs and their (5, 128) unit vectors."""

    member: Member
    pictures: list[Image]
    vectors: FloatArray


def read_cast(path: Path = CAST) -> list[Member]:
    """Read the cast. Raises ``ValueError`` for a contributor who is held out or who serves twice."""
    members = msgspec.convert(yaml.safe_load(path.read_text()), list[Member])
    uses = Counter(person for member in members for person in member.contributors)
    twice = [person for person, count in uses.items() if count > 1]
    measured = sorted(set(uses) & held_out())
    if twice or measured:
        raise ValueError(
            f"expected each contributor once and none held out, got {twice} twice, {measured} held out"
        )
    return members


class Album:
    """The photographs of the contributors, the plainest of each first."""

    def __init__(self, seen: Survey, photos: Path, template: FloatArray) -> None:
        self._seen = seen
        self._paths = {path.name: path for path in photos.glob("*/*.jpg")}
        self._template = template

    def view(self, row: int) -> tuple[Image, FloatArray]:
        """Return a photograph and its (5, 2) landmarks."""
        image = cv2.imread(str(self._paths[str(self._seen.files[row])]))
        return np.asarray(image, np.uint8), self._seen.landmarks[row]

    def plainest(self, person: str) -> list[int]:
        """Return up to ``_CHOICE`` rows: head-on, evenly lit, nothing before the face."""
        rows = self._seen.rows(person)
        if not len(rows):
            raise ValueError(f"expected photographs of {person}, found none")
        centre = self._seen.vectors[rows].mean(axis=0)
        # Hats, hands and grimaces lie far from a person's mean.
        oddity = 1 - self._seen.vectors[rows] @ (centre / np.linalg.norm(centre))
        pitch = np.abs(self._seen.poses[rows, 1])
        cost = np.array([self._unevenness(row) for row in rows]) + 40 * oddity + 0.3 * pitch
        return [int(rows[at]) for at in np.argsort(cost)[:_CHOICE]]

    def _unevenness(self, row: int) -> float:
        """Return by how many grey levels the face differs from its mirror image: turned, shaded, hidden."""
        aligned = align(*self.view(row), self._template)
        grey = cv2.resize(cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY), (28, 28), interpolation=cv2.INTER_AREA)
        inner = grey[5:26, 4:24].astype(np.float32)
        return float(np.abs(inner - inner[:, ::-1]).mean())


def target_of(landmarks: list[FloatArray], shape: tuple[float, float, float, float]) -> FloatArray:
    """Return where the (5, 2) landmarks of a blend lie: the mean of ``landmarks``, moved by ``shape``."""
    target = np.mean([on_canvas(points) for points in landmarks], axis=0)
    apart, nose, wider, lower = np.array(shape) * float(np.linalg.norm(target[1] - target[0]))
    moves = [[-apart, 0], [apart, 0], [0, nose], [-wider, lower], [wider, lower]]
    return np.asarray(target + np.array(moves), np.float32)


def look(member: Member, number: int) -> Look:
    """Return how photograph ``number`` (0..4) of ``member`` is taken."""
    chance = np.random.default_rng([member.seed, number])
    return Look(
        garment=_GARMENTS[(member.seed + number // 2) % len(_GARMENTS)],
        wall=_WALLS[(member.seed + number) % len(_WALLS)],
        light=float(chance.uniform(-0.8, 0.8)),
        exposure=float(chance.uniform(0.88, 1.1)),
        warmth=float(chance.uniform(-1, 1)),
        crop=float(chance.uniform(0.84, 0.97)),
        side=int(chance.integers(20, 25)) * 16,
        roll=float(chance.uniform(-4, 4)),
        seed=member.seed * 100 + number,
    )


def portrait(member: Member, number: int, album: Album) -> Image:
    """Return photograph ``number``: of each contributor the plainest photograph and one more."""
    chance = np.random.default_rng([member.seed, number])
    views, persons = [], []
    for at, person in enumerate(member.contributors):
        first, *more = album.plainest(person)
        more = more or [first]
        for row in (first, more[(number + at) % len(more)]):
            view = album.view(row)
            views.append(mirrored(*view) if row != first and chance.random() < 0.5 else view)
            persons.append(at)
    target = turned(target_of([landmarks for _, landmarks in views], member.shape), *POSES[number])
    weights = np.random.default_rng(member.seed).uniform(0.8, 1.2, len(member.contributors))
    weights += chance.uniform(-0.1, 0.1, len(weights))
    even = np.full(len(views), 1 / len(views), np.float32)
    layers = same_light([placed(image, landmarks, target) for image, landmarks in views], even)
    face = blended(*agreeing(registered(layers, even), persons, weights.astype(np.float32)))
    return photographed(face, target, member.style, look(member, number))


def turned(target: FloatArray, yaw: float, pitch: float) -> FloatArray:
    """Return (5, 2) landmarks of the head turned by so many degrees: what stands out moves furthest."""
    # Before the plane of the eyes, in eye distances: nose tip 0.55 (as edged.vision.quality), mouth 0.2.
    depth = np.array([0, 0, 0.55, 0.2, 0.2]) * float(np.linalg.norm(target[1] - target[0]))
    shift = np.tan(np.radians([yaw, -pitch]))
    return np.asarray(target + depth[:, None] * shift, np.float32)


def saved(picture: Image, path: Path) -> Image:
    """Write ``picture`` and return what a reader of the file gets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return np.asarray(cv2.imread(str(path)), np.uint8)


def make(member: Member, album: Album, pipeline: FacePipeline, out: Path) -> Made:
    """Make and write the photographs of ``member``. Raises ``ValueError`` for one that no door would take."""
    pictures, vectors = [], []
    for number in range(len(POSES)):
        picture = saved(portrait(member, number, album), out / folder(member) / f"{number + 1}.jpg")
        faces = pipeline.detect(picture)
        if len(faces) != 1:
            raise ValueError(f"{member.name} {number + 1}: expected one face, found {len(faces)}")
        fault = pipeline.shortfall(pipeline.assess(faces[0], pipeline.align(picture, faces[0])))
        if fault is not None:
            raise ValueError(f"{member.name} {number + 1}: {fault}")
        pictures.append(picture)
        vectors.append(vector(picture, faces[0], pipeline))
    return Made(member, pictures, np.array(vectors))


def folder(member: Member) -> str:
    """Return where a member's photographs go below the demo's people."""
    return member.name if member.name.startswith("strangers/") else f"people/{member.name.replace(' ', '_')}"


def report(checks: list[Checks], out: Path) -> None:
    """Print the table and write it as numbers beside the pictures."""
    table = Table("", *Checks.__slots__[1:])
    for row in checks:
        table.add_row(row.name, *[f"{getattr(row, name):.3f}" for name in Checks.__slots__[1:]])
    Console().print(table)
    (out / "checks.json").write_text(
        json.dumps([msgspec.to_builtins(row) for row in checks], indent=1) + "\n"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="one folder a person")
    parser.add_argument(
        "--archive", type=Path, required=True, help="photographs that nobody may resemble either"
    )
    parser.add_argument("--models", type=Path, required=True, help="installed packs yunet and arcface-y1")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="where the survey of all photographs is kept (.npz)")
    arguments = parser.parse_args()
    cast, pipeline = read_cast(), teacher(arguments.models)
    seen = survey(arguments.photos, arguments.archive, pipeline, arguments.cache)
    album = Album(seen, arguments.photos, pipeline.template)
    made = [make(one, album, pipeline, arguments.out) for one in track(cast, description="people")]
    checks = check([(one.member.name, one.vectors, one.member.contributors) for one in made], seen)
    report(checks, arguments.out)
    found = problems(checks)
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()

"""Embed people whom the starter pack was trained on, as strangers to compare a site's people with.

    python models/training/cohort.py --photos DIR --pack models/starter

``--photos`` has one folder a person (LFW). One photograph each of up to 2,000 people becomes a row of
``cohort.npy`` beside the weights, without a name and in an order that says nothing. The people of
``heldout.txt`` are left out: the pack's own table is measured on them. It has to be made anew with
every embedder, and before the table is put into ``pack.yaml``, which then pins it.

Having been trained on makes them no easier: 145 people of ``heldout.txt``, enrolled with three
photographs each, were matched by 2,612 trained people 1.01 to 1.04 times as often as by the other
held-out ones, at cosines of 0.25 to 0.40.
"""

import argparse
from pathlib import Path

import numpy as np
from corpus import HELD_OUT
from rich.progress import track

from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.types import FloatArray
from edged.evaluation.comparison import name_hash, read_people
from edged.evaluation.embedding import main_face, read_image
from edged.evaluation.protocols import Labelled, photographs
from edged.vision.cohort import quantized
from edged.vision.pipeline import FacePipeline

FILE = "cohort.npy"
PEOPLE = 2000


def chosen(found: list[Labelled], held_out: frozenset[str], limit: int) -> list[Labelled]:
    """Return the first photograph of up to ``limit`` people, none of ``held_out``, ordered by hash."""
    first: dict[str, Labelled] = {}
    for one in found:
        first.setdefault(one.person, one)
    hashed = {name_hash(person): one for person, one in first.items()}
    return [hashed[key] for key in sorted(hashed) if key not in held_out][:limit]


def embedded(pipeline: FacePipeline, photos: Path, people: list[Labelled]) -> FloatArray:
    """Return a unit row a person (N, D); a photograph that no door would use is passed over."""
    rows = []
    for one in track(people, description="people"):
        image = read_image(photos / one.image)
        face = main_face(pipeline.detect(image), image)
        if face is None:
            continue
        aligned = pipeline.align(image, face)
        if pipeline.shortfall(pipeline.assess(face, aligned)) is None:
            rows.append(pipeline.embed([aligned])[0])
    return np.array(rows, np.float32).reshape(-1, pipeline.dimension)


def main() -> None:
    """Read the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pack", type=Path, required=True, help="folder with pack.yaml and weights")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"at most so many; {PEOPLE}")
    arguments = parser.parse_args()
    name = arguments.pack.resolve().name
    models = ModelsConfig(directory=arguments.pack.resolve().parent, detector=name, embedder=name)
    pipeline = FacePipeline.load(models, QualityConfig())
    people = chosen(photographs(arguments.photos), read_people(HELD_OUT), arguments.people)
    vectors = embedded(pipeline, arguments.photos, people)
    np.save(arguments.pack / FILE, quantized(vectors))
    print(f"{len(vectors)} of {len(people)} people are in {arguments.pack / FILE}, space {pipeline.space}")


if __name__ == "__main__":
    main()

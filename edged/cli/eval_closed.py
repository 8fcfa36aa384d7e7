"""``edged eval closed-set``: who of the enrolled is it, for one pack or several side by side."""

from typing import Annotated

import typer

from edged.cli.eval_door import asked_photographs, read_lists
from edged.cli.measuring_options import (
    ConfigOption,
    DetectorOption,
    EmbedderOption,
    EnrolOption,
    FloorOption,
    ImagesOption,
    LeastOption,
    MirrorOption,
    ModelsOption,
    PacksOption,
    PeopleOption,
    PrecisionOption,
    ProbesOption,
    SeedOption,
    ShareOption,
)
from edged.cli.options import JsonOption


def closed_set(
    *,
    images: ImagesOption,
    packs: PacksOption = None,
    enrolled: ShareOption = 0.7,
    min_photos: LeastOption = 2,
    enrol: EnrolOption = None,
    probes: ProbesOption = None,
    people: PeopleOption = None,
    seed: SeedOption = 1,
    mirror: MirrorOption = "none",
    quality_floor: FloorOption = False,
    per_person: Annotated[
        bool, typer.Option("--per-person", help="Print a line for each person, not only for the worst.")
    ] = False,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """1:N among the enrolled: accuracy, precision and recall, and how each person fares.

    Each person's photographs are split by --seed, unless lists say who is enrolled and who asks. Two rules
    are shown: the nearest centroid of a person's templates, as at the door, and the nearest of all
    templates. Photographs without a face count as not recognised. Precision and recall are weighted by the
    photographs of a person.
    """
    from edged.cli.measuring import measured_packs, opened_packs, print_measured
    from edged.evaluation.measurement import Terms

    lists = read_lists(enrol, probes, people)
    terms = Terms(
        images,
        asked_photographs(images, people, lists),
        protocols=("closed-set",),
        closed_lists=lists,
        share=enrolled,
        least=min_photos,
        mirror=mirror,
        floor=quality_floor,
        seed=seed,
    )
    opened = opened_packs(
        packs, config=config, models=models, detector=detector, embedder=embedder, precision=precision
    )
    print_measured(measured_packs(opened, terms), as_json=as_json, per_person=per_person)

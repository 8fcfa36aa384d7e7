"""``edged eval closed-set``: who of the enrolled is it, for one pack or several side by side."""

import json
from pathlib import Path
from typing import Annotated

import typer

from edged.cli.eval_door import EnrolOption, ProbesOption, asked_photographs, read_lists
from edged.cli.measuring import (
    ConfigOption,
    DetectorOption,
    EmbedderOption,
    FloorOption,
    MirrorOption,
    ModelsOption,
    PacksOption,
    PeopleOption,
    PrecisionOption,
    SeedOption,
)
from edged.cli.options import JsonOption

ShareOption = Annotated[
    float,
    typer.Option("--enrolled", min=0.05, max=0.95, help="The share of a person's photographs to enrol."),
]
LeastOption = Annotated[
    int, typer.Option("--min-photos", min=2, help="Leave people with fewer photographs out.")
]


def closed_set(
    *,
    images: Annotated[Path, typer.Option("--images", help="The photographs, one folder a person.")],
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
    from edged.cli.eval_view import print_measurements
    from edged.cli.measuring import measured_row, opened_packs, progress_bar
    from edged.evaluation.measurement import Terms, measure

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
    measured = [(name, pipeline, measure(pipeline, terms, progress_bar)) for name, pipeline in opened]
    if as_json:
        rows = [measured_row(*one) for one in measured]
        typer.echo(json.dumps({"packs": rows}))
    else:
        print_measurements([(name, one) for name, _, one in measured], per_person=per_person)

"""``edged eval compare``: packs side by side."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.measuring_options import ConfigOption, ImagesOption, ModelsOption, PeopleOption
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from edged.evaluation.comparison import Standing
    from edged.vision.pipeline import FacePipeline


def compare(
    packs: Annotated[
        list[str],
        typer.Argument(
            metavar="PACK...",
            help="What to compare: a pack that holds both models, an embedder's pack beside the configured "
            "detector, or DETECTOR+EMBEDDER; then, if wished, :float32 or :int8.",
        ),
    ],
    *,
    images: ImagesOption,
    people: PeopleOption = None,
    config: ConfigOption = None,
    models: ModelsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure packs on the same photographs: faces found, 1:1 accuracy, true match rates.

    At most three pairs of the same person count, and as many drawn pairs of different people; the true
    match rates are at the thresholds that a share of all pairs of different people still reach.
    """
    from edged.cli.measuring import chosen_photographs, embed, open_pack
    from edged.evaluation import comparison
    from edged.evaluation.protocols import readable, readable_pairs

    found = chosen_photographs(images, people)
    pairs = comparison.drawn_pairs(found)
    opened = [(name, open_pack(name, config, models)) for name in packs]
    rows = []
    for name, pipeline in opened:
        embedded = embed(pipeline, images, (one.image for one in found), name)
        found, pairs = readable(found, embedded.unreadable), readable_pairs(pairs, embedded.unreadable)
        rows.append((name, pipeline, comparison.standing(embedded, found, pairs)))
    if as_json:
        typer.echo(json.dumps([_described(*row) for row in rows]))
    else:
        _show(rows)


def _described(name: str, pipeline: "FacePipeline", standing: "Standing") -> dict[str, Any]:
    models = {"detector": pipeline.detector_name, "embedder": pipeline.embedder_name, "space": pipeline.space}
    return {"pack": name, **models, **asdict(standing)}


def _show(rows: "list[tuple[str, FacePipeline, Standing]]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    rates = [f"TMR @ {rate.fmr:g}" for rate in rows[0][2].rates]
    table.add_column("pack")
    for title in ("face found", "1:1 accuracy", *rates):
        table.add_column(title, justify="right")
    for name, _, standing in rows:
        shares = (standing.face_rate, standing.accuracy, *(rate.tmr for rate in standing.rates))
        table.add_row(name, *(f"{share:.2%}" for share in shares))
    console, first = Console(), rows[0][2]
    console.print(table)
    console.print(
        f"{first.photographs:,} photographs of {first.people:,} people, {first.same_pairs:,} same pairs, "
        f"{first.impostor_pairs:,} impostor pairs",
        style="dim",
    )

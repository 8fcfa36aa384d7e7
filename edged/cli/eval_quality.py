"""``edged eval quality``: what the quality score is worth."""

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edged.cli.measuring_options import (
    ConfigOption,
    DetectorOption,
    EmbedderOption,
    ImagesOption,
    ModelsOption,
    PeopleOption,
    PrecisionOption,
    SeedOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from edged.evaluation.quality_report import Discard, QualityReport, ScoreBin

RateOption = Annotated[
    float,
    typer.Option("--fmr", min=1e-9, max=0.1, help="The false match rate whose threshold tells a miss."),
]
WorseOption = Annotated[
    int,
    typer.Option("--limit", min=0, help="Make so many photographs worse, evenly spread; 0: none."),
]
HalfOption = Annotated[
    Literal["all", "even", "odd"],
    typer.Option(help="Only people whose name has an even or odd SHA-256: fit on one, report the other."),
]
PartsOption = Annotated[
    bool, typer.Option("--parts", help="Print the share by each thing that was measured, too.")
]


def quality(
    *,
    images: ImagesOption,
    fmr: RateOption = 1e-4,
    limit: WorseOption = 200,
    half: HalfOption = "all",
    parts: PartsOption = False,
    people: PeopleOption = None,
    seed: SeedOption = 1,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the quality score against what it says: the share of its likeness that a picture keeps.

    Each photograph is compared with the centroid of up to three others of the same person. Some are made
    smaller, blurred, dark, too light, leant and covered, and held against themselves as they were. Misses are
    at the threshold of --fmr in the pack's table; discarding the pictures of low quality should leave fewer.
    """
    from edged.cli.measuring import (
        chosen_photographs,
        described,
        embed,
        open_pipeline,
        pack_name,
        progress_bar,
    )
    from edged.domain.calibration import cosine_at
    from edged.errors import EvaluationError
    from edged.evaluation.embedding import read_image
    from edged.evaluation.quality_report import quality_report
    from edged.evaluation.quality_trial import judged, judged_worse, references
    from edged.evaluation.split import in_half

    found = [one for one in chosen_photographs(images, people) if in_half(one.person, half)]
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    threshold = cosine_at(pipeline.calibration, fmr)
    if threshold is None:
        raise EvaluationError(f"the calibration of {pipeline.embedder_name} does not reach a rate of {fmr:g}")
    embedded = embed(pipeline, images, (one.image for one in found))
    wanted = references(embedded, found, seed)
    some = wanted[:: max(1, len(wanted) // limit)][:limit] if limit else []
    with progress_bar("made worse") as progress:
        worse = judged_worse(pipeline, embedded, some, lambda name: read_image(images / name), progress)
    report = quality_report(judged(embedded, wanted), worse, threshold)
    if as_json:
        typer.echo(json.dumps({**described(pipeline), "half": half, "fmr": fmr, **asdict(report)}))
    else:
        _show(report, f"{pack_name(pipeline)}, {half} people", parts=parts)


def _show(report: "QualityReport", title: str, *, parts: bool) -> None:
    from edged.cli.eval_view import console, percent

    out = console()
    tell = partial(out.print, highlight=False, markup=False)
    tell(f"{title}: good photographs have a cosine of {report.good:.3f}; missed below {report.threshold:.4f}")
    _bins(out, f"{report.photographs:,} photographs as they are", report.bins)
    if report.drawn_bins:
        _bins(out, f"{report.drawn:,} pictures made of them", report.drawn_bins)
        _conditions(out, report)
    _discard(out, report.discard, report.drawn_discard)
    if parts:
        _parts(out, report)
    if report.error is not None:
        rises = "rises from bin to bin" if report.monotone else "does not rise from bin to bin"
        tell(
            f"score and share differ by {percent(report.error)} in the mean over the bins; the share {rises}"
        )


def _bins(out: "Console", title: str, bins: "Sequence[ScoreBin]") -> None:
    from rich.table import Table

    from edged.cli.eval_view import share

    headings = ("score", "pictures", "mean score", "share of the cosine", "cosine", "missed (95 %)")
    table = Table(*headings, title=title, title_justify="left")
    for one in bins:
        table.add_row(
            f"{one.low:g} - {one.high:g}", f"{one.pictures:,}", f"{one.score:.3f}", f"{one.share:.3f}",
            f"{one.cosine:.3f}", share(one.missed),
        )  # fmt: skip
    out.print(table)


def _conditions(out: "Console", report: "QualityReport") -> None:
    from rich.table import Table

    table = Table("made worse", "pictures", "no face", "mean score", "share of the cosine")
    for one in report.conditions:
        table.add_row(
            one.condition, str(one.pictures), str(one.without_face), f"{one.score:.3f}", f"{one.share:.3f}"
        )
    out.print(table)


def _discard(out: "Console", plain: "Sequence[Discard]", drawn: "Sequence[Discard]") -> None:
    from rich.table import Table

    from edged.cli.eval_view import share

    table = Table("worst not compared", "missed of the others, as they are", title="error versus discard")
    if drawn:
        table.add_column("missed of the others, made worse")
    for row, one in enumerate(plain):
        table.add_row(
            f"{one.discarded:.0%}", share(one.missed), *(share(drawn[row].missed) for _ in range(bool(drawn)))
        )
    out.print(table)


def _parts(out: "Console", report: "QualityReport") -> None:
    from rich.table import Table

    table = Table("part", "from", "to", "photographs", "share of the cosine")
    for one in report.parts:
        table.add_row(one.part, f"{one.low:.1f}", f"{one.high:.1f}", f"{one.pictures:,}", f"{one.share:.3f}")
    out.print(table)

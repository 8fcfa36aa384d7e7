"""``edged eval``: how well the models tell people apart, on labelled photographs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edged.cli.eval_audit import audit
from edged.cli.eval_closed import closed_set
from edged.cli.eval_compare import compare
from edged.cli.eval_detection import detection
from edged.cli.eval_door import door, read_lists
from edged.cli.eval_liveness import liveness
from edged.cli.eval_quality import quality
from edged.cli.eval_run import read_sizes, run
from edged.cli.measuring_options import (
    ConfigOption,
    DetectorOption,
    EmbedderOption,
    EnrolOption,
    FloorOption,
    ImagesOption,
    MirrorOption,
    ModelsOption,
    PeopleOption,
    PrecisionOption,
    ProbesOption,
    SeedOption,
    SizesOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from edged.evaluation.embedding import Embedded
    from edged.vision.pipeline import FacePipeline

app = typer.Typer(help="Measure accuracy on labelled photographs.", no_args_is_help=True)
app.command()(run)
app.command()(closed_set)
app.command()(door)
app.command()(compare)
app.command()(detection)
app.command()(liveness)
app.command()(quality)
app.command()(audit)


@app.command()
def pairs(
    *,
    images: ImagesOption,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", help="CSV: image_a,image_b,same. Without one pairs are drawn from the folders."
        ),
    ] = None,
    people: PeopleOption = None,
    seed: SeedOption = 1,
    mirror: Annotated[
        Literal["none", "both"],
        typer.Option("--mirror", help="Take the mean of a face's vector and its mirror image's."),
    ] = "none",
    quality_floor: FloorOption = False,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """1:1: accuracy over pairs of photographs, true match rates with bounds.

    With a list, its different pairs set the thresholds. Without one, three pairs at most of each person
    count and as many drawn pairs of others, and all pairs of different people set the thresholds. A false
    match rate that so few comparisons cannot show is not shown.
    """
    from edged.cli.eval_view import console, print_pairs
    from edged.cli.measuring import chosen_photographs, embed, open_pipeline, pack_name
    from edged.evaluation.comparison import drawn_pairs
    from edged.evaluation.match_rates import match_rates, score_pairs
    from edged.evaluation.measurement import seen_as
    from edged.evaluation.protocols import read_pairs, readable, readable_pairs
    from edged.evaluation.verification import verify_pairs

    if pairs and people:
        raise typer.BadParameter("--people is for folders: a list of pairs says itself who is in it")
    found = [] if pairs else chosen_photographs(images, people)
    named = read_pairs(pairs) if pairs else []
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    names = {name for pair in named for name in (pair.first, pair.second)} | {one.image for one in found}
    embedded = embed(pipeline, images, names, mirrors=mirror != "none")
    found = readable(found, embedded.unreadable)
    listed = readable_pairs(named, embedded.unreadable) if pairs else drawn_pairs(found, seed)
    probes, _ = seen_as(embedded, mirror, floor=quality_floor)
    scored = score_pairs(probes, listed, found)
    report = _header(pipeline, embedded) | {
        "pairs": asdict(verify_pairs(probes, listed)),
        "rates": asdict(match_rates(scored)),
    }
    if as_json:
        typer.echo(json.dumps(report))
    else:
        print_pairs(console(), pack_name(pipeline), verify_pairs(probes, listed), match_rates(scored))


@app.command()
def open_set(
    *,
    images: ImagesOption,
    enrol: EnrolOption = None,
    probes: ProbesOption = None,
    people: PeopleOption = None,
    sizes: SizesOption = "10,30,100,300,1000,3000,10000",
    seed: SeedOption = 1,
    mirror: MirrorOption = "none",
    quality_floor: FloorOption = False,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """1:N with strangers, by the number of people enrolled.

    The threshold that the door would take for that number beside the best in hindsight. Smaller galleries are
    dealt from the enrolled by --seed. Without lists a third of the people stay strangers, and everybody else
    is enrolled with up to three photographs.
    """
    from edged.cli.eval_view import console, print_open_set
    from edged.cli.measuring import chosen_photographs, embed, open_pipeline, pack_name, progress_bar
    from edged.evaluation import open_set as protocol
    from edged.evaluation.gallery_sizes import gallery_sizes
    from edged.evaluation.measurement import seen_as
    from edged.evaluation.protocols import readable
    from edged.evaluation.split import open_split

    wanted = read_sizes(sizes)
    lists = read_lists(enrol, probes, people) or open_split(chosen_photographs(images, people), seed=seed)
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    embedded = embed(
        pipeline, images, (one.image for part in lists for one in part), mirrors=mirror != "none"
    )
    enrolled, probed = (readable(part, embedded.unreadable) for part in lists)
    vectors, gallery = seen_as(embedded, mirror, floor=quality_floor)
    whole = protocol.open_set(vectors, enrolled, probed, pipeline.calibration, gallery=gallery)
    with progress_bar("galleries") as progress:
        by_size = gallery_sizes(
            vectors, enrolled, probed, pipeline.calibration,
            sizes=wanted, gallery=gallery, seed=seed, progress=progress,
        )  # fmt: skip
    if as_json:
        report = _header(pipeline, embedded) | {"open_set": asdict(whole), "sizes": asdict(by_size)}
        typer.echo(json.dumps(report))
    else:
        print_open_set(console(), pack_name(pipeline), whole, by_size)


@app.command()
def calibration(
    *,
    images: ImagesOption,
    people: PeopleOption = None,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare all photographs with all; print the table for the embedder's pack.

    Measured for single photographs and for the centroids of three, weighted by quality as people are
    enrolled; the table takes the stricter. Every rate is an upper bound at 95 %, found by drawing the people
    anew; one that the comparisons cannot bear is left out.
    """
    from edged.cli.measuring import chosen_photographs, embed, open_pipeline

    found = chosen_photographs(images, people)
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    embedded = embed(pipeline, images, (item.image for item in found))
    owners = {item.image: item.person for item in found}
    _print(_header(pipeline, embedded) | _calibration(embedded, owners), as_json=as_json)


@app.command("all")
def everything(
    *,
    images: ImagesOption,
    pairs: Annotated[Path, typer.Option("--pairs", help="CSV: image_a,image_b,same.")],
    enrol: Annotated[Path, typer.Option("--enrol", help="CSV: person,image; who is enrolled.")],
    probes: Annotated[Path, typer.Option("--probes", help="CSV: person,image; no person for strangers.")],
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every protocol from one pass over the photographs."""
    from edged.cli.measuring import embed, open_pipeline
    from edged.evaluation import open_set as protocol
    from edged.evaluation.protocols import photographs, read_labelled, read_pairs, readable, readable_pairs
    from edged.evaluation.verification import verify_pairs

    found, listed = photographs(images), read_pairs(pairs)
    enrolled, probed = read_labelled(enrol), read_labelled(probes)
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    embedded = embed(pipeline, images, (item.image for item in found))
    listed = readable_pairs(listed, embedded.unreadable)
    enrolled, probed = (readable(part, embedded.unreadable) for part in (enrolled, probed))
    report = _header(pipeline, embedded) | {
        "pairs": asdict(verify_pairs(embedded, listed)),
        "open_set": asdict(protocol.open_set(embedded, enrolled, probed, pipeline.calibration)),
    }
    people = {item.image: item.person for item in found}
    _print(report | _calibration(embedded, people), as_json=as_json)


@app.command()
def template(
    *,
    images: ImagesOption,
    reference: Annotated[
        str | None, typer.Option(help="Place the faces by this detector pack's points instead of its own.")
    ] = None,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the alignment template of the detector for the embedder's pack."""
    from edged.cli.measuring import open_pipeline, passed_over, progress_bar
    from edged.evaluation.protocols import photographs
    from edged.evaluation.template import fitted_template, main_landmarks

    names = [item.image for item in photographs(images)]
    pipeline = open_pipeline(config, models, detector, embedder)
    other = open_pipeline(config, models, reference, embedder) if reference else None
    with progress_bar("photographs") as progress:
        own = main_landmarks(pipeline.detect, images, names, progress, passed_over)
    with progress_bar("reference") as progress:
        placing = main_landmarks(other.detect, images, names, progress) if other else None
    fitted, faces = fitted_template(own, pipeline.standard_template, placing)
    points = [[round(float(value), 4) for value in point] for point in fitted]
    _print({"landmarks": pipeline.landmarks, "faces": faces, "template": points}, as_json=as_json)


def _header(pipeline: "FacePipeline", embedded: "Embedded") -> dict[str, Any]:
    from edged.cli.measuring import described

    return {
        **described(pipeline),
        "photographs": len(embedded.names) + len(embedded.without_face),
        "face_rate": embedded.face_rate,
        "refused_rate": sum(embedded.shortfalls.values()) / max(1, len(embedded.names)),
        "shortfalls": dict(embedded.shortfalls),
        "unreadable": dict(embedded.unreadable),
    }


def _calibration(embedded: "Embedded", people: dict[str, str]) -> dict[str, Any]:
    from edged.cli.measuring import progress_bar
    from edged.evaluation.cross_pairs import single_and_centroid, strictest

    owners = [people[name] for name in embedded.names]
    with progress_bar("rates") as progress:
        single, centroid = single_and_centroid(
            embedded.vectors, owners, progress, qualities=[one.score for one in embedded.qualities]
        )
    return {
        "single": [asdict(point) for point in single],
        "centroid": [asdict(point) for point in centroid],
        "calibration": [
            {
                "fmr": point.fmr,
                "threshold": point.threshold,
                "comparisons": point.comparisons,
                "bound": point.fmr,
            }
            for point in strictest(single, centroid)
        ],
    }


def _print(report: dict[str, Any], *, as_json: bool) -> None:
    """Print JSON, or the same as YAML: it reads well and can be pasted into a pack."""
    if as_json:
        typer.echo(json.dumps(report))
        return
    import yaml

    typer.echo(yaml.safe_dump(report, sort_keys=False, default_flow_style=None, width=110), nl=False)

"""``edged eval``: how well the models tell people apart, on labelled photographs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.eval_compare import compare
from edged.cli.eval_detection import detection
from edged.cli.eval_liveness import liveness
from edged.cli.measuring import (
    ConfigOption,
    DetectorOption,
    EmbedderOption,
    ModelsOption,
    PeopleOption,
    PrecisionOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.evaluation.embedding import Embedded
    from edged.vision.pipeline import FacePipeline

app = typer.Typer(help="Measure accuracy on labelled photographs.", no_args_is_help=True)
app.command()(compare)
app.command()(detection)
app.command()(liveness)

ImagesOption = Annotated[Path, typer.Option("--images", help="The photographs, one folder a person.")]
PairsOption = Annotated[Path, typer.Option("--pairs", help="CSV: image_a,image_b,same.")]
EnrolOption = Annotated[Path, typer.Option("--enrol", help="CSV: person,image; who is enrolled.")]
ProbesOption = Annotated[Path, typer.Option("--probes", help="CSV: person,image; no person for strangers.")]


@app.command()
def pairs(
    *,
    images: ImagesOption,
    pairs: PairsOption,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """1:1: accuracy over listed pairs of photographs."""
    from edged.cli.measuring import open_pipeline
    from edged.evaluation.protocols import read_pairs
    from edged.evaluation.verification import verify_pairs

    listed = read_pairs(pairs)
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    embedded = _embed(pipeline, images, (name for pair in listed for name in (pair.first, pair.second)))
    _print(_header(pipeline, embedded) | {"pairs": asdict(verify_pairs(embedded, listed))}, as_json=as_json)


@app.command()
def open_set(
    *,
    images: ImagesOption,
    enrol: EnrolOption,
    probes: ProbesOption,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """1:N with strangers: what a door sees."""
    from edged.cli.measuring import open_pipeline
    from edged.evaluation import open_set as protocol
    from edged.evaluation.protocols import read_labelled

    enrolled, probed = read_labelled(enrol), read_labelled(probes)
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    embedded = _embed(pipeline, images, (item.image for item in (*enrolled, *probed)))
    result = asdict(protocol.open_set(embedded, enrolled, probed, pipeline.calibration))
    _print(_header(pipeline, embedded) | {"open_set": result}, as_json=as_json)


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

    Measured for single photographs and for the centroids of three, as people are enrolled; the table
    takes the stricter. A false match rate without 30 errors behind it is left out.
    """
    from edged.cli.measuring import chosen_photographs, open_pipeline

    found = chosen_photographs(images, people)
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    embedded = _embed(pipeline, images, (item.image for item in found))
    owners = {item.image: item.person for item in found}
    _print(_header(pipeline, embedded) | _calibration(embedded, owners), as_json=as_json)


@app.command("all")
def everything(
    *,
    images: ImagesOption,
    pairs: PairsOption,
    enrol: EnrolOption,
    probes: ProbesOption,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every protocol from one pass over the photographs."""
    from edged.cli.measuring import open_pipeline
    from edged.evaluation import open_set as protocol
    from edged.evaluation.protocols import photographs, read_labelled, read_pairs
    from edged.evaluation.verification import verify_pairs

    found, listed = photographs(images), read_pairs(pairs)
    enrolled, probed = read_labelled(enrol), read_labelled(probes)
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    embedded = _embed(pipeline, images, (item.image for item in found))
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
    from edged.cli.measuring import open_pipeline, progress_bar
    from edged.evaluation.protocols import photographs
    from edged.evaluation.template import fitted_template, main_landmarks

    names = [item.image for item in photographs(images)]
    pipeline = open_pipeline(config, models, detector, embedder)
    other = open_pipeline(config, models, reference, embedder) if reference else None
    with progress_bar("photographs") as progress:
        own = main_landmarks(pipeline.detect, images, names, progress)
    with progress_bar("reference") as progress:
        placing = main_landmarks(other.detect, images, names, progress) if other else None
    fitted, faces = fitted_template(own, pipeline.standard_template, placing)
    points = [[round(float(value), 4) for value in point] for point in fitted]
    _print({"landmarks": pipeline.landmarks, "faces": faces, "template": points}, as_json=as_json)


def _embed(pipeline: "FacePipeline", images: Path, names: "Iterable[str]") -> "Embedded":
    from edged.cli.measuring import progress_bar
    from edged.evaluation.embedding import embed_photographs

    with progress_bar("photographs") as progress:
        return embed_photographs(pipeline, images, names, progress)


def _header(pipeline: "FacePipeline", embedded: "Embedded") -> dict[str, Any]:
    return {
        "detector": pipeline.detector_name,
        "embedder": pipeline.embedder_name,
        "space": pipeline.space,
        "weights": pipeline.weights,
        "photographs": len(embedded.names) + len(embedded.without_face),
        "face_rate": embedded.face_rate,
        "refused_rate": sum(embedded.shortfalls.values()) / max(1, len(embedded.names)),
        "shortfalls": dict(embedded.shortfalls),
    }


def _calibration(embedded: "Embedded", people: dict[str, str]) -> dict[str, Any]:
    from edged.evaluation.cross_pairs import centroid_pairs, cross_pairs, det_points, strictest

    owners = [people[name] for name in embedded.names]
    single = det_points(cross_pairs(embedded.vectors, owners))
    centroid = det_points(centroid_pairs(embedded.vectors, owners))
    return {
        "single": [asdict(point) for point in single],
        "centroid": [asdict(point) for point in centroid],
        "calibration": [
            {"fmr": point.fmr, "threshold": point.threshold, "comparisons": point.comparisons}
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

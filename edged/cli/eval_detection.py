"""``edged eval detection``: a detector held against another one, and shown pictures without a face."""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.measuring_options import (
    ConfigOption,
    DetectorOption,
    LimitOption,
    ModelsOption,
    PeopleOption,
    PrecisionOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from edged.evaluation.detection import DetectionReport


def detection(
    *,
    images: Annotated[Path, typer.Option(help="Photographs of faces, folders below included.")],
    reference: Annotated[str, typer.Option(help="The detector pack whose faces count as the truth.")],
    faceless: Annotated[Path | None, typer.Option(help="A folder of pictures without any face.")] = None,
    generated: Annotated[int, typer.Option(min=0, help="Drawn pictures without a face to show.")] = 600,
    limit: LimitOption = 0,
    views: Annotated[
        int, typer.Option(min=1, max=8, help="Average the reference's points over so many views.")
    ] = 8,
    people: PeopleOption = None,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Faces found, landmark error, small, dark, leaning and covered faces, and false faces.

    The reference's main face of every photograph is the truth, found at an overlap (IoU) of 0.5. Its
    points are averaged over mirrored and smaller views, because one view is off by several percent.
    Sizes are face widths in a frame of 320 x 320. False faces are counted on drawn pictures, on the
    photographs with their faces taken out, and on those of --faceless.
    """
    import msgspec

    from edged.cli.measuring import chosen_photographs, models_section, progress_bar
    from edged.evaluation.detection import FAINT_SCORE, DetectionTrial, run_trial
    from edged.evaluation.embedding import read_image
    from edged.evaluation.protocols import images_below
    from edged.vision.opening import open_detector

    section = models_section(config, directory=models, detector=detector, precision=precision)
    truth = msgspec.structs.replace(section, detector=reference, detection_threshold=FAINT_SCORE)
    trial = DetectionTrial(
        open_detector(section)[1].detect,
        open_detector(truth)[1].detect,
        threshold=section.detection_threshold,
        views=views,
    )
    listed = [images / one.image for one in chosen_photographs(images, people)] if people else None
    paths = listed or images_below(images)
    step = max(1, len(paths) // limit) if limit else 1
    shown = [partial(read_image, path) for path in paths[::step]]
    empty = [partial(read_image, path) for path in images_below(faceless)] if faceless else []
    with progress_bar("pictures") as progress:
        report = run_trial(trial, shown, generated=generated, faceless=empty, progress=progress)
    for why in report.unreadable:
        print(f"edged: passed over: {why}", file=sys.stderr)
    if as_json:
        names = {
            "detector": section.detector,
            "reference": reference,
            "threshold": section.detection_threshold,
        }
        typer.echo(json.dumps(names | asdict(report)))
    else:
        _show(report, f"{section.detector} against {reference}")


def _show(report: "DetectionReport", title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    found = Table("faces", "shown", "found", "%", "points off, % of eye distance", title=title)
    for name, one in report.findings.items():
        error = "" if one.landmark_error is None else f"{one.landmark_error:.2f}"
        found.add_row(name, str(one.faces), str(one.found), f"{100 * one.rate:.2f}", error)
    false = Table("no face", "pictures", "with a false face", "false faces")
    for name, alarms in (*report.false_alarms.items(), ("all", report.all_false_alarms)):
        false.add_row(name, str(alarms.pictures), str(alarms.alarmed), str(alarms.faces))
    console = Console()
    console.print(found)
    console.print(false)
    without = report.without_reference
    console.print(f"{report.photographs} photographs, {without} without a face for the reference either")
    if report.reference_spread is not None:
        console.print(f"the reference's own points are {report.reference_spread:.2f} % off its other views")

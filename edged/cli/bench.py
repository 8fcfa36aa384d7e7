"""``edged bench``: how long each stage takes on this machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.measuring import (
    ConfigOption,
    DetectorOption,
    EmbedderOption,
    ModelsOption,
    PrecisionOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.domain.liveness import Cue
    from edged.evaluation.benchmark import BenchResult
    from edged.vision.liveness_meter import Part

# Photographs are kept in memory; more than this many tell nothing new.
_MAX_IMAGES = 64


def bench(
    *,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    images: Annotated[
        Path | None, typer.Option(help="A folder of photographs; without it frames are synthetic.")
    ] = None,
    gallery: Annotated[int, typer.Option(min=0, max=1_000_000, help="People to match against.")] = 1000,
    liveness: Annotated[
        str | None,
        typer.Option(
            help="A liveness pack: its networks and each cue are measured as well; without one what the "
            "configuration measures."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100_000, help="Frames to measure.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Measure detection, alignment, quality, embedding, matching and liveness with the configured models."""
    from edged.cli.measuring import open_pipeline, progress_bar
    from edged.evaluation.benchmark import run_benchmark, synthetic_images
    from edged.evaluation.embedding import read_image
    from edged.evaluation.protocols import images_below

    pipeline = open_pipeline(config, models, detector, embedder, precision)
    pictures = (
        [read_image(path) for path in images_below(images)[:_MAX_IMAGES]] if images else synthetic_images()
    )
    with progress_bar("frames") as progress:
        result = run_benchmark(
            pipeline,
            pictures,
            gallery=gallery,
            rounds=rounds,
            liveness=_cues(config, models, liveness),
            progress=progress,
        )
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    else:
        _show(result)


def _cues(config: Path | None, models: Path | None, pack: str | None) -> "Mapping[Cue, Part]":
    """Return what measures each cue; nothing where liveness is off and no pack is named.

    Raises ``ConfigError`` or ``ModelError``.
    """
    import msgspec

    from edged.cli.measuring import liveness_section, models_section
    from edged.vision.liveness_meter import FaceLiveness

    section = liveness_section(config)
    if pack is not None:
        section = msgspec.structs.replace(section, pack=pack)
    elif section.mode == "off":
        return {}
    return FaceLiveness.open(models_section(config, directory=models), section).parts


def _show(result: "BenchResult") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", "p50 ms", "p95 ms", title=f"{result.detector} + {result.embedder}")
    for stage, took in [*result.stages.items(), ("frame", result.frame)]:
        table.add_row(stage, f"{took.p50_ms:.2f}", f"{took.p95_ms:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"{result.rounds} frames, {result.faces} with a face, {result.gallery} people, "
        f"peak memory {result.peak_rss_mb:.0f} MB"
    )

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
    from edged.evaluation.benchmark import BenchResult
    from edged.vision.liveness_meter import FaceLiveness

# Photographs are kept in memory; more than this many tell nothing new.
_MAX_IMAGES = 64


def bench(
    *,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    liveness: Annotated[
        str | None,
        typer.Option(
            help="A liveness pack, timed with every cue. Without one liveness is timed as configured, and "
            "left out where it is off."
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="A folder of photographs; without it frames are synthetic.")
    ] = None,
    gallery: Annotated[int, typer.Option(min=0, max=1_000_000, help="People to match against.")] = 1000,
    rounds: Annotated[int, typer.Option(min=1, max=100_000, help="Frames to measure.")] = 100,
    limit: Annotated[
        bool,
        typer.Option(
            "--limit",
            help="Print what the machine could do at most beside each network: its multiplications over the "
            "rate of a matrix product here, and which share of it is reached.",
        ),
    ] = False,
    idle: Annotated[
        int | None,
        typer.Option(
            min=5,
            max=3600,
            metavar="SECONDS",
            help="Run a whole door before an empty corridor for so long; print its share of a core, and how "
            "soon the motion gate has somebody looked for.",
        ),
    ] = None,
    latency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            metavar="ROUNDS",
            help="Let the people of the demo come to a whole door so many times; print the time from the "
            "first usable face to the lock line.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure detection, alignment, quality, embedding, matching and liveness with the configured models."""
    from edged.cli.bench_idle import bench_door
    from edged.cli.bench_limit import show_limits, stage_limits
    from edged.cli.measuring import models_section, open_pipeline, progress_bar
    from edged.evaluation.benchmark import run_benchmark, synthetic_images
    from edged.evaluation.embedding import read_image
    from edged.evaluation.protocols import images_below

    section = models_section(
        config, directory=models, detector=detector, embedder=embedder, precision=precision
    )
    if idle or latency:
        bench_door(section, idle, latency, as_json=as_json)
        return
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    alive = _liveness(config, models, liveness)
    pictures = (
        [read_image(path) for path in images_below(images)[:_MAX_IMAGES]] if images else synthetic_images()
    )
    with progress_bar("frames") as progress:
        result = run_benchmark(
            pipeline,
            pictures,
            gallery=gallery,
            rounds=rounds,
            progress=progress,
            cues=None if alive is None else alive.apart(),
            liveness=None if alive is None else alive.pack_name,
        )
    reached = stage_limits(section, result) if limit else []
    if as_json:
        told = asdict(result) | ({"limits": [asdict(one) for one in reached]} if limit else {})
        typer.echo(json.dumps(told))
        return
    _show(result)
    if limit:
        show_limits(reached, section.threads)


def _liveness(config: Path | None, models: Path | None, pack: str | None) -> "FaceLiveness | None":
    """Open what is to be timed; None where liveness is off. Raises ``ConfigError`` or ``ModelError``."""
    from edged.cli.measuring import liveness_section, models_section
    from edged.config.sections import LivenessConfig
    from edged.vision.liveness_meter import FaceLiveness

    section = liveness_section(config) if pack is None else LivenessConfig(mode="advisory", pack=pack)
    return FaceLiveness.load(models_section(config, directory=models), section)


def _show(result: "BenchResult") -> None:
    from rich.console import Console
    from rich.table import Table

    names = (result.detector, result.embedder, result.liveness)
    table = Table("stage", "p50 ms", "p95 ms", title=" + ".join(filter(None, names)))
    for stage, took in [*result.stages.items(), ("frame", result.frame)]:
        table.add_row(stage, f"{took.p50_ms:.2f}", f"{took.p95_ms:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"{result.rounds} frames, {result.faces} with a face, {result.gallery} people, "
        f"peak memory {result.peak_rss_mb:.0f} MB"
    )

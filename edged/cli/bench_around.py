"""``edged bench --around``: what a frame with one face costs beside its networks."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from edged.domain.types import Image
    from edged.evaluation.frame_cost import FrameCost
    from edged.vision.pipeline import FacePipeline

# Pictures are kept in memory; more than this many tell nothing new.
_MAX_IMAGES = 64
_VISIT_FRAMES = 16


def tell_around(
    pipeline: "FacePipeline", images: Path | None, *, gallery: int, rounds: int, as_json: bool
) -> None:
    """Measure ``images``, or somebody who walks up to a camera of 640 x 480, and print what came of it.

    Raises ``EvaluationError`` where no picture has a face.
    """
    from edged.cli.measuring import progress_bar
    from edged.evaluation.frame_cost import around_the_networks

    shown = _pictures(images) if images else _visitor()
    with progress_bar("frames") as progress:
        cost = around_the_networks(pipeline, shown, gallery=gallery, rounds=rounds, progress=progress)
    if as_json:
        typer.echo(json.dumps(asdict(cost)))
    else:
        _show(cost)


def _pictures(folder: Path) -> "list[Image]":
    from edged.evaluation.embedding import read_image
    from edged.evaluation.protocols import images_below

    return [read_image(path) for path in images_below(folder)[:_MAX_IMAGES]]


def _visitor() -> "list[Image]":
    from edged.demo.bundled import bundled_cast
    from edged.evaluation.scene import write_scene

    photos = next(iter(bundled_cast()[0].values()))
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as folder:
        write_scene([photos[-1:]], Path(folder), frames_a_visit=_VISIT_FRAMES, gap_frames=0)
        return _pictures(Path(folder))


def _show(cost: "FrameCost") -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"{cost.detector} + {cost.embedder}, one face, {cost.width} x {cost.height}"
    table = Table("stage", "networks CPU ms", "around CPU ms", title=title)
    for stage, part in [*cost.stages.items(), ("frame", cost.frame)]:
        table.add_row(stage, f"{part.networks_ms:.3f}" if part.networks_ms else "", f"{part.around_ms:.3f}")
    console = Console()
    console.print(table)
    console.print(
        f"around the networks: {cost.share:.1%} of a frame, {cost.share_settled:.1%} of one whose face is "
        f"not embedded; what nine of ten of {cost.rounds} frames took at least"
    )

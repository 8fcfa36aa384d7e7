"""``edged demo``: a door on a desk."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def demo(
    photos: Annotated[
        Path | None,
        typer.Option(
            "--photos", envvar="EDGED_DEMO_PHOTOS", help="One folder a person, two or more photographs each."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", envvar="EDGED_DEMO_WEIGHTS", help="A folder with model weights to import."),
    ] = None,
    camera: Annotated[
        str | None, typer.Option("--camera", help="A webcam (0, or a device) instead of the replay.")
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where the demo keeps its files.")] = Path(
        "var/demo"
    ),
    http_port: Annotated[
        int, typer.Option("--http-port", min=0, max=65535, help="Port of the metrics.")
    ] = 9477,
) -> None:
    """Show the whole way from camera to lock, event and metric, without camera, GPIO or broker.

    People are enrolled from photographs, come to the door one after the other, and so do strangers.
    """
    from rich.console import Console

    from edged.demo.performance import perform

    sys.exit(
        perform(
            Console(highlight=False, soft_wrap=True),
            folder,
            photos=photos,
            weights=weights,
            camera=camera,
            http_port=http_port,
        )
    )

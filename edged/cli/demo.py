"""``edged demo``: a door on a desk."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from edged.cli.options import JsonOption


def demo(
    *,
    photos: Annotated[
        Path | None,
        typer.Option(
            help="Your own people: one folder each, two or more photographs; one alone is a stranger."
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(help="A number (0), device, stream or video file instead of the replay; Ctrl-C ends."),
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="A folder of installed packs, or of weights to import.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="Name of the detector's pack.")] = None,
    embedder: Annotated[str | None, typer.Option(help="Name of the embedder's pack.")] = None,
    liveness: Annotated[
        str | None,
        typer.Option(
            help="Name of a liveness pack. Without one the replay of the bundled people is guarded by a cue "
            "that needs none, and your own photographs or camera by nothing."
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Write one picture of the show, .jpg or .png.", dir_okay=False)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, max=86_400, help="End after this time, whatever is left to show.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its files.")] = Path("var/demo"),
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the metrics.")] = 9477,
    as_json: JsonOption = False,
) -> None:
    """Show the whole way from camera to lock, event and metric, without camera, GPIO or broker.

    People come to the door one after the other, so do strangers, and one holds up a printed photograph.
    Exit code 1 where an enrolled person was not let in, or anybody else was.
    """
    from rich.console import Console

    from edged.demo.console import DemoConsole
    from edged.demo.performance import Wishes, perform
    from edged.demo.preparation import Options

    console = DemoConsole(Console(highlight=False, soft_wrap=True, stderr=as_json))
    result = perform(
        console,
        Options(
            folder, models, detector, embedder, http_port, liveness, guarded=photos is None and camera is None
        ),
        Wishes(photos, camera, seconds, picture),
    )
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    sys.exit(0 if result["ok"] else 1)

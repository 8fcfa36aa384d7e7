"""``edged camera``: which cameras there are, and what they show."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonLinesOption

app = typer.Typer(help="List cameras, look at pictures, measure.", no_args_is_help=True)


# A USB camera's exposure settles within a second.
_SETTLE_SECONDS = 1.0


@app.command("list")
def list_devices(as_json: JsonLinesOption = False) -> None:
    """List the cameras of Video4Linux with the names that survive a restart."""
    from edged.devices.camera_list import list_cameras

    cameras = list_cameras()
    for camera in cameras:
        if as_json:
            typer.echo(json.dumps(asdict(camera)))
        else:
            typer.echo(f"{camera.device}  {camera.name}")
            for path in camera.stable:
                typer.echo(f"    {path}")
    if not cameras and not as_json:
        typer.echo("No camera of Video4Linux. A CSI camera is read by a command source.", err=True)


@app.command()
def snapshot(
    output: Annotated[Path, typer.Argument(help="The file to write, .jpg or .png.", dir_okay=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Write one picture of the configured camera to a file that only you can read."""
    from edged.config.loading import load
    from edged.devices.camera_factory import open_camera
    from edged.storage.files import create_private_file
    from edged.vision.picture import encode
    from edged.workers.camera_probe import CameraProbe

    if output.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
        raise typer.BadParameter(f"expected a name ending in .jpg or .png, got {output.name!r}")
    camera = load(config).camera
    with CameraProbe(open_camera(camera), camera) as probe:
        timeout = camera.first_frame_timeout_ms / 1000 + 2 * _SETTLE_SECONDS
        image = probe.frame(timeout, settle_seconds=_SETTLE_SECONDS).image
    if force:
        output.unlink(missing_ok=True)
    if not create_private_file(output, encode(image, output.suffix.lower())):
        raise typer.BadParameter(f"{output} exists; --force replaces it")
    height, width = image.shape[:2]
    values = {"path": str(output), "width": width, "height": height}
    typer.echo(json.dumps(values) if as_json else f"{output}: {width}x{height}")


@app.command()
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    seconds: Annotated[int, typer.Option(min=1, max=3600, help="How long to look.")] = 5,
    as_json: JsonLinesOption = False,
) -> None:
    """Print the state, size, rate and age of the frames, once a second. Exit status 1 if it ends badly."""
    from edged.config.loading import load
    from edged.devices.camera_factory import open_camera
    from edged.domain.picture import CameraState
    from edged.workers.camera_probe import CameraProbe

    camera = load(config).camera
    with CameraProbe(open_camera(camera), camera) as probe:
        for _ in range(seconds):
            sample = probe.sample(1.0)
            if as_json:
                typer.echo(json.dumps(asdict(sample)))
            else:
                typer.echo(
                    f"{sample.state:6}  {sample.width}x{sample.height}  {sample.fps:5.1f} fps  "
                    f"age {sample.age_ms:4.0f} ms  {sample.problem}".rstrip()
                )
            if sample.state == CameraState.ENDED:
                break
    if sample.state not in {CameraState.UP, CameraState.ENDED}:
        raise typer.Exit(1)

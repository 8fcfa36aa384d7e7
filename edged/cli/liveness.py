"""``edged liveness``: what the liveness check is worth at this door."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

if TYPE_CHECKING:
    from edged.config import Config
    from edged.domain.types import Image
    from edged.workers.liveness_trial import LivenessTrial, TrialVisit

app = typer.Typer(help="Test the liveness check at the door.", no_args_is_help=True)

_LIVE = "live"
# After the prompt, until what the camera still had in its buffers is gone.
_SETTLE_SECONDS = 0.7


@app.callback()
def group() -> None:
    """Test the liveness check at the door."""


@app.command("test")
def run_protocol(
    *,
    live: Annotated[int, typer.Option(min=0, max=1000, help="Visits of living people.")] = 10,
    prints: Annotated[int, typer.Option("--print", min=0, max=1000, help="Printed photographs.")] = 5,
    phone: Annotated[int, typer.Option(min=0, max=1000, help="Photographs on a phone.")] = 5,
    tablet: Annotated[int, typer.Option(min=0, max=1000, help="Photographs on a tablet.")] = 5,
    replay: Annotated[int, typer.Option(min=0, max=1000, help="Videos of a visit, on any screen.")] = 5,
    frames: Annotated[int, typer.Option(min=1, max=1000, help="Usable pictures a presentation.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Longest time of a presentation.")] = 15.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: presentations follow each other.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="The file to write; without it a new one beside the journal.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show living people and attacks to the configured camera; print APCER a species and BPCER.

    The terms are those of ISO/IEC 30107-3; each rate has its 95 % interval (Clopper-Pearson). Nothing is
    unlocked and no picture is kept. Test with the people, the light and the media of this door, attacks
    with photographs of enrolled people; twenty presentations without an error still leave room for 17 %.
    Measures whatever liveness.mode says. Exit status 1 where a presentation could not be made.
    """
    from edged.config.loading import load

    counts = {"print": prints, "phone": phone, "tablet": tablet, "replay": replay, _LIVE: live}
    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter("no terminal to ask at: give --yes, and show one presentation after another")
    settings = load(config)
    found = _run(settings, counts, frames=frames, seconds=seconds, ask=not yes)
    document = _document(settings, found)
    path = output or settings.journal.path.parent / f"liveness-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    _store(path, document)
    if as_json:
        typer.echo(json.dumps(document | {"path": str(path)}))
    else:
        _show(document, path)
    if len(found) < sum(counts.values()):
        raise typer.Exit(1)


def _run(
    settings: "Config", counts: Mapping[str, int], *, frames: int, seconds: float, ask: bool
) -> "list[tuple[str, TrialVisit]]":
    """Make the presentations in turn; a camera that ends, ends them."""
    from contextlib import closing

    from edged.devices.camera_factory import open_camera
    from edged.enrolment.guided import frames_of

    trial = _trial(settings, frames=frames, seconds=seconds)
    found: list[tuple[str, TrialVisit]] = []
    images = frames_of(open_camera(settings.camera))
    with closing(images):
        for kind, count in counts.items():
            for number in range(1, count + 1):
                if ask:
                    _prompt(kind, number, count)
                    _settle(images)
                visit = trial.present(images)
                if visit.ended and visit.frames == 0:
                    return found
                found.append((kind, visit))
                _tell(kind, number, count, visit)
    return found


def _trial(settings: "Config", *, frames: int, seconds: float) -> "LivenessTrial":
    from prometheus_client import CollectorRegistry

    from edged.metrics import Metrics
    from edged.vision.liveness_meter import FaceLiveness
    from edged.vision.pipeline import FacePipeline
    from edged.workers.liveness import LivenessWatch
    from edged.workers.liveness_trial import LivenessTrial, TrialLimits

    section = settings.liveness
    watch = LivenessWatch(
        FaceLiveness.open(settings.models, section),
        Metrics(CollectorRegistry()),
        time.monotonic,
        timeout_seconds=section.timeout_ms / 1000,
    )
    return LivenessTrial(
        FacePipeline.load(settings.models, settings.quality),
        watch,
        settings.decision,
        threshold=section.threshold,
        limits=TrialLimits(frames, seconds),
        clock=time.monotonic,
    )


def _prompt(kind: str, number: int, count: int) -> None:
    what = "a living person" if kind == _LIVE else f"an attack: {kind}"
    typer.echo(
        f"{kind} {number} of {count}: show {what} to the camera, then press Enter ", nl=False, err=True
    )
    sys.stdin.readline()


def _settle(images: "Iterator[Image]") -> None:
    until = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < until and next(images, None) is not None:
        pass


def _tell(kind: str, number: int, count: int, visit: "TrialVisit") -> None:
    if not visit.frames:
        typer.echo(f"{kind} {number} of {count}: no usable face", err=True)
        return
    word = "taken for live" if visit.alive else "not taken for live"
    typer.echo(f"{kind} {number} of {count}: {word}, liveness {_number(visit.liveness)}", err=True)


def _document(settings: "Config", found: "Sequence[tuple[str, TrialVisit]]") -> dict[str, Any]:
    from edged import __version__

    section = settings.liveness
    return {
        "version": 1,
        "edged": __version__,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "site": settings.site,
        "door_id": settings.door_id,
        "detector": settings.models.detector,
        "pack": section.pack,
        "cues": list(section.cues),
        "mode": section.mode,
        "threshold": section.threshold,
        "rates": {kind: _rate(kind, found) for kind in dict.fromkeys(kind for kind, _ in found)},
        "presentations": [{"kind": kind, **asdict(visit)} for kind, visit in found],
    }


def _rate(kind: str, found: "Sequence[tuple[str, TrialVisit]]") -> dict[str, Any]:
    from edged.domain.presentation import ErrorRate

    visits = [visit for name, visit in found if name == kind]
    judged = [visit for visit in visits if visit.frames]
    wrong = sum(visit.alive != (kind == _LIVE) for visit in judged)
    rate = ErrorRate.of(wrong, len(judged))
    measure = "BPCER" if kind == _LIVE else "APCER"
    return {"measure": measure, **asdict(rate), "rate": rate.rate, "no_face": len(visits) - len(judged)}


def _store(path: Path, document: Mapping[str, Any]) -> None:
    from edged.errors import StoreError
    from edged.storage.files import create_private_file, make_private_directory

    make_private_directory(path.parent)
    if not create_private_file(path, json.dumps(document, indent=1).encode()):
        raise StoreError(f"{path} exists; name another --output")


def _show(document: Mapping[str, Any], path: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("shown", "judged", "errors", "rate", "95 % interval", "no face")
    for kind, one in document["rates"].items():
        share = "" if one["rate"] is None else f"{100 * one['rate']:.1f} %"
        interval = f"{100 * one['low']:.1f} to {100 * one['high']:.1f} %"
        table.add_row(
            f"{one['measure']} {kind}",
            str(one["trials"]),
            str(one["errors"]),
            share,
            interval,
            str(one["no_face"]),
        )
    console = Console()
    console.print(table)
    console.print(f"liveness.mode is {document['mode']}; intervals by Clopper and Pearson; kept in {path}")


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"

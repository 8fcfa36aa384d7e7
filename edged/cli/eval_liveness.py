"""``edged eval liveness``: photographs shown live and as attacks, and what each cue adds."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edged.cli.measuring_options import ConfigOption, DetectorOption, LimitOption, ModelsOption, PeopleOption
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from edged.config.sections import LivenessConfig
    from edged.domain.presentation import ErrorRate
    from edged.evaluation.presentation_rates import Rates
    from edged.evaluation.presentation_trial import LivenessReport

_SPECIES = ("print", "phone", "tablet", "replay")
_CUES = ("border", "screen", "parallax")
_MOVING = 5  # frames from which parallax says anything

ImagesOption = Annotated[Path, typer.Option(help="Photographs of faces, one folder a person.")]
PackOption = Annotated[str | None, typer.Option(help="A liveness pack instead of the configured one.")]
CuesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cue",
        help=f"Only these cues beside the pack ({', '.join(_CUES)}); repeatable. Parallax takes "
        f"--frames {_MOVING} or more.",
    ),
]
SpeciesOption = Annotated[
    list[str] | None,
    typer.Option("--species", help=f"Only these attacks ({', '.join(_SPECIES)}); repeatable."),
]
ThresholdOption = Annotated[
    float | None, typer.Option(min=0, max=1, help="Instead of the configured threshold.")
]
HalfOption = Annotated[
    Literal["all", "even", "odd"],
    typer.Option(help="Only people whose name has an even or odd SHA-256: tune on one, report the other."),
]
FramesOption = Annotated[
    int, typer.Option(min=1, max=30, help="Frames a presentation, swaying; parallax speaks from five on.")
]


def liveness(
    *,
    images: ImagesOption,
    pack: PackOption = None,
    cues: CuesOption = None,
    species: SpeciesOption = None,
    threshold: ThresholdOption = None,
    half: HalfOption = "all",
    limit: LimitOption = 0,
    frames: FramesOption = 1,
    people: PeopleOption = None,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    as_json: JsonOption = False,
) -> None:
    """APCER a species and BPCER (ISO/IEC 30107-3) on drawn attacks, and what each cue adds.

    Each photograph is shown live as it is, live as a visit to a corridor where the person can be cut out,
    and held up as a print, on a phone, on a tablet and in a replay. The attacks are drawn: they compare
    cues and find mistakes. For the figure of a door run `edged liveness test` there. What each cue adds
    comes from the same presentations, at the threshold and where as many of the living pass.
    """
    from edged.cli.measuring import models_section, progress_bar
    from edged.domain.presentation import Species
    from edged.evaluation.presentation_trial import PresentationTrial
    from edged.vision.liveness_meter import FaceLiveness
    from edged.vision.opening import open_detector

    _check(species or (), _SPECIES, "--species")
    _check(cues or (), _CUES, "--cue")
    section = models_section(config, directory=models, detector=detector)
    settings = _settings(config, pack, cues)
    _check_measurable(settings, frames)
    meter = FaceLiveness.open(section, settings)
    portraits = _portraits(images, people, half, limit)
    trial = PresentationTrial(
        open_detector(section)[1].detect,
        meter,
        portraits,
        [Species(name) for name in species or Species],
        frames=frames,
    )
    with progress_bar("photographs") as progress:
        trial.run(progress)
    report = trial.report(settings.threshold if threshold is None else threshold)
    if as_json:
        head = {"detector": section.detector, "pack": meter.pack_name, "half": half}
        typer.echo(json.dumps(head | _as_json(report)))
    else:
        _show(report, f"{section.detector}, {meter.pack_name or 'no pack'}, {half} people")


def _check(given: "Sequence[str]", known: "Sequence[str]", option: str) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise typer.BadParameter(f"{option}: expected one of {', '.join(known)}, got {unknown[0]!r}")


def _check_measurable(settings: "LivenessConfig", frames: int) -> None:
    if settings.pack is None and set(settings.cues) == {"parallax"} and frames < _MOVING:
        raise typer.BadParameter(
            f"parallax compares pictures of a movement: say --frames {_MOVING} or more, or add --pack or "
            "another --cue",
            param_hint="--cue",
        )


def _settings(config: Path | None, pack: str | None, cues: list[str] | None) -> "LivenessConfig":
    """Return the configured section with what the options replace."""
    import msgspec

    from edged.cli.measuring import liveness_section

    section = liveness_section(config)
    if pack is not None:
        section = msgspec.structs.replace(section, pack=pack)
    return section if cues is None else msgspec.structs.replace(section, cues=tuple(cues))


def _portraits(images: Path, people: Path | None, half: str, limit: int) -> Any:
    from functools import partial

    from edged.cli.measuring import chosen_photographs
    from edged.evaluation.embedding import read_image
    from edged.evaluation.presentation_trial import Portrait
    from edged.evaluation.split import in_half

    found = [one for one in chosen_photographs(images, people) if in_half(one.person, half)]
    step = max(1, len(found) // limit) if limit else 1
    chosen = found[::step][: limit or None]
    return [Portrait(one.image, partial(read_image, images / one.image)) for one in chosen]


def _as_json(report: "LivenessReport") -> dict[str, Any]:
    document = asdict(report)
    document["whole"] |= _summary(report.whole)
    for part in ("at_threshold", "ablation"):
        for name, one in getattr(report, part).items():
            document[part][name] |= _summary(one)
    return document


def _summary(one: "Rates") -> dict[str, float | None]:
    return {"rejected": one.rejected, "passed": one.passed, "worst_apcer": one.worst_apcer}


def _show(report: "LivenessReport", title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    whole = report.whole
    table = Table("shown", "faces", "errors", "rate", "95 % interval", title=title)
    for kind, one in whole.apcer.items():
        table.add_row(f"APCER {kind}", *_cells(one))
    for kind, one in whole.bpcer.items():
        table.add_row(f"BPCER {kind}", *_cells(one))
    console.print(table)
    console.print(_added("what each cue adds, at the threshold", report.at_threshold, whole))
    passed = _percent(whole.passed)
    console.print(_added(f"the same where {passed} of the living pass", report.ablation, whole))
    missing = ", ".join(f"{count} {kind}" for kind, count in whole.no_face.items())
    console.print(
        f"{report.photographs} photographs, frames a presentation: {report.frames}, threshold "
        f"{report.threshold:g}; without a face: {missing or 'none'}; intervals by Clopper and Pearson"
    )


def _added(title: str, sets: "Mapping[str, Rates]", whole: "Rates") -> "Table":
    """Return one row a set of cues: the shares of the living that pass and of the attacks rejected."""
    from rich.table import Table

    table = Table("cues", "live passed", "attacks rejected", *whole.apcer, title=title)
    for name, each in (*sets.items(), ("all", whole)):
        species = (None if one.rate is None else 1 - one.rate for one in each.apcer.values())
        table.add_row(name, *(_percent(share) for share in (each.passed, each.rejected, *species)))
    return table


def _cells(one: "ErrorRate") -> tuple[str, ...]:
    interval = f"{100 * one.low:.1f} to {100 * one.high:.1f} %"
    return str(one.trials), str(one.errors), _percent(one.rate), interval


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"

"""``edged eval run``: every protocol from one pass over the photographs, with a report in HTML."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.eval_door import asked_photographs, door_terms, read_dealt, read_lists, stated
from edged.cli.measuring_options import (
    ConfigOption,
    DealtOption,
    DetectorOption,
    EmbedderOption,
    EnrolOption,
    FloorOption,
    FpsOption,
    FramesOption,
    ImagesOption,
    LeastOption,
    MirrorOption,
    ModelsOption,
    PacksOption,
    PeopleOption,
    PrecisionOption,
    ProbesOption,
    RiskOption,
    SecurityOption,
    SeedOption,
    ShareOption,
    SizesOption,
    VisitOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.cli.measuring import Measured
    from edged.evaluation.failures import Label
    from edged.evaluation.measurement import Lists
    from edged.evaluation.protocols import Labelled

HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write a report with plots to this file.")]
AnonymousOption = Annotated[
    bool, typer.Option("--anonymous", help="Name nobody: hashes under a key that is kept nowhere.")
]
ProtocolsOption = Annotated[str, typer.Option("--protocols", metavar="A,B,...", help="Which of them to run.")]
PairsOption = Annotated[
    Path | None, typer.Option("--pairs", help="CSV: image_a,image_b,same. Without one they are drawn.")
]


def run(
    *,
    images: ImagesOption,
    html: HtmlOption = None,
    anonymous: AnonymousOption = False,
    packs: PacksOption = None,
    protocols: ProtocolsOption = "closed-set,pairs,open-set,door",
    pairs: PairsOption = None,
    enrol: EnrolOption = None,
    probes: ProbesOption = None,
    people: PeopleOption = None,
    enrolled: ShareOption = 0.7,
    min_photos: LeastOption = 2,
    sizes: SizesOption = "10,30,100,300,1000,3000,10000",
    risk: RiskOption = None,
    security: SecurityOption = None,
    dealt: DealtOption = None,
    frames: FramesOption = 6,
    fps: FpsOption = 10.0,
    visit: VisitOption = "views",
    seed: SeedOption = 1,
    mirror: MirrorOption = "none",
    quality_floor: FloorOption = False,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure closed set, 1:1, open set and the door, for one pack or several side by side.

    One pass over the photographs serves all of it but the door's frames. The report is one file without
    scripts, photographs or names of files; people are called by their folders, unless --anonymous.
    """
    from edged.cli.measuring import measured_packs, opened_packs, print_measured
    from edged.evaluation.failures import anonymous_labels, relabelled
    from edged.evaluation.measurement import Terms
    from edged.evaluation.protocols import read_pairs

    label: Label = anonymous_labels() if anonymous else str
    lists = read_lists(enrol, probes, people)
    asked = read_protocols(protocols)
    terms = Terms(
        images, relabelled(_photographs(images, people, lists, asked), label), protocols=asked,
        pairs=read_pairs(pairs) if pairs else None, door_lists=lists and _relabelled(lists, label),
        share=enrolled, least=min_photos, sizes=read_sizes(sizes),
        door=door_terms(config, stated(risk, security), frames, fps, visit, dealt=read_dealt(dealt)),
        mirror=mirror, floor=quality_floor, seed=seed, with_paths=not anonymous, label=label,
    )  # fmt: skip
    opened = opened_packs(
        packs, config=config, models=models, detector=detector, embedder=embedder, precision=precision
    )
    measured = measured_packs(opened, terms)
    if html is not None:
        _write(html, measured, seed, mirror, floor=quality_floor)
    print_measured(measured, {"seed": seed}, as_json=as_json)


def _photographs(
    images: Path, people: Path | None, lists: "Lists | None", protocols: list[str]
) -> "list[Labelled]":
    """Return those of the lists where no protocol draws its own from all of them."""
    return asked_photographs(images, people, lists if set(protocols) <= {"open-set", "door"} else None)


def read_sizes(text: str) -> list[int]:
    """Read numbers with commas between. Raises ``BadParameter``."""
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as exc:
        raise typer.BadParameter(
            f"--sizes: expected whole numbers with commas between, got {text!r}"
        ) from exc
    if any(size < 1 for size in found):
        raise typer.BadParameter(f"--sizes: expected numbers above 0, got {text!r}")
    return found


def read_protocols(text: str) -> list[str]:
    """Read names with commas between. Raises ``BadParameter``."""
    from edged.evaluation.measurement import PROTOCOLS

    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found or not set(found) <= set(PROTOCOLS):
        raise typer.BadParameter(f"--protocols: expected some of {', '.join(PROTOCOLS)}, got {text!r}")
    return found


def _relabelled(lists: "Lists", label: "Label") -> "Lists":
    from edged.evaluation.failures import relabelled

    enrol, probes = lists
    return relabelled(enrol, label), relabelled(probes, label)


def _write(
    path: Path,
    measured: "Iterable[Measured]",
    seed: int,
    mirror: str,
    *,
    floor: bool,
) -> None:
    from edged import __version__
    from edged.cli.measuring import described
    from edged.errors import EvaluationError
    from edged.evaluation.report.page import Section, page

    told: dict[str, Any] = {
        "edged": __version__,
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seed": seed,
        "mirroring": mirror,
        "quality floor": "counted as no face" if floor else "at the door alone",
    }
    sections = [Section(name, described(pipeline), one) for name, pipeline, one in measured]
    try:
        path.write_text(page(sections, told), encoding="utf-8")
    except OSError as exc:
        raise EvaluationError(f"{path}: the report cannot be written: {exc.strerror or exc}") from exc

"""``edged eval door``: visits through the whole decision engine, photographs for frames."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from edged.cli.measuring_options import (
    ConfigOption,
    DealtOption,
    DetectorOption,
    EmbedderOption,
    EnrolOption,
    FpsOption,
    FramesOption,
    ImagesOption,
    MirrorOption,
    ModelsOption,
    PacksOption,
    PeopleOption,
    PrecisionOption,
    ProbesOption,
    RiskOption,
    SecurityOption,
    SeedOption,
    VisitOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from edged.domain.decision import DecisionPolicy
    from edged.domain.risk import Level
    from edged.evaluation.measurement import DoorTerms, Lists
    from edged.evaluation.protocols import Labelled


def door(
    *,
    images: ImagesOption,
    enrol: EnrolOption = None,
    probes: ProbesOption = None,
    people: PeopleOption = None,
    packs: PacksOption = None,
    risk: RiskOption = None,
    security: SecurityOption = None,
    dealt: DealtOption = None,
    frames: FramesOption = 6,
    fps: FpsOption = 10.0,
    visit: VisitOption = "views",
    seed: SeedOption = 1,
    mirror: MirrorOption = "none",
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Visits at a door: granted, refused, let in as somebody else, strangers let in, frames to a decision.

    Every frame passes the quality floor, the search and the engine with the configured policy, at the
    threshold that the risk and the number of people lead to. There is no tracking, and no check for
    liveness: photographs cannot tell. Without lists a third of the people stay strangers. --mirror is for
    the enrolled photographs alone; frames are never mirrored.
    """
    from edged.cli.measuring import measured_packs, opened_packs, print_measured
    from edged.evaluation.measurement import Terms

    lists = read_lists(enrol, probes, people)
    terms = Terms(
        images,
        asked_photographs(images, people, lists),
        protocols=("door",),
        door_lists=lists,
        door=door_terms(config, stated(risk, security), frames, fps, visit, dealt=read_dealt(dealt)),
        mirror=mirror,
        seed=seed,
    )
    opened = opened_packs(
        packs, config=config, models=models, detector=detector, embedder=embedder, precision=precision
    )
    print_measured(measured_packs(opened, terms), as_json=as_json)


def read_lists(enrol: Path | None, probes: Path | None, people: Path | None) -> "Lists | None":
    """Read who is enrolled and who asks, or None where no list is given.

    Raises ``BadParameter`` for one without the other or beside a list of people, ``EvaluationError``.
    """
    from edged.evaluation.protocols import read_labelled

    if enrol is None and probes is None:
        return None
    if enrol is None or probes is None:
        raise typer.BadParameter("--enrol and --probes go together")
    if people is not None:
        raise typer.BadParameter("--people is for folders: lists say themselves who is in them")
    return read_labelled(enrol), read_labelled(probes)


def asked_photographs(images: Path, people: Path | None, lists: "Lists | None") -> "list[Labelled]":
    """Return the photographs of ``lists``, strangers by their folders; without lists those below ``images``.

    Raises ``EvaluationError``.
    """
    from edged.cli.measuring import chosen_photographs
    from edged.evaluation.protocols import Labelled, folder_of

    if lists is None:
        return chosen_photographs(images, people)
    every = {one.image: one.person or folder_of(one.image) for part in lists for one in part}
    return [Labelled(person, image) for image, person in every.items()]


def stated(risk: float | None, security: "Level | None") -> float | None:
    """Return the risk that is asked for instead of the configured one. Raises ``BadParameter`` for two."""
    from edged.domain.risk import LEVELS

    if risk is not None and security is not None:
        raise typer.BadParameter("--risk and --security say the same: leave one out")
    return LEVELS[security] if security is not None else risk


def read_dealt(text: str | None) -> 'int | Literal["carried"] | None':
    """Read a number above 0, or ``carried``. Raises ``BadParameter``."""
    if text is None or text == "carried":
        return "carried" if text else None
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise typer.BadParameter(f"--dealt: expected a number above 0 or 'carried', got {text!r}")
    return int(text)


def door_terms(
    config: Path | None,
    risk: float | None,
    frames: int,
    fps: float,
    kind: Literal["views", "photographs"],
    *,
    dealt: 'int | Literal["carried"] | None' = None,
) -> "DoorTerms":
    """Return how the configured door is asked. Raises ``ConfigError``."""
    from edged.cli.measuring import settings_of
    from edged.config.risk import stated_risk
    from edged.config.sections import (
        CameraConfig,
        DecisionConfig,
        FolderSource,
        LivenessConfig,
        SecurityConfig,
    )
    from edged.evaluation.measurement import DoorTerms
    from edged.workers.policy import decision_policy

    settings = settings_of(config)
    decision = settings.decision if settings else DecisionConfig()
    configured = stated_risk(settings.security if settings else SecurityConfig(), decision)
    camera = settings.camera if settings else CameraConfig(source=FolderSource(path=Path()))

    def policy(threshold: float | None) -> "DecisionPolicy":
        # Photographs are what liveness is there to refuse, and whether the door is armed is not the question.
        off = LivenessConfig(mode="off")
        return replace(decision_policy(decision, camera, off, threshold), armed=True)

    asked = replace(configured, target_fpir=risk or configured.target_fpir)
    return DoorTerms(policy, asked, frames, fps, kind, dealt)

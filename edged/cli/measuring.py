"""What ``edged eval`` and ``edged bench`` share: which models, and the progress bar."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from edged.config.sections import Config, LivenessConfig, ModelsConfig, QualityConfig
    from edged.evaluation.embedding import Embedded, Progress
    from edged.evaluation.measurement import Measurement
    from edged.evaluation.protocols import Labelled
    from edged.vision.pipeline import FacePipeline

_DEFAULT_CONFIG = Path("config.yaml")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="EDGED_CONFIG",
        help="The configuration file; without one, config.yaml if it is there, else the defaults.",
    ),
]
ModelsOption = Annotated[
    Path | None, typer.Option("--models", help="The folder of packs instead of the configured one.")
]
DetectorOption = Annotated[str | None, typer.Option(help="A detector pack instead of the configured one.")]
EmbedderOption = Annotated[str | None, typer.Option(help="An embedder pack instead of the configured one.")]
PrecisionOption = Annotated[
    Literal["float32", "int8"] | None, typer.Option(help="A precision instead of the configured one.")
]
PacksOption = Annotated[
    str | None,
    typer.Option(
        "--packs",
        metavar="A,B,...",
        help="Packs side by side instead of one: EMBEDDER, DETECTOR+EMBEDDER, or a pack that holds both; "
        "then, if wished, :float32 or :int8.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="What is drawn is the same for each seed.")]
MirrorOption = Annotated[
    Literal["none", "enrolment", "both"],
    typer.Option(
        "--mirror",
        help="Take the mean of a face's vector and its mirror image's: of enrolled photographs, or of all. "
        "1:1 knows none or all. The packs' thresholds were measured without.",
    ),
]
FloorOption = Annotated[
    bool,
    typer.Option(
        "--quality-floor", help="Count a photograph below the configured quality floor as one without a face."
    ),
]
PeopleOption = Annotated[
    Path | None,
    typer.Option("--people", help="Only these people: a file of folder names, or of their hashes."),
]


_PRECISIONS = ("auto", "float32", "int8")


def open_pack(
    name: str, config: Path | None, models: Path | None, detector: str | None = None
) -> "FacePipeline":
    """Open ``DETECTOR+EMBEDDER:precision``, or a pack that holds both models.

    A pack that holds an embedder alone is joined with ``detector``, or the configured one. Raises
    ``BadParameter``, ``ConfigError`` or ``ModelError``.
    """
    from edged.vision.packs import Catalogue

    names, _, precision = name.partition(":")
    first, _, second = names.partition("+")
    if precision and precision not in _PRECISIONS:
        raise typer.BadParameter(
            f"{name}: expected a precision of {', '.join(_PRECISIONS)}, got {precision!r}"
        )
    if not second:
        section = models_section(config, directory=models)
        tasks = {model.task for model in Catalogue(section.directory).find(first).models}
        second, first = first, first if "detector" in tasks else detector or section.detector
    return open_pipeline(config, models, first, second, precision or "auto")


def opened_packs(
    packs: str | None,
    *,
    config: Path | None,
    models: Path | None,
    detector: str | None,
    embedder: str | None,
    precision: str | None,
) -> "list[tuple[str, FacePipeline]]":
    """Open the packs of ``--packs``, or the one of the other options, each with the name to print.

    Raises as ``open_pack``.
    """
    if packs is None:
        pipeline = open_pipeline(config, models, detector, embedder, precision)
        name = pack_name(pipeline)
        return [(f"{name}:{precision}" if precision else name, pipeline)]
    if embedder or precision:
        raise typer.BadParameter("--packs names the embedders and precisions: leave the other options out")
    names = [name.strip() for name in packs.split(",") if name.strip()]
    if not names or len(set(names)) != len(names):
        raise typer.BadParameter(f"--packs: expected different packs with commas between, got {packs!r}")
    return [(name, open_pack(name, config, models, detector)) for name in names]


def pack_name(pipeline: "FacePipeline") -> str:
    """Return ``DETECTOR+EMBEDDER``, or the name of the pack that holds both."""
    return "+".join(dict.fromkeys((pipeline.detector_name, pipeline.embedder_name)))


def open_pipeline(
    config: Path | None,
    models: Path | None,
    detector: str | None,
    embedder: str | None,
    precision: str | None = None,
) -> "FacePipeline":
    """Open the configured models with what the options replace.

    Raises ``ConfigError`` or ``ModelError``.
    """
    from edged.vision.pipeline import FacePipeline

    wanted = {"directory": models, "detector": detector, "embedder": embedder, "precision": precision}
    section, quality = _sections(config)
    return FacePipeline.load(_changed(section, wanted), quality)


def models_section(config: Path | None, **wanted: Path | str | None) -> "ModelsConfig":
    """Return the configured models with what the options replace. Raises ``ConfigError``."""
    return _changed(_sections(config)[0], wanted)


def settings_of(config: Path | None) -> "Config | None":
    """Return the configuration, or None where there is none. Raises ``ConfigError``."""
    from edged.config.loading import load

    path = config or (_DEFAULT_CONFIG if _DEFAULT_CONFIG.is_file() else None)
    return load(path, os.environ) if path else None


def liveness_section(config: Path | None) -> "LivenessConfig":
    """Return the configured liveness section. Raises ``ConfigError``."""
    from edged.config.sections import LivenessConfig

    settings = settings_of(config)
    return settings.liveness if settings else LivenessConfig()


def quality_section(config: Path | None) -> "QualityConfig":
    """Return the configured floor of quality. Raises ``ConfigError``."""
    return _sections(config)[1]


def _sections(config: Path | None) -> "tuple[ModelsConfig, QualityConfig]":
    from edged.config.sections import ModelsConfig, QualityConfig

    settings = settings_of(config)
    return (settings.models, settings.quality) if settings else (ModelsConfig(), QualityConfig())


def _settings(config: Path | None) -> "Config | None":
    from edged.config.loading import load

    path = config or (_DEFAULT_CONFIG if _DEFAULT_CONFIG.is_file() else None)
    return load(path, os.environ) if path else None


def _changed(section: "ModelsConfig", wanted: "Mapping[str, Path | str | None]") -> "ModelsConfig":
    import msgspec

    changes = {key: value for key, value in wanted.items() if value is not None}
    return msgspec.structs.replace(section, **changes)


def chosen_photographs(images: Path, people: Path | None) -> "list[Labelled]":
    """Return the photographs below ``images``, of the listed people alone where there is a list.

    Raises ``EvaluationError``.
    """
    from edged.evaluation.comparison import only, read_people
    from edged.evaluation.protocols import photographs

    found = photographs(images)
    return found if people is None else only(found, read_people(people))


def embed(
    pipeline: "FacePipeline",
    images: Path,
    names: "Iterable[str]",
    what: str = "photographs",
    *,
    mirrors: bool = False,
) -> "Embedded":
    """Embed photographs below a progress bar; a file that is no picture is told on standard error.

    Raises ``EvaluationError`` where none is one.
    """
    from edged.evaluation.embedding import embed_photographs

    with progress_bar(what) as progress:
        embedded = embed_photographs(pipeline, images, names, progress, mirrors=mirrors)
    passed_over(embedded.unreadable)
    return embedded


def passed_over(unreadable: Mapping[str, str]) -> None:
    """Tell on standard error which files were passed over, and why."""
    for name, why in unreadable.items():
        print(f"edged: passed over: {name}: {why}", file=sys.stderr)


def described(pipeline: "FacePipeline") -> dict[str, Any]:
    """Return which models were measured, as JSON values."""
    return {
        "detector": pipeline.detector_name,
        "embedder": pipeline.embedder_name,
        "space": pipeline.space,
        "weights": pipeline.weights,
    }


def measured_row(name: str, pipeline: "FacePipeline", measured: "Measurement") -> dict[str, Any]:
    """Return what a pack reached as JSON values, without the protocols that were not asked for."""
    found = {key: value for key, value in asdict(measured).items() if value is not None}
    return {"pack": name, **described(pipeline), **found}


@contextmanager
def progress_bar(what: str) -> Iterator["Progress"]:
    """Give a callback (done, total) that draws a bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

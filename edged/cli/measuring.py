"""What ``edged eval`` and ``edged bench`` share: which models, and the progress bar."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from edged.config.sections import Config, LivenessConfig, ModelsConfig, QualityConfig
    from edged.evaluation.embedding import Progress
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
PeopleOption = Annotated[
    Path | None,
    typer.Option("--people", help="Only these people: a file of folder names, or of their hashes."),
]


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


def liveness_section(config: Path | None) -> "LivenessConfig":
    """Return the configured liveness section. Raises ``ConfigError``."""
    from edged.config.sections import LivenessConfig

    settings = _settings(config)
    return settings.liveness if settings else LivenessConfig()


def _sections(config: Path | None) -> "tuple[ModelsConfig, QualityConfig]":
    from edged.config.sections import ModelsConfig, QualityConfig

    settings = _settings(config)
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

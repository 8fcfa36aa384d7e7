"""What ``edged eval`` and ``edged bench`` share: which models, which photographs, a progress bar."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edged.cli.options import DEFAULT_CONFIG

if TYPE_CHECKING:
    from edged.config.sections import Config, LivenessConfig, ModelsConfig, MotionConfig, QualityConfig
    from edged.evaluation.embedding import Embedded, Progress
    from edged.evaluation.measurement import Measurement, Terms
    from edged.evaluation.protocols import Labelled
    from edged.vision.pipeline import FacePipeline

    Measured = tuple[str, FacePipeline, Measurement]  # the name to print, what was measured, what it reached

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

    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None)
    return load(path, os.environ) if path else None


def liveness_section(config: Path | None) -> "LivenessConfig":
    """Return the configured liveness section. Raises ``ConfigError``."""
    from edged.config.sections import LivenessConfig

    settings = settings_of(config)
    return settings.liveness if settings else LivenessConfig()


def motion_section(config: Path | None) -> "tuple[MotionConfig, str]":
    """Return the motion gate that the door would have, and where it is from. Raises ``ConfigError``."""
    from edged.config.sections import MotionConfig

    settings = settings_of(config)
    if settings is None:
        return MotionConfig(), "the defaults"
    return settings.motion, str(config or DEFAULT_CONFIG)


def quality_section(config: Path | None) -> "QualityConfig":
    """Return the configured floor of quality. Raises ``ConfigError``."""
    return _sections(config)[1]


def _sections(config: Path | None) -> "tuple[ModelsConfig, QualityConfig]":
    from edged.config.sections import ModelsConfig, QualityConfig

    settings = settings_of(config)
    return (settings.models, settings.quality) if settings else (ModelsConfig(), QualityConfig())


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


def measured_packs(opened: "Iterable[tuple[str, FacePipeline]]", terms: "Terms") -> "list[Measured]":
    """Measure what ``opened_packs`` returns, one after the other. Raises ``EvaluationError``."""
    from edged.evaluation.measurement import measure

    return [(name, pipeline, measure(pipeline, terms, progress_bar)) for name, pipeline in opened]


def print_measured(
    measured: "Iterable[Measured]",
    facts: "Mapping[str, Any] | None" = None,
    *,
    as_json: bool,
    per_person: bool = False,
) -> None:
    """Print tables, or one JSON object: ``facts``, and a row a pack."""
    from edged.cli.eval_view import print_measurements

    if as_json:
        typer.echo(json.dumps({**(facts or {}), "packs": [_measured_row(*one) for one in measured]}))
    else:
        print_measurements([(name, one) for name, _, one in measured], per_person=per_person)


def _measured_row(name: str, pipeline: "FacePipeline", measured: "Measurement") -> dict[str, Any]:
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

"""``edged bench``: how long each stage takes on this machine, and what it should run with."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edged.cli.bench_options import (
    FlameOption,
    GalleryOption,
    IdleOption,
    ImagesOption,
    LatencyOption,
    LimitFlag,
    LivenessOption,
    PlotOption,
    RoundsOption,
    SearchFlag,
    StartFlag,
    SweepFlag,
    WriteFlag,
)
from edged.cli.measuring_options import (
    ConfigOption,
    DetectorOption,
    EmbedderOption,
    ModelsOption,
    PrecisionOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from edged.config.sections import ModelsConfig
    from edged.evaluation.speed.frames import FrameSource
    from edged.evaluation.speed.settings import Workshop
    from edged.evaluation.speed.stages import BenchResult
    from edged.evaluation.speed.tuning import Sweep
    from edged.vision.choice import Weights
    from edged.vision.liveness_meter import FaceLiveness
    from edged.vision.pipeline import FacePipeline
    from edged.vision.profile import Profile

_VISIT_FRAMES = 12
# A dozen settings on a board that needs 100 ms for each of them.
_SWEEP_SECONDS = 90.0


def bench(
    *,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    liveness: LivenessOption = None,
    images: ImagesOption = None,
    gallery: GalleryOption = 1000,
    rounds: RoundsOption = 100,
    sweep: SweepFlag = False,
    write: WriteFlag = False,
    plot: PlotOption = None,
    flame: FlameOption = None,
    start: StartFlag = False,
    search: SearchFlag = False,
    limit: LimitFlag = False,
    idle: IdleOption = None,
    latency: LatencyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure every stage from the camera to the journal with the configured models.

    Every frame is searched whole and every face embedded: what tracking and the motion gate save comes on
    top. Stop a daemon first, or it is measured too.
    """
    from edged.cli import bench_view
    from edged.cli.bench_idle import Door, bench_door
    from edged.cli.bench_search import bench_search
    from edged.cli.bench_start import MOST_STARTS, bench_start
    from edged.cli.measuring import models_section, motion_section

    instead = {"--search": search, "--start": start, "--idle": idle, "--latency": latency}
    stages = {"--sweep": sweep, "--write": write, "--plot": plot, "--flame": flame, "--limit": limit}
    _refuse_mixture(instead, stages, as_json=as_json)
    if search:
        bench_search(gallery, as_json=as_json)
        return
    section = models_section(
        config, directory=models, detector=detector, embedder=embedder, precision=precision
    )
    if idle or latency:
        bench_door(Door(section, *motion_section(config)), idle, latency, as_json=as_json)
        return
    if start:
        bench_start(section, people=gallery, runs=min(rounds, MOST_STARTS), as_json=as_json)
        return
    pipeline = _opened(section, config)
    section = pipeline.threaded(section)
    alive = _liveness(config, section, liveness)
    with _source(images) as source:
        told = _Bench(section, pipeline, source, alive, config)
        if sweep or write:
            told.sweep(rounds)
        told.measure(gallery=gallery, rounds=rounds)
        if flame is not None:
            bench_view.draw_flame(told.pipeline, source, alive, gallery, flame)
    told.tell(write=write, limit=limit, plot=plot, as_json=as_json)


def _refuse_mixture(instead: Mapping[str, object], stages: Mapping[str, object], *, as_json: bool) -> None:
    """Raise where two things are asked for of which one would be left out without a word."""
    if as_json and instead["--idle"] and instead["--latency"]:
        raise typer.BadParameter("--json prints one document: ask for --idle or for --latency")
    other = [name for name, given in instead.items() if given]
    if other in (["--idle", "--latency"], []):
        other = other[:1]
    asked = [*other, *(name for name, given in stages.items() if given)]
    if other and len(asked) > 1:
        text = f"{other[0]} measures something else than the stages: {' and '.join(asked)} are two runs"
        raise typer.BadParameter(text)


@dataclass
class _Bench:
    """What is measured, and what came of it; after a sweep in the setting that was chosen."""

    section: "ModelsConfig"
    pipeline: "FacePipeline"
    source: "FrameSource"
    alive: "FaceLiveness | None"
    config: Path | None
    workshop: "Workshop | None" = None
    found: "Sweep | None" = None
    profile: "Profile | None" = None
    written: bool = False
    result: "BenchResult" = field(init=False)

    def sweep(self, rounds: int) -> None:
        """Race all settings and go on in the chosen one."""
        import msgspec

        from edged.cli.measuring import progress_bar
        from edged.evaluation.speed.settings import Workshop
        from edged.evaluation.speed.tuning import frames_of, pipeline_of, sweep

        self.workshop = workshop = Workshop(self.section, _measured(self.config))
        frames = frames_of(self.source, self.pipeline)
        with progress_bar("settings, in turns") as progress:
            self.found = sweep(workshop, frames, rounds=rounds, seconds=_SWEEP_SECONDS, progress=progress)
        chosen = self.found.chosen
        self.section = msgspec.structs.replace(
            self.section, threads=chosen.threads, precision=chosen.embedder_precision
        )
        self.pipeline = pipeline_of(workshop, chosen, self.pipeline.quality)

    def measure(self, *, gallery: int, rounds: int) -> None:
        """Time every stage, and choose how many frames a second they allow."""
        from edged.cli.measuring import progress_bar, settings_of
        from edged.config.sections import JournalConfig
        from edged.evaluation.speed.stages import run_benchmark
        from edged.evaluation.speed.tuning import make_profile

        settings = settings_of(self.config)
        with progress_bar("frames") as progress:
            self.result = run_benchmark(
                self.pipeline,
                self.source,
                gallery=gallery,
                rounds=rounds,
                journal=(settings.journal if settings else JournalConfig()).path,
                progress=progress,
                cues=None if self.alive is None else self.alive.apart(),
                liveness=None if self.alive is None else self.alive.pack_name,
            )
        if self.found is not None and self.workshop is not None:
            self.profile, cadence = make_profile(self.workshop, self.found, self.result)
            self.found = replace(self.found, picks=(*self.found.picks, cadence))

    def tell(self, *, write: bool, limit: bool, plot: Path | None, as_json: bool) -> None:
        """Put it in force where asked, print it, and draw it last. Raises ``ModelError``."""
        from edged.cli import bench_view

        if write:
            self.write()
        self.print(limit=limit, as_json=as_json)
        if plot is not None:
            bench_view.draw(self.result, plot)

    def write(self) -> None:
        """Put the profile in force. Raises ``ModelError``."""
        from edged.vision.profile import write_profile

        if self.profile is not None:
            write_profile(self.profile, self.section)
            self.written = True

    def print(self, *, limit: bool, as_json: bool) -> None:
        """Print all that was found. Raises ``ModelError`` where a limit cannot be counted."""
        from edged.cli import bench_view
        from edged.cli.bench_limit import show_limits, stage_limits
        from edged.vision.choice import running_threads

        shown = self.pipeline.shown_of(self.result.size)
        if as_json:
            reached = stage_limits(self.section, self.result, shown) if limit else []
            limits = {"limits": [asdict(one) for one in reached]} if limit else {}
            facts = bench_view.told(self.section, self.found, self.profile)
            typer.echo(json.dumps(asdict(self.result) | facts | limits))
            return
        if self.found is not None:
            bench_view.show_sweep(self.found)
        bench_view.show(self.result, self.section, self.pipeline.threads, swept=self.found is not None)
        if self.found is not None:
            bench_view.show_picks(self.section, self.found, written=self.written)
        if limit:  # last: without the package onnx nothing can be counted
            show_limits(stage_limits(self.section, self.result, shown), running_threads(self.section))


def _opened(section: "ModelsConfig", config: Path | None) -> "FacePipeline":
    from edged.cli.measuring import quality_section
    from edged.vision.pipeline import FacePipeline

    return FacePipeline.load(section, quality_section(config), _measured(config))


def _measured(config: Path | None) -> "Weights | None":
    """Return the files that the configured door was calibrated with, and therefore runs."""
    from edged.cli.measuring import settings_of
    from edged.storage.site_calibration import measured_weights

    settings = settings_of(config)
    return measured_weights(settings.gallery) if settings else None


@contextmanager
def _source(images: Path | None) -> "Iterator[FrameSource]":
    """Open what is shown; drawn frames lie in a folder of their own for as long."""
    import tempfile

    from edged.evaluation.speed.frames import open_source

    if images is not None:
        with open_source(images) as source:
            yield source
        return
    from edged.demo.bundled import bundled_cast
    from edged.evaluation.scene import write_scene

    with tempfile.TemporaryDirectory(prefix="edged-bench-") as folder:
        photos = next(iter(bundled_cast()[0].values()))
        write_scene([photos[:2]], Path(folder), frames_a_visit=_VISIT_FRAMES, gap_frames=0)
        with open_source(Path(folder)) as source:
            yield source


def _liveness(config: Path | None, models: "ModelsConfig", pack: str | None) -> "FaceLiveness | None":
    """Open what is to be timed; None where liveness is off. Raises ``ConfigError`` or ``ModelError``."""
    from edged.cli.measuring import liveness_section
    from edged.config.sections import LivenessConfig
    from edged.vision.liveness_meter import FaceLiveness

    section = liveness_section(config) if pack is None else LivenessConfig(mode="advisory", pack=pack)
    return FaceLiveness.load(models, section)

"""From what a machine was measured to do to the profile that its door runs with."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import onnxruntime

from edged import __version__
from edged.config.sections import QualityConfig
from edged.domain.types import FloatArray, Image
from edged.evaluation.embedding import Progress, main_face, silent
from edged.evaluation.speed.frames import FrameSource
from edged.evaluation.speed.picks import Pick, pick_cadence, pick_setting
from edged.evaluation.speed.race import Raced, Runner, race
from edged.evaluation.speed.settings import Setting, Workshop, settings_to_try
from edged.evaluation.speed.stages import BenchResult, StageTime, stand_in
from edged.vision.compiled import device
from edged.vision.embedder import FaceEmbedder
from edged.vision.packs import STANDARD_LANDMARKS
from edged.vision.pipeline import FacePipeline
from edged.vision.profile import Profile, Took, cores, fingerprint
from edged.vision.threads import Threads

# Enough different frames for every branch of a decoder, few enough to stay in memory.
_FRAMES = 16


@dataclass(frozen=True, slots=True)
class Sweep:
    """Every setting that was raced, the one to run, and why."""

    raced: tuple[Raced, ...]
    chosen: Setting
    picks: tuple[Pick, ...]


def sweep(
    workshop: Workshop,
    frames: Sequence[tuple[Image, Image]],
    *,
    rounds: int,
    seconds: float,
    progress: Progress = silent,
) -> Sweep:
    """Race all settings on ``frames`` (picture, aligned face). Raises ``ModelError``."""
    runners = []
    for setting in settings_to_try(workshop):
        detector, embedder = workshop.open_detector(setting), workshop.open_embedder(setting)
        runners.append(Runner(setting, detector.detect, partial(_embed, embedder)))
    raced = race(runners, frames, rounds=rounds, seconds=seconds, progress=progress)
    chosen, picks = pick_setting(raced, cores())
    return Sweep(tuple(raced), chosen, tuple(picks))


def pipeline_of(workshop: Workshop, setting: Setting, quality: QualityConfig) -> FacePipeline:
    """Return the pipeline that runs in ``setting``. Raises ``ModelError``."""
    detector, embedder = workshop.open_detector(setting), workshop.open_embedder(setting)
    spec = workshop.embedder_spec
    return FacePipeline(
        detector,
        embedder,
        template=spec.template_for(detector.landmarks),
        quality=quality,
        standard_template=spec.template_for(STANDARD_LANDMARKS),
        detector_name=setting.detector,
        embedder_name=workshop.embedder_pack.name,
        threads=Threads(setting.threads, "as the sweep chose"),
    )


def frames_of(source: FrameSource, pipeline: FacePipeline) -> list[tuple[Image, Image]]:
    """Return frames with their aligned faces. Raises ``CameraError``."""
    found = []
    for _ in range(_FRAMES):
        image = source.next().copy()
        face = main_face(pipeline.detect(image), image) or stand_in(image, pipeline)
        found.append((image, pipeline.align(image, face)))
    return found


def make_profile(workshop: Workshop, found: Sweep, result: BenchResult) -> tuple[Profile, Pick]:
    """Return the profile of this machine, and why it says so many frames a second.

    ``result`` was measured in ``found.chosen``.
    """
    models, setting = workshop.models, found.chosen
    fps, why = pick_cadence(result)
    _, detector = workshop.detector(setting.detector)
    profile = Profile(
        schema=1,
        device=device(),
        cores=cores(),
        onnxruntime=onnxruntime.__version__,
        providers=tuple(models.providers),
        edged=__version__,
        measured_at=round(time.time()),
        packs={"detector": fingerprint(detector), "embedder": fingerprint(workshop.embedder_spec)},
        names={"detector": setting.detector, "embedder": workshop.embedder_pack.name},
        precision={"detector": setting.detector_precision, "embedder": setting.embedder_precision},
        threads=setting.threads,
        frames_per_second=fps,
        frame=_took(result.frame),
        cpu_ms=result.cpu_ms.p50_ms,
        stages={stage: _took(took) for stage, took in result.stages.items()},
        reasons=tuple(f"{one.what} {one.value}: {one.why}"[:400] for one in [*found.picks, why]),
    )
    return profile, why


def _embed(embedder: FaceEmbedder, face: Image) -> FloatArray:
    return embedder.embed([face])


def _took(one: StageTime) -> Took:
    return Took(p50_ms=one.p50_ms, p95_ms=one.p95_ms)

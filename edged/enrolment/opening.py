"""Put enrolment together from sections of the configuration."""

import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edged.config.risk import stated_risk
from edged.config.sections import DecisionConfig, GalleryConfig, ModelsConfig, QualityConfig, SecurityConfig
from edged.domain.calibration import Threshold, threshold_for
from edged.domain.capacity import overfull
from edged.domain.gallery import build_snapshot, with_bars
from edged.domain.lookalikes import lookalike_rule
from edged.domain.people import Person
from edged.domain.types import Reason
from edged.enrolment.audit import Gallery, Progress, audit
from edged.enrolment.checks import PhotoCheck
from edged.enrolment.directory import Directory
from edged.enrolment.findings import Finding
from edged.enrolment.guided import GuidedCapture
from edged.enrolment.identification import Identifier
from edged.enrolment.levels import Levels, levels_for
from edged.enrolment.service import Enrolment, Policy
from edged.errors import EnrolmentError
from edged.storage.people import Contents, PeopleStore
from edged.storage.probes import ProbeStore
from edged.storage.site_calibration import DoorCalibration, measured_weights
from edged.storage.vault import Vault
from edged.vision.pipeline import FacePipeline


@dataclass(frozen=True, slots=True)
class Tools:
    """What one enrolment command needs; valid while the context that gave it is open."""

    enrolment: Enrolment
    directory: Directory
    guide: GuidedCapture
    calibration: DoorCalibration


@contextmanager
def open_enrolment(
    models: ModelsConfig,
    quality: QualityConfig,
    gallery: GalleryConfig,
    policy: Policy,
    *,
    largest_face: bool = False,
) -> Iterator[Tools]:
    """Open models and gallery for enrolment; a dry run opens the gallery for reading only.

    Raises ``ModelError``, ``StoreError``, ``EnrolmentError`` (no_calibration).
    """
    pipeline = FacePipeline.load(models, quality, measured_weights(gallery))
    levels = levels_for(pipeline.calibration, gallery.max_similar_score)
    vault = Vault.open(gallery.key_file)
    with PeopleStore.open(gallery.path, vault, writable=not policy.dry_run) as store:
        check = PhotoCheck(pipeline, _digest(vault), largest_face=largest_face)
        yield Tools(
            Enrolment(pipeline, store, check, levels, policy),
            Directory(store, ProbeStore.of(gallery, vault)),
            GuidedCapture(pipeline, check, levels.consistent),
            DoorCalibration.beside(gallery, pipeline),
        )


def open_identifier(
    models: ModelsConfig,
    quality: QualityConfig,
    gallery: GalleryConfig,
    *,
    security: SecurityConfig,
    decision: DecisionConfig,
    refusal: Callable[[Person], Reason | None],
    read: Callable[[str], Contents] | None = None,
) -> tuple[Identifier, Threshold, str | None]:
    """Open models and read the gallery once; ``refusal`` as ``Identifier`` has it.

    ``read`` gives the people of an embedding space where those enrolled here do not count.

    Returns the identifier, the threshold, and what is to be said where the calibration does not carry so
    many people.

    Raises ``ModelError``, ``StoreError``.
    """
    pipeline = FacePipeline.load(models, quality, measured_weights(gallery))
    contents = (read or _enrolled(gallery))(pipeline.space)
    snapshot = build_snapshot(
        pipeline.space,
        pipeline.dimension,
        contents.generation,
        contents.people,
        contents.templates,
        vetoes=contents.vetoes,
    )
    points, risk = DoorCalibration.beside(gallery, pipeline).points(), stated_risk(security, decision)
    threshold = threshold_for(points, len(snapshot.people), risk)
    rule = lookalike_rule(points, threshold=threshold.cosine, min_margin=decision.min_margin, risk=risk)
    barred = with_bars(snapshot, rule)
    identifier = Identifier(pipeline, barred, threshold, decision.min_margin, refusal=refusal)
    return identifier, threshold, overfull(points, len(snapshot.people), risk)


def _enrolled(gallery: GalleryConfig) -> Callable[[str], Contents]:
    def read(space: str) -> Contents:
        with PeopleStore.open(gallery.path, Vault.open(gallery.key_file), writable=False) as store:
            return store.contents(space)

    return read


def audit_gallery(
    models: ModelsConfig,
    quality: QualityConfig,
    gallery: GalleryConfig,
    security: SecurityConfig,
    decision: DecisionConfig,
    *,
    progress: Progress = lambda _done, _total: None,
) -> tuple[list[Finding], int]:
    """Read the gallery and audit it by the configured embedder; return the findings and how many people.

    ``progress`` as ``audit`` has it.

    Raises ``ModelError``, ``StoreError``, ``EnrolmentError`` (no_calibration).
    """
    pipeline = FacePipeline.load(models, quality, measured_weights(gallery))
    points, risk = DoorCalibration.beside(gallery, pipeline).points(), stated_risk(security, decision)
    if len(points) < 2:
        raise EnrolmentError("no_calibration", "the embedder's pack has no calibration table to audit by")
    with PeopleStore.open(gallery.path, Vault.open(gallery.key_file), writable=False) as store:
        contents, said = store.contents(pipeline.space), store.distinctions()
    known = Gallery.of(contents.people, contents.templates, said)
    seen = sum(bool(templates) for templates in known.templates)
    rule = lookalike_rule(
        points,
        threshold=threshold_for(points, seen, risk).cosine,
        min_margin=decision.min_margin,
        risk=risk,
    )
    levels = levels_for(points, gallery.max_similar_score)
    return audit(known, points, levels, rule, progress), len(known.people)


def levels_of(models: ModelsConfig, quality: QualityConfig, gallery: GalleryConfig) -> Levels:
    """Return the levels of the configured embedder. Raises ``ModelError``, ``EnrolmentError``."""
    return levels_for(
        FacePipeline.load(models, quality, measured_weights(gallery)).calibration, gallery.max_similar_score
    )


def _digest(vault: Vault) -> Callable[[bytes], bytes]:
    """Return the vault's digest; a rehearsal before the first enrolment has no key and makes do."""
    if vault.has_key():
        return vault.digest
    key = secrets.token_bytes(32)
    return lambda content: hmac.digest(key, content, "sha256")

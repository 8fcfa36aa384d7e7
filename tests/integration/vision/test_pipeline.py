"""From packs on disk to vectors of real faces."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.types import Image
from edged.errors import ModelError
from edged.evaluation.embedding import embed_photographs
from edged.evaluation.protocols import read_pairs
from edged.evaluation.verification import verify_pairs
from edged.vision.pipeline import FacePipeline

pytestmark = pytest.mark.weights


def vector(pipeline: FacePipeline, image: Image) -> np.ndarray:
    face = pipeline.detect(image)[0]
    return pipeline.embed([pipeline.align(image, face)])[0]


@pytest.mark.parametrize("detector", ["yunet", "scrfd-500m"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_listed_pairs_are_told_apart(
    models: ModelsConfig, photos_dir: Path, detector: str, precision: str
) -> None:
    changed = msgspec.structs.replace(models, detector=detector, precision=precision)
    pipeline = FacePipeline.load(changed, QualityConfig())
    pairs = read_pairs(photos_dir / "pairs.csv")
    some = [pair for pair in pairs if pair.same][:75] + [pair for pair in pairs if not pair.same][:75]
    names = {name for pair in some for name in (pair.first, pair.second)}
    embedded = embed_photographs(pipeline, photos_dir / "images", names)
    result = verify_pairs(embedded, some)
    assert embedded.face_rate == 1
    assert result.accuracy >= 0.98
    assert 0.15 < result.threshold < 0.4


@pytest.mark.timeout(600)
def test_all_listed_pairs_are_told_apart_as_the_figures_say(pipeline: FacePipeline, photos_dir: Path) -> None:
    pairs = read_pairs(photos_dir / "pairs.csv")
    names = {name for pair in pairs for name in (pair.first, pair.second)}
    embedded = embed_photographs(pipeline, photos_dir / "images", names)
    assert embedded.face_rate >= 0.999
    assert verify_pairs(embedded, pairs).accuracy >= 0.993


def test_a_face_is_the_same_person_mirrored_darker_larger_and_turned(
    pipeline: FacePipeline, photographs: list[Image]
) -> None:
    import cv2

    for image in photographs[:8]:
        whole = vector(pipeline, image)
        turn = cv2.getRotationMatrix2D((125, 125), 15, 1)
        for changed in (
            np.ascontiguousarray(image[:, ::-1]),
            (image * 0.6).astype(np.uint8),
            cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC),
            cv2.warpAffine(image, turn, (250, 250)),
        ):
            assert float(vector(pipeline, np.asarray(changed, np.uint8)) @ whole) > 0.6


def test_the_pipeline_says_what_it_is_made_of(pipeline: FacePipeline) -> None:
    assert (pipeline.detector_name, pipeline.embedder_name) == ("yunet", "arcface-y1")
    assert pipeline.dimension == 128
    assert pipeline.space.startswith("arcface-y1/")
    fmrs = [point.fmr for point in pipeline.calibration]
    thresholds = [point.threshold for point in pipeline.calibration]
    assert fmrs == sorted(fmrs, reverse=True)
    assert thresholds == sorted(thresholds)


def test_most_photographs_are_good_enough(pipeline: FacePipeline, photographs: list[Image]) -> None:
    refused = 0
    for image in photographs:
        face = pipeline.detect(image)[0]
        refused += pipeline.shortfall(pipeline.assess(face, pipeline.align(image, face))) is not None
    assert refused <= 8


def test_a_pack_without_its_file_says_how_to_install_it(models: ModelsConfig, tmp_path: Path) -> None:
    installed = tmp_path / "models"
    shutil.copytree(models.directory, installed, ignore=shutil.ignore_patterns("*.onnx"))
    with pytest.raises(ModelError, match=r"yunet is not installed.*edged models import DIR"):
        FacePipeline.load(msgspec.structs.replace(models, directory=installed), QualityConfig())


def test_an_altered_file_is_not_loaded(models: ModelsConfig, tmp_path: Path) -> None:
    installed = tmp_path / "models"
    shutil.copytree(models.directory, installed)
    path = next((installed / "arcface-y1").glob("*fast.onnx"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256"):
        FacePipeline.load(msgspec.structs.replace(models, directory=installed), QualityConfig())


def test_a_pack_of_another_task_is_refused(models: ModelsConfig) -> None:
    with pytest.raises(ModelError, match="detector"):
        FacePipeline.load(msgspec.structs.replace(models, detector="arcface-y1"), QualityConfig())


def test_a_provider_that_is_not_there_is_refused(models: ModelsConfig) -> None:
    with pytest.raises(ModelError, match="NoneSuchExecutionProvider"):
        FacePipeline.load(
            msgspec.structs.replace(models, providers=("NoneSuchExecutionProvider",)), QualityConfig()
        )

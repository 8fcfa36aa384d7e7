"""The research weights as installed packs."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.types import Image
from edged.vision.packs import Catalogue
from edged.vision.pipeline import FacePipeline

PACKS = ("yunet", "yunet-640", "scrfd-500m", "arcface-y1")


@pytest.fixture(scope="session")
def packs_dir(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs whose files are copies of the research weights, found by their hash."""
    installed = tmp_path_factory.mktemp("packs")
    by_hash = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in weights_dir.glob("*.onnx")}
    catalogue = Catalogue(installed)
    for name in PACKS:
        pack = catalogue.find(name)
        shutil.copytree(pack.directory, installed / name)
        for spec in pack.models:
            for file in spec.files.values():
                if file.sha256 in by_hash:
                    shutil.copy(by_hash[file.sha256], installed / name / file.name)
    return installed


@pytest.fixture(scope="session")
def models(packs_dir: Path) -> ModelsConfig:
    return ModelsConfig(directory=packs_dir, detector="yunet", embedder="arcface-y1")


@pytest.fixture(scope="session")
def pipeline(models: ModelsConfig) -> FacePipeline:
    return FacePipeline.load(models, QualityConfig())


@pytest.fixture(scope="session")
def photographs(photos_dir: Path) -> list[Image]:
    """200 photographs of 200 people."""
    folders = sorted((photos_dir / "images").iterdir())
    return [read(min(folder.glob("*.jpg"))) for folder in folders[:: len(folders) // 200][:200]]


@pytest.fixture(autouse=True)
def _one_opencv_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def read(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image, np.uint8)

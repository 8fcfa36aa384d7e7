"""What a frame costs around its networks, of a door on the starter pack; never how much."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.config.sections import ModelsConfig, QualityConfig
from edged.demo.bundled import bundled_cast
from edged.errors import EvaluationError
from edged.evaluation.frame_cost import STAGES, around_the_networks
from edged.vision.pipeline import FacePipeline
from edged.vision.session import OrtSession
from tests.integration.vision.conftest import read


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> FacePipeline:
    return FacePipeline.load(ModelsConfig(directory=tmp_path_factory.mktemp("none")), QualityConfig())


def portrait(path: Path) -> np.ndarray:
    frame = np.full((480, 640, 3), 120, np.uint8)
    frame[60:420, 140:500] = cv2.resize(read(path), (360, 360))
    return frame


def test_networks_and_what_is_around_them_are_told_apart(pipeline: FacePipeline) -> None:
    photos = next(iter(bundled_cast()[0].values()))
    cost = around_the_networks(pipeline, [portrait(photos[0])], gallery=10, rounds=4)
    assert tuple(cost.stages) == STAGES
    assert (cost.width, cost.height, cost.rounds) == (640, 480, 4)
    with_networks = {stage for stage, part in cost.stages.items() if part.networks_ms > 0}
    assert with_networks == {"detect", "embed"}
    assert all(part.around_ms > 0 for part in cost.stages.values())
    assert 0 < cost.share < 1
    assert cost.frame.networks_ms > max(part.networks_ms for part in cost.stages.values())
    for session in pipeline.networks:
        assert isinstance(session, OrtSession)
        assert session.times is None  # a door measures nothing


def test_pictures_without_a_face_tell_nothing(pipeline: FacePipeline) -> None:
    with pytest.raises(EvaluationError, match="one face each, found none"):
        around_the_networks(pipeline, [np.zeros((480, 640, 3), np.uint8)])

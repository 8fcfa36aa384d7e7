"""The liveness networks: what they are fed, and that nothing broken passes for a score."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edged.config.sections import ModelsConfig
from edged.domain.types import Box, Face, FloatArray, Image
from edged.errors import ModelError
from edged.vision.liveness import LivenessEnsemble, surroundings
from edged.vision.opening import open_liveness
from edged.vision.packs import ModelFile, ModelSpec
from tests.fakes.model_packs import descriptor as embedder
from tests.fakes.model_packs import write_liveness_pack, write_pack

FACE = Face(Box(40, 30, 20, 30), np.zeros((5, 2), np.float32), 0.9)
GREEN, RED = (0, 40, 0), (0, 0, 40)


def spec(crop_scale: float | None = 2.7, **changes: object) -> ModelSpec:
    file = ModelFile(name="a.onnx", sha256="0" * 64, size=1)
    values = {"task": "liveness", "decoder": "minifasnet", "files": {"float32": file}, "input": (80, 80)}
    return ModelSpec(**(values | {"channels": "bgr", "crop_scale": crop_scale} | changes))


class Saying:
    """A network that always says the same, and keeps what it was fed."""

    input_shape = (1, 3, 80, 80)

    def __init__(self, *logits: Sequence[float]) -> None:
        self.outputs = [np.array([one], np.float32) for one in logits]
        self.fed: list[FloatArray] = []

    def run(self, tensor: FloatArray) -> list[FloatArray]:
        self.fed.append(tensor)
        return self.outputs


def plain(colour: tuple[int, int, int], height: int = 120, width: int = 160) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def test_the_score_is_the_mean_of_the_networks_second_class() -> None:
    one, other = Saying([0.0, 0.0, 0.0]), Saying([0.0, 100.0, 0.0])
    ensemble = LivenessEnsemble([(one, spec(2.7)), (other, spec(4.0))])
    assert ensemble.score(plain(GREEN), FACE) == pytest.approx((1 / 3 + 1) / 2)


def test_pixels_are_fed_as_they_are_blue_first() -> None:
    network = Saying([0.0, 0.0, 0.0])
    LivenessEnsemble([(network, spec())]).score(plain((10, 20, 250)), FACE)
    assert network.fed[0].shape == (1, 3, 80, 80)
    assert network.fed[0].dtype == np.float32
    assert [float(channel.mean()) for channel in network.fed[0][0]] == [10, 20, 250]


def test_a_crop_is_the_box_scaled_about_its_middle() -> None:
    image = plain((0, 0, 0))
    image[44:47, 49:52] = 255  # the middle of the face
    crop = surroundings(image, FACE.box, 2.0, (40, 60))
    assert crop.shape == (60, 40, 3)
    assert np.argwhere(crop[..., 0] > 100).mean(axis=0) == pytest.approx((30, 20), abs=1.5)


@pytest.mark.parametrize("box", [Box(0, 0, 30, 40), Box(140, 90, 30, 40), Box(-10, -10, 40, 40)])
def test_at_the_edge_a_crop_moves_inwards_and_keeps_its_size(box: Box) -> None:
    image = np.repeat(np.arange(160, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(120, axis=0)
    crop = surroundings(image, box, 2.0, (160, 120))
    assert float(crop[0, -1, 0]) - float(crop[0, 0, 0]) == pytest.approx(2 * box.width, abs=3)


def test_a_crop_larger_than_the_picture_becomes_smaller() -> None:
    assert surroundings(plain(GREEN, 50, 60), Box(10, 5, 30, 40), 4.0, (80, 80)).shape == (80, 80, 3)


@pytest.mark.parametrize("box", [Box(0, 0, 0, 10), Box(0, 0, float("nan"), 10), Box(5, 5, 10, -4)])
def test_a_face_of_no_size_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="expected a face"):
        surroundings(plain(GREEN), box, 2.7, (80, 80))


@pytest.mark.parametrize(
    "network",
    [
        Saying([0.0, float("nan"), 0.0]),
        Saying([0.0, float("inf"), 0.0]),
        Saying([0.0, 1.0]),
        Saying([0.0, 1.0, 0.0], [0.0, 1.0, 0.0]),
    ],
)
def test_a_broken_network_gives_no_score(network: Saying) -> None:
    with pytest.raises(ModelError):
        LivenessEnsemble([(network, spec())]).score(plain(GREEN), FACE)


def test_what_is_no_liveness_network_is_refused() -> None:
    with pytest.raises(ModelError, match="one liveness network at least"):
        LivenessEnsemble([])
    with pytest.raises(ModelError, match="crop_scale"):
        LivenessEnsemble([(Saying([0.0, 1.0, 0.0]), spec(None))])
    with pytest.raises(ModelError, match="input"):
        LivenessEnsemble([(Saying([0.0, 1.0, 0.0]), spec(input=(64, 64)))])


def test_a_pack_of_two_networks_is_opened_as_one(tmp_path: Path) -> None:
    write_liveness_pack(tmp_path)
    pack, ensemble, digests = open_liveness(ModelsConfig(directory=tmp_path, threads=1), "toy-liveness")
    assert (pack.name, len(digests.split("+"))) == ("toy-liveness", 2)
    assert ensemble.score(plain(GREEN), FACE) > 0.99
    assert ensemble.score(plain(RED), FACE) < 0.01


def test_a_pack_without_liveness_or_without_its_file_is_refused(tmp_path: Path) -> None:
    models = ModelsConfig(directory=tmp_path, threads=1)
    write_pack(tmp_path, embedder("other"))
    with pytest.raises(ModelError, match="none of its models is for liveness"):
        open_liveness(models, "other")
    (write_liveness_pack(tmp_path) / "4.0.onnx").unlink()
    with pytest.raises(ModelError, match="liveness of pack toy-liveness is not installed"):
        open_liveness(models, "toy-liveness")

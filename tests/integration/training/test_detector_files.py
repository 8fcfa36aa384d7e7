"""From training to the ONNX files that edged and OpenCV read."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import export_detector  # noqa: E402 - needs both
from detector_hints import Hints, Teacher  # noqa: E402
from detector_net import Detector  # noqa: E402
from detector_scenes import BOX, COLUMNS, KIND, MAX_FACES, POINTS, SIDE, SURE, WEIGHTS  # noqa: E402
from train_detector import train  # noqa: E402

from edged.domain.types import FloatArray  # noqa: E402
from edged.vision.decoding import decode_yunet, suppress  # noqa: E402
from edged.vision.session import OrtSession  # noqa: E402

# torch's and onnx's own code warns about Python's future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def write_shard(folder: Path) -> None:
    """Four pictures of noise that claim to show a face."""
    face = np.zeros(COLUMNS, np.float32)
    face[BOX] = (100, 100, 80, 90)
    face[POINTS] = np.tile((140, 140), 5)
    face[WEIGHTS], face[KIND] = 1, SURE
    faces = np.zeros((4, MAX_FACES, COLUMNS), np.float32)
    faces[:, 0] = face
    folder.mkdir()
    pictures = np.random.default_rng(1).integers(0, 255, (4, SIDE, SIDE, 3), np.uint8)
    np.save(folder / "000000.npy", pictures)
    np.save(folder / "000000.faces.npy", faces)


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, object]:
    write_shard(tmp_path / "shards")
    return {
        "shards": tmp_path / "shards", "resume": None, "teacher": None, "decay": 0, "batch": 2,
        "rate": 1e-3, "device": "cpu", "seed": 1,
    }  # fmt: skip


def test_run_in_two_parts_ends_like_one(tmp_path: Path, asked: dict[str, object]) -> None:
    for out, ends in (("one", [2]), ("two", [1, 2])):
        for end in ends:
            train(argparse.Namespace(out=tmp_path / out, steps=end, **asked))
    first, second = (torch.load(tmp_path / out / "final.pt", weights_only=True) for out in ("one", "two"))
    for name, values in first.items():
        torch.testing.assert_close(values, second[name], rtol=1e-4, atol=1e-5)


@pytest.mark.weights
def test_teacher_gives_a_hint_for_every_stage(weights_dir: Path) -> None:
    teacher = Teacher(weights_dir / "yunet_n_320_320.onnx")
    x = torch.rand(2, 3, 64, 96) * 255
    maps = teacher.maps(x)
    seen = Detector().features(x)[1]
    assert [one.shape[2:] for one in maps] == [one.shape[2:] for one in seen]
    hints = Hints()
    learner = torch.optim.Adam(hints.parameters(), lr=0.05)
    missed = []
    for _ in range(60):
        loss = hints([one.detach() for one in seen], maps)
        learner.zero_grad()
        loss.backward()
        learner.step()
        missed.append(float(loss.detach()))
    assert missed[-1] < 0.5 * missed[0]
    with pytest.raises(ValueError, match="expected YuNet"):
        Teacher(weights_dir / "scrfd_det_500m.onnx")


@pytest.fixture(scope="module")
def net() -> Detector:
    """A net whose scores and boxes differ from cell to cell, and whose norms are not the identity."""
    torch.manual_seed(3)
    net = Detector()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(2, 3, 128, 128) * 255)
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.2, 0.2)
        for head in net.heads:
            assert isinstance(head, torch.nn.Conv2d)
            head.weight.normal_(std=0.15)
            assert head.bias is not None
            head.bias[:2] = -1.0
    return net.eval()


@pytest.fixture(scope="module")
def pictures() -> FloatArray:
    rng = np.random.default_rng(2)
    small = rng.integers(0, 256, (6, 40, 40, 3)).astype(np.float32)
    grown = [cv2.resize(one, (SIDE, SIDE)) for one in small]
    return np.ascontiguousarray(np.stack(grown).transpose(0, 3, 1, 2))


@pytest.fixture(scope="module")
def full(net: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "detector.onnx"
    onnx.save(export_detector.build(net, SIDE, 0.5), path)
    return path


def session(path: Path) -> OrtSession:
    return OrtSession(path, sha256=None, threads=1, providers=["CPUExecutionProvider"])


def test_file_says_what_the_net_says(net: Detector, full: Path, pictures: FloatArray) -> None:
    assert export_detector.verify(net, full, pictures, 0.5) < 1e-4
    with pytest.raises(ValueError, match="differs from the net"):
        export_detector.verify(net, full, pictures, 0.0)


def test_opencv_reads_the_same_faces(full: Path, pictures: FloatArray) -> None:
    image = pictures[0].transpose(1, 2, 0).astype(np.uint8)
    outputs = session(full).run(image.transpose(2, 0, 1)[None].astype(np.float32))
    threshold = float(np.quantile(_scores(outputs), 0.99))
    ours = suppress(decode_yunet(outputs, (SIDE, SIDE), threshold), 0.3)
    theirs = cv2.FaceDetectorYN.create(str(full), "", (SIDE, SIDE), threshold, 0.3, 5000)
    _, found = theirs.detect(image)
    assert found is not None
    # A box at the very edge of the threshold may be in one list and not in the other.
    best = 5
    np.testing.assert_allclose(found[:best, 14], ours.scores[:best], atol=1e-3)
    np.testing.assert_allclose(found[:best, :4], ours.boxes[:best], atol=0.1)
    np.testing.assert_allclose(found[:best, 4:14].reshape(-1, 5, 2), ours.landmarks[:best], atol=0.1)


def _scores(outputs: list[FloatArray]) -> FloatArray:
    return decode_yunet(outputs, (SIDE, SIDE), 0.0).scores


def test_int8_file_is_small_and_near(full: Path, pictures: FloatArray) -> None:
    small = full.with_name("detector-int8.onnx")
    export_detector.quantize(full, small, pictures)
    assert small.stat().st_size < 0.5 * full.stat().st_size
    exact, near = (_scores(session(path).run(pictures[:1])) for path in (full, small))
    assert np.corrcoef(exact, near)[0, 1] > 0.98
    kinds = {node.op_type for node in onnx.load(small).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds

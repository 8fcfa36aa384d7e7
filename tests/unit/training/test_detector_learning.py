"""Which cell learns what; the tensors are torch's."""

import argparse

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from detector_loss import Cells, assign, boxes, focal, losses, overlaps  # noqa: E402 - they need torch
from detector_net import Detector, multiply_adds  # noqa: E402
from detector_scenes import BOX, COLUMNS, IGNORED, KIND, MAX_FACES, POINTS, SIDE, SURE, WEIGHTS  # noqa: E402
from train_detector import cut_faces, mirror_faces, rate  # noqa: E402

from edged.domain.types import FloatArray  # noqa: E402
from edged.vision.decoding import decode_yunet  # noqa: E402

CELLS = Cells.of(SIDE, torch.device("cpu"))


def row(x: float, y: float, width: float, height: float, kind: int = SURE) -> FloatArray:
    face = np.zeros(COLUMNS, np.float32)
    face[BOX] = (x, y, width, height)
    spots = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    face[POINTS] = (spots * (width, height) + (x, y)).ravel()
    face[WEIGHTS] = 1
    face[KIND] = kind
    return face


def table(*rows: FloatArray) -> FloatArray:
    faces = np.zeros((1, MAX_FACES, COLUMNS), np.float32)
    for index, face in enumerate(rows):
        faces[0, index] = face
    return faces


def answering(*rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The face each cell answers for, and whether it counts."""
    targets = assign(torch.from_numpy(table(*rows)), CELLS)
    return targets.face[0].numpy(), targets.counted[0].numpy()


@pytest.mark.parametrize("side", [12, 16, 20, 40, 64, 100, 160, 300])
@pytest.mark.parametrize("x", [3.0, 7.9, 10.5])
def test_every_size_has_cells_that_answer(side: float, x: float) -> None:
    face, counted = answering(row(x, x, side, 1.2 * side))
    assert 1 <= (face == 0).sum() <= 2 * 16
    assert counted[face == 0].all()


def test_small_faces_are_answered_by_fine_cells_and_large_by_coarse() -> None:
    small, _ = answering(row(50, 50, 20, 24))
    large, _ = answering(row(10, 10, 250, 300))
    assert set(CELLS.stride[small == 0].tolist()) == {8}
    assert set(CELLS.stride[large == 0].tolist()) == {32}


def test_nearer_face_of_two_gets_the_cell() -> None:
    face, _ = answering(row(50, 50, 24, 30), row(62, 50, 24, 30))
    for index, x in ((0, 62.0), (1, 74.0)):
        centres = (CELLS.at[face == index, 0] + 0.5) * 8
        assert (centres - x).abs().max() <= 12


def test_doubtful_face_is_neither_asked_for_nor_punished() -> None:
    face, counted = answering(row(100, 100, 60, 70, IGNORED))
    assert (face == -1).all()
    centres = (CELLS.at + 0.5) * CELLS.stride[:, None]
    inside = ((centres > 101) & (centres < 159)).all(dim=1).numpy()
    assert not counted[inside].any()
    assert counted[(centres < 90).any(dim=1).numpy()].all()


def test_empty_picture_counts_every_cell() -> None:
    face, counted = answering()
    assert (face == -1).all()
    assert counted.all()


def test_boxes_are_those_of_the_decoder() -> None:
    rng = np.random.default_rng(1)
    outputs, offsets = [], rng.normal(0, 0.5, (len(CELLS.stride), 4)).astype(np.float32)
    for stride in (8, 16, 32):
        rows = (CELLS.stride == stride).numpy()
        number = int(rows.sum())
        outputs += [np.ones((1, number, 1), np.float32)] * 2
        outputs += [offsets[rows][None], np.zeros((1, number, 10), np.float32)]
    decoded = decode_yunet(outputs, (SIDE, SIDE), 0.5)
    ours = boxes(torch.from_numpy(offsets), CELLS.at, CELLS.stride[:, None])
    np.testing.assert_allclose(ours.numpy(), decoded.boxes, atol=1e-3)


def perfect(faces: FloatArray) -> tuple["torch.Tensor", ...]:
    """The maps of a net that knows the answer."""
    targets = assign(torch.from_numpy(faces), CELLS)
    face = targets.face[0].numpy()
    out = np.zeros((len(face), 16), np.float32)
    out[:, :2] = np.where(face >= 0, 20, -20)[:, None]
    at, stride = CELLS.at.numpy(), CELLS.stride.numpy()[:, None]
    known = faces[0][face.clip(0)]
    out[:, 2:4] = (known[:, :2] + known[:, 2:4] / 2) / stride - at
    out[:, 4:6] = np.log(np.maximum(known[:, 2:4], 1) / stride)
    out[:, 6:] = (known[:, POINTS].reshape(-1, 5, 2) / stride[:, None] - at[:, None]).reshape(-1, 10)
    maps = []
    for size in (8, 16, 32):
        rows = out[(CELLS.stride == size).numpy()].reshape(SIDE // size, SIDE // size, 16)
        maps.append(torch.from_numpy(rows.transpose(2, 0, 1)[None].copy()))
    return tuple(maps)


def test_right_answer_costs_nothing_and_each_error_its_part() -> None:
    faces = table(row(50, 60, 30, 36), row(120, 100, 150, 180))
    maps = perfect(faces)
    known = torch.from_numpy(faces)
    right = losses(maps, known, CELLS)
    assert sum(float(value) for value in right.values()) < 1e-3
    channels = {"cls": 0, "obj": 1, "box": 2, "points": 6}
    for part, channel in channels.items():
        wrong = tuple(one.clone() for one in maps)
        for one in wrong:
            one[:, channel] = -one[:, channel] + 0.3
        assert float(losses(wrong, known, CELLS)[part]) > float(right[part]) + 1e-3


def test_overlaps() -> None:
    first = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    second = torch.tensor([[5.0, 0, 10, 10], [20, 0, 10, 10]])
    iou, general = overlaps(first, second)
    assert iou.tolist() == pytest.approx([1 / 3, 0])
    # The hull of the second pair is 30 wide, a third of it empty.
    assert general.tolist() == pytest.approx([1 / 3, -1 / 3])


def test_focal_loss_is_least_at_its_target() -> None:
    target = torch.tensor(0.7)
    costs = [float(focal(torch.logit(torch.tensor(p)), target)) for p in (0.2, 0.5, 0.7, 0.9)]
    assert costs[2] == min(costs) == pytest.approx(0, abs=1e-6)


def test_net_is_small_and_begins_without_faces() -> None:
    net = Detector().eval()
    assert multiply_adds(net) <= 100_000_000
    with torch.no_grad():
        maps = net(torch.full((1, 3, 64, 96), 255.0))
    assert [tuple(one.shape) for one in maps] == [(1, 16, 8, 12), (1, 16, 4, 6), (1, 16, 2, 3)]
    assert max(float(one[:, :2].sigmoid().max()) for one in maps) < 0.1


def test_cut_moves_faces_and_drops_what_is_outside() -> None:
    faces = np.stack([row(100, 100, 40, 50), row(0, 0, 40, 50), row(75, 100, 40, 50)])
    cut = cut_faces(faces, (90, 90), 100)
    assert cut[:, KIND].tolist() == [SURE, 0, SURE]
    assert cut[0, BOX].tolist() == [10, 10, 40, 50]
    assert cut[0, POINTS] == pytest.approx(faces[0, POINTS] - 90)
    assert cut[2, WEIGHTS].tolist() == [0, 1, 1, 0, 1]
    assert cut_faces(faces[2:], (100, 90), 100)[0, KIND] == IGNORED


def test_mirror_twice_is_the_face_itself_and_once_exchanges_sides() -> None:
    faces = row(10, 20, 40, 50)[None]
    faces[0, WEIGHTS] = (1, 0, 1, 1, 1)
    once = mirror_faces(faces, 100)
    assert once[0, BOX].tolist() == [50, 20, 40, 50]
    assert once[0, WEIGHTS].tolist() == [0, 1, 1, 1, 1]
    points = once[0, POINTS].reshape(5, 2)
    assert points[0, 0] < points[1, 0]
    assert mirror_faces(once, 100) == pytest.approx(faces)


def test_rate_rises_stays_and_falls_to_nothing() -> None:
    asked = argparse.Namespace(steps=1000, decay=300, rate=0.01)
    rates = [rate(step, asked) for step in range(1001)]
    assert rates[0] < 0.001
    assert rates[500] == 0.01
    assert rates[850] == pytest.approx(0.005)
    assert rates[1000] == 0

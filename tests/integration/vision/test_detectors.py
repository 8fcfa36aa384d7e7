"""Both detectors on photographs, with the real networks."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edged.config.sections import ModelsConfig
from edged.domain.types import Box, Face, Image
from edged.evaluation.embedding import main_face
from edged.vision.detector import FaceDetector
from edged.vision.packs import Catalogue
from edged.vision.session import OrtSession

pytestmark = pytest.mark.weights
THRESHOLD = 0.6


@dataclass(frozen=True)
class Place:
    """A frame and where a photograph stands in it."""

    width: int
    height: int
    x: int
    y: int
    scale: float

    def picture(self, image: Image) -> Image:
        frame = np.full((self.height, self.width, 3), 60, np.uint8)
        pasted = cv2.resize(image, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_AREA)
        frame[self.y : self.y + pasted.shape[0], self.x : self.x + pasted.shape[1]] = pasted
        return frame

    def moved(self, box: Box) -> Box:
        return Box(
            box.x * self.scale + self.x,
            box.y * self.scale + self.y,
            box.width * self.scale,
            box.height * self.scale,
        )


def open_detector(packs_dir: Path, name: str, size: tuple[int, int] | None = None) -> FaceDetector:
    pack = Catalogue(packs_dir).find(name)
    spec = pack.model("detector")
    if size:
        spec = msgspec.structs.replace(spec, input=size)
    session = OrtSession(
        pack.file_path(spec, "float32"),
        sha256=spec.files["float32"].sha256,
        threads=1,
        providers=ModelsConfig().providers,
        input_size=spec.input,
    )
    return FaceDetector(session, spec, threshold=THRESHOLD)


def as_row(face: Face) -> np.ndarray:
    box = face.box
    return np.array([box.x, box.y, box.width, box.height, *face.landmarks.ravel()])


@pytest.mark.parametrize(("name", "side"), [("yunet", 320), ("yunet-640", 640)])
def test_yunet_is_decoded_as_opencv_does(
    packs_dir: Path, photographs: list[Image], name: str, side: int
) -> None:
    ours = open_detector(packs_dir, name)
    spec = Catalogue(packs_dir).find(name).model("detector")
    path = packs_dir / name / spec.files["float32"].name
    theirs = cv2.FaceDetectorYN.create(str(path), "", (side, side), THRESHOLD, 0.3)
    found = 0
    for photograph in photographs[: 200 if side == 320 else 20]:
        # Already the size of the input, so both networks see the same pixels.
        image = cv2.resize(photograph, (side, side))
        _, rows = theirs.detect(image)
        faces = ours.detect(image)
        assert len(faces) == (0 if rows is None else len(rows))
        for face, row in zip(faces, rows if rows is not None else [], strict=True):
            np.testing.assert_allclose(as_row(face), row[:14], atol=0.01)
            assert face.score == pytest.approx(row[14], abs=1e-4)
        found += len(faces)
    assert found >= 20


def test_scrfd_and_yunet_agree_about_faces(packs_dir: Path, photographs: list[Image]) -> None:
    yunet, scrfd = open_detector(packs_dir, "yunet"), open_detector(packs_dir, "scrfd-500m")
    pairs = [(main_face(yunet.detect(one), one), main_face(scrfd.detect(one), one)) for one in photographs]
    both = [(a, b) for a, b in pairs if a and b]
    assert len(both) >= 198
    overlaps = [a.box.iou(b.box) for a, b in both]
    distances = [
        np.linalg.norm(a.landmarks - b.landmarks, axis=1).mean() / b.eye_distance
        for a, b in both
        if b.eye_distance > 20
    ]
    # An anchor, a stride or a landmark order mistaken would move boxes by cells and points by eyes.
    assert np.median(overlaps) > 0.9
    assert np.percentile(overlaps, 2) > 0.75
    assert np.median(distances) < 0.1


@pytest.mark.parametrize("name", ["yunet", "scrfd-500m"])
def test_landmarks_lie_inside_the_face_in_the_order_of_the_template(
    packs_dir: Path, photographs: list[Image], name: str
) -> None:
    detector = open_detector(packs_dir, name)
    ordered = 0
    for image in photographs[:60]:
        face = main_face(detector.detect(image), image)
        assert face is not None
        low = (face.box.x, face.box.y)
        high = (face.box.x + face.box.width, face.box.y + face.box.height)
        slack = 0.1 * face.box.width
        assert (face.landmarks > np.array(low) - slack).all()
        assert (face.landmarks < np.array(high) + slack).all()
        left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
        ordered += bool(
            left_eye[0] < right_eye[0]
            and left_mouth[0] < right_mouth[0]
            and max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        )
    assert ordered >= 55


@pytest.mark.parametrize("name", ["yunet", "scrfd-500m"])
@pytest.mark.parametrize(
    "place",
    [
        Place(1280, 720, 700, 300, 1.0),
        Place(480, 1280, 100, 900, 1.0),
        Place(4000, 3000, 2100, 900, 4.0),
        Place(90, 60, 10, 0, 0.24),
    ],
)
def test_a_face_is_found_where_it_is_at_any_resolution(
    packs_dir: Path, photographs: list[Image], name: str, place: Place
) -> None:
    detector = open_detector(packs_dir, name)
    overlaps = []
    for image in photographs[:20]:
        face = main_face(detector.detect(image), image)
        assert face is not None
        found = detector.detect(place.picture(image))
        overlaps.append(max((one.box.iou(place.moved(face.box)) for one in found), default=0.0))
    assert np.median(overlaps) > 0.8
    assert np.count_nonzero(np.array(overlaps) > 0.5) >= 19


def test_an_open_input_takes_the_camera_s_own_proportions(packs_dir: Path, photographs: list[Image]) -> None:
    square, wide = open_detector(packs_dir, "scrfd-500m"), open_detector(packs_dir, "scrfd-500m", (448, 256))
    for image in photographs[:10]:
        one, other = (main_face(detector.detect(image), image) for detector in (square, wide))
        assert one is not None
        assert other is not None
        assert one.box.iou(other.box) > 0.75


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 3)])
@pytest.mark.parametrize("name", ["yunet", "scrfd-500m"])
def test_nothing_is_seen_in_a_scrap(packs_dir: Path, name: str, shape: tuple[int, int]) -> None:
    assert open_detector(packs_dir, name).detect(np.full((*shape, 3), 127, np.uint8)) == []

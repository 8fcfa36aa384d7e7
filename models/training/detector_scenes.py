"""Endless training pictures: photographs composed at many sizes, turns and lights, with their faces.

    python models/training/detector_scenes.py --cache CACHE --out SHARDS [--keep 80] [--seed 1]

Writes shards of ``SHARD`` pictures (``NUMBER.npy`` and ``NUMBER.faces.npy``) until it is stopped, and
removes the oldest beyond ``--keep``: training draws from what is there.
"""

import argparse
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from detector_labels import Labels, load_labels
from detector_light import light
from detector_occlusion import destroy, occlude
from detector_textures import texture

from edged.domain.types import Image

SIDE = 320
SHARD = 256
# Columns of a face row: box x, y, width, height; five points; five weights of the points; kind.
BOX, POINTS, WEIGHTS, KIND = slice(0, 4), slice(4, 14), slice(14, 19), 19
COLUMNS = 20
MAX_FACES = 32
NONE, SURE, IGNORED = 0, 1, 2
# Sizes in the frame, box width: what a door sees at 320 pixels, from the far corridor to the lens.
SMALLEST, LARGEST = 16.0, 310.0
# Below this a face has a handful of pixels, and nobody can tell: neither taught nor punished.
TINIEST = 12.0
# Of a face less than this must be seen to be asked for; of one below the other, nothing is left.
SEEN, HIDDEN = 0.55, 0.08
# Standard deviation of the green levels in a face's box; below it there is nothing but the sensor's steps.
LEAST_CONTRAST = 3.0

Random = np.random.Generator
FloatArray = npt.NDArray[np.float32]


@dataclass(slots=True)
class Scene:
    """A picture in the making: ``owner`` tells which layer each pixel shows, -1 for the background."""

    canvas: Image
    owner: npt.NDArray[np.int16] = field(default_factory=lambda: np.full((SIDE, SIDE), -1, np.int16))
    layers: int = 0
    faces: list[tuple[int, FloatArray]] = field(default_factory=list)

    def paste(self, photograph: "Layer", matrix: FloatArray, rng: Random) -> None:
        """Warp a photograph with ``matrix`` (2, 3) onto the picture."""
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        image, whole = photograph.image, matrix.copy()
        if scale < 0.6:
            # A warp reads four pixels however many it skips.
            small = np.array(image.shape[1::-1]) * scale
            size = tuple(int(side) for side in np.maximum(4, np.round(small)))
            factors = np.array(image.shape[1::-1]) / size
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            whole[:, :2] *= factors
            whole[:, 2] += matrix[:, :2] @ (factors / 2 - 0.5)
        area = _touched(image.shape, whole)
        if area is None:
            return
        height, width = self.owner[area].shape
        whole[:, 2] -= (area[1].start, area[0].start)
        mask = photograph.mask(image.shape[:2], rng)
        warped = cv2.warpAffine(image, whole, (width, height), borderMode=cv2.BORDER_REPLICATE)
        shares = cv2.warpAffine(mask, whole, (width, height))
        share = shares[:, :, None].astype(np.float32) / 255
        self.canvas[area] = (warped * share + self.canvas[area] * (1 - share) + 0.5).astype(np.uint8)
        self.owner[area][shares > 127] = self.layers
        self.faces += [(self.layers, _moved(face, matrix)) for face in photograph.faces]
        self.layers += 1

    def rows(self) -> FloatArray:
        """Return the faces (MAX_FACES, COLUMNS) as they are seen now, unused rows zero."""
        rows = np.zeros((MAX_FACES, COLUMNS), np.float32)
        judged = [judged for layer, face in self.faces if (judged := self._judged(layer, face)) is not None]
        for index, face in enumerate(sorted(judged, key=lambda face: -face[2])[:MAX_FACES]):
            rows[index] = face
        return rows

    def _judged(self, layer: int, face: FloatArray) -> FloatArray | None:
        x, y, width, height = face[BOX]
        # The oval inside the box, on a grid of points.
        grid = np.stack(np.meshgrid(_GRID, _GRID), axis=-1).reshape(-1, 2)
        oval = grid[(grid**2).sum(axis=1) <= 1]
        points = np.array([x + width / 2, y + height / 2]) + oval * (width / 2, height / 2)
        seen = float(self._shown(points, layer).mean())
        if seen < HIDDEN:
            return None
        face = face.copy()
        if seen < SEEN or face[2] < TINIEST:
            face[KIND] = IGNORED
        face[WEIGHTS] = self._shown(face[POINTS].reshape(5, 2), layer)
        return face

    def _shown(self, points: FloatArray, layer: int) -> npt.NDArray[np.bool_]:
        cells = np.round(points).astype(np.intp)
        inside = ((cells >= 0) & (cells < SIDE)).all(axis=1)
        cells = np.clip(cells, 0, SIDE - 1)
        return np.asarray(inside & (self.owner[cells[:, 1], cells[:, 0]] == layer))


_GRID = np.linspace(-0.9, 0.9, 9)


@dataclass(slots=True)
class Layer:
    """A photograph with its faces (N, COLUMNS); ``oval`` crops it around its first face."""

    image: Image
    faces: FloatArray
    oval: bool = False

    def mask(self, size: tuple[int, int], rng: Random) -> npt.NDArray[np.uint8]:
        """Return the share (H, W) 0..255 with which each pixel counts."""
        height, width = size
        if not self.oval or not len(self.faces):
            return np.full((height, width), 255, np.uint8)
        scale = np.array([width / self.image.shape[1], height / self.image.shape[0]])
        x, y, wide, high = self.faces[0, BOX]
        middle = tuple(int(v) for v in np.array([x + wide / 2, y + high * 0.45]) * scale)
        axes = tuple(int(v) for v in np.array([wide, high]) * scale * rng.uniform(0.6, 1.1, 2))
        mask = np.zeros((height, width), np.uint8)
        cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.03 * width)), np.uint8)


def _touched(shape: tuple[int, ...], matrix: FloatArray) -> tuple[slice, slice] | None:
    """Return the rows and columns of the frame that a picture of ``shape`` comes to; None for none."""
    corners = np.array([[0, 0], [shape[1], 0], [0, shape[0]], [shape[1], shape[0]]], np.float32)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    low = np.clip(np.floor(moved.min(axis=0)).astype(int) - 1, 0, SIDE)
    high = np.clip(np.ceil(moved.max(axis=0)).astype(int) + 1, 0, SIDE)
    if (high <= low).any():
        return None
    return np.s_[low[1] : high[1], low[0] : high[0]]


def _moved(face: FloatArray, matrix: FloatArray) -> FloatArray:
    """Bring a face row along: the box of the turned oval, not of the turned box."""
    moved = face.copy()
    x, y, width, height = face[BOX]
    linear = matrix[:, :2]
    middle = linear @ (x + width / 2, y + height / 2) + matrix[:, 2]
    half = np.hypot(linear[:, 0] * width / 2, linear[:, 1] * height / 2)
    moved[BOX] = (*(middle - half), *(2 * half))
    moved[POINTS] = (face[POINTS].reshape(5, 2) @ linear.T + matrix[:, 2]).ravel()
    return moved


@dataclass(frozen=True, slots=True)
class Studio:
    """Makes pictures of ``labels`` from one random generator."""

    labels: Labels
    rng: Random

    def picture(self) -> tuple[Image, FloatArray]:
        """Return one (SIDE, SIDE, 3) uint8 BGR picture and its faces (MAX_FACES, COLUMNS)."""
        kind = self.rng.random()
        if kind < 0.30:
            scene = self._portrait()
        elif kind < 0.56:
            scene = self._crowd()
        elif kind < 0.74:
            scene = self._mosaic()
        else:
            scene = self._faceless()
        rows = scene.rows()
        wanted = rows[rows[:, KIND] == SURE]
        smallest = float(wanted[:, 2].min()) if len(wanted) else 60.0
        picture = light(scene.canvas, smallest, self.rng)
        for face in rows:
            if face[KIND] == SURE and _contrast(picture, face[BOX]) < LEAST_CONTRAST:
                face[KIND] = IGNORED
        return picture, rows

    def _portrait(self) -> Scene:
        """Show one photograph almost as it is, with bars where it does not fill the frame."""
        rng, layer = self.rng, self._layer()
        scene = Scene(np.zeros((SIDE, SIDE, 3), np.uint8))
        if rng.random() < 0.4:
            scene.canvas[:] = self._background()
        high, wide = layer.image.shape[:2]
        scale = SIDE / max(high, wide) * (1.0 if rng.random() < 0.4 else rng.uniform(0.4, 1.6))
        # Top-left as a letterbox has it, or anywhere.
        corner = (
            np.zeros(2)
            if rng.random() < 0.4
            else rng.uniform(0, 1, 2) * (SIDE - scale * np.array([wide, high]))
        )
        middle = corner + scale * np.array([wide, high]) / 2
        scene.paste(layer, _matrix(scale, self._turn() * 0.6, (wide / 2, high / 2), middle, rng), rng)
        return scene

    def _crowd(self) -> Scene:
        """Put some faces anywhere on a background, also cut off by the border or by each other."""
        rng = self.rng
        scene = Scene(self._background())
        number = 1 if rng.random() < 0.4 else int(rng.integers(2, 9))
        largest = LARGEST / number**0.6
        for _ in range(number):
            layer = self._layer(oval=rng.random() < 0.4)
            if not len(layer.faces):
                continue
            width = np.exp(rng.uniform(np.log(SMALLEST), np.log(largest)))
            x, y, wide, high = layer.faces[0, BOX]
            # The size that counts is the one in the frame: a large face stays mostly inside.
            room = max(0.0, SIDE / 2 - 0.4 * width)
            middle = SIDE / 2 + rng.uniform(-1, 1, 2) * room
            scale = width / wide
            scene.paste(layer, _matrix(scale, self._turn(), (x + wide / 2, y + high / 2), middle, rng), rng)
        return scene

    def _mosaic(self) -> Scene:
        """Lay photographs in a grid."""
        rng = self.rng
        scene = Scene(self._background())
        rows, columns = rng.integers(2, 6, 2)
        for row, column in np.ndindex(rows, columns):
            layer = self._layer()
            high, wide = layer.image.shape[:2]
            cell = np.array([SIDE / columns, SIDE / rows])
            scale = max(cell) / min(high, wide) * rng.uniform(0.7, 1.3)
            middle = (np.array([column, row]) + 0.5 + rng.uniform(-0.2, 0.2, 2)) * cell
            matrix = _matrix(scale, self._turn(), (wide / 2, high / 2), middle, rng)
            scene.paste(layer, matrix, rng)
        return scene

    def _faceless(self) -> Scene:
        """Show backgrounds, textures, and what is left of destroyed faces."""
        rng = self.rng
        scene = Scene(self._background())
        for _ in range(int(rng.integers(0, 6)) if rng.random() < 0.75 else 0):
            layer = self._layer()
            if not len(layer.faces) or not (layer.faces[:1, KIND] == SURE).all():
                continue
            box = layer.faces[0, BOX]
            image = destroy(layer.image, box, rng, texture)
            ignored = layer.faces[1:].copy()
            ignored[:, KIND] = IGNORED
            width = np.exp(rng.uniform(np.log(30), np.log(280)))
            middle = rng.uniform(0.1, 0.9, 2) * SIDE
            at = (box[0] + box[2] / 2, box[1] + box[3] / 2)
            ruined = Layer(image, ignored)
            scene.paste(ruined, _matrix(width / box[2], self._turn(), at, middle, rng), rng)
        return scene

    def _background(self) -> Image:
        """Return a frame without a face: a texture, or pieces of photographs beside their faces."""
        rng = self.rng
        canvas = texture(rng, SIDE, SIDE)
        if rng.random() < 0.35:
            return canvas
        for _ in range(int(rng.integers(1, 7))):
            piece = self._piece()
            if piece is None:
                continue
            wide, high = (int(v) for v in np.exp(rng.uniform(np.log(60), np.log(SIDE * 1.5), 2)))
            grown = np.asarray(cv2.resize(piece, (wide, high)), np.uint8)
            x, y = int(rng.integers(-wide // 3, SIDE - 20)), int(rng.integers(-high // 3, SIDE - 20))
            left, top = max(0, x), max(0, y)
            shown = grown[top - y : top - y + SIDE - top, left - x : left - x + SIDE - left]
            canvas[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
        return canvas

    def _piece(self) -> Image | None:
        """Cut a piece beside all faces of a photograph; None where there is no room."""
        rng = self.rng
        index = int(rng.integers(len(self.labels)))
        boxes = self.labels.boxes[self.labels.faces(index)]
        if not len(boxes):
            return None
        image = self.labels.image(index)
        high, wide = image.shape[:2]
        low, far = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
        around = 0.08 * (far - low)
        x0, y0 = np.clip(low - around, 0, (wide, high)).astype(int)
        x1, y1 = np.clip(far + around, 0, (wide, high)).astype(int)
        strips = [image[:, :x0], image[:, x1:], image[:y0], image[y1:]]
        strips = [one for one in strips if min(one.shape[:2]) >= 16]
        return strips[rng.integers(len(strips))].copy() if strips else None

    def _layer(self, *, oval: bool = False) -> Layer:
        rng = self.rng
        index = int(rng.integers(len(self.labels)))
        image, faces = self.labels.image(index), self.labels.faces(index)
        rows = np.zeros((faces.stop - faces.start, COLUMNS), np.float32)
        rows[:, BOX] = self.labels.boxes[faces]
        rows[:, POINTS] = self.labels.landmarks[faces].reshape(-1, 10)
        rows[:, KIND] = np.where(self.labels.sure[faces], SURE, IGNORED)
        rows = rows[np.argsort(-rows[:, 2] * (rows[:, KIND] == SURE))]
        if len(rows) and rng.random() < 0.25:
            image = occlude(image, rows[0, BOX], rows[0, POINTS].reshape(5, 2), rng, texture)
        return Layer(image, rows, oval)

    def _turn(self) -> float:
        """Degrees: a head is upright or leans; a few lie down."""
        rng = self.rng
        return float(rng.normal(0, 14) if rng.random() < 0.75 else rng.uniform(-50, 50))


def _contrast(picture: Image, box: FloatArray) -> float:
    x, y = (max(0, int(value)) for value in box[:2])
    shown = picture[y : max(y, int(box[1] + box[3])), x : max(x, int(box[0] + box[2])), 1]
    return float(shown.std()) if shown.size else 0.0


def _matrix(
    scale: float,
    degrees: float,
    source: tuple[float, float],
    target: npt.NDArray[np.floating],
    rng: Random,
) -> FloatArray:
    """Return (2, 3): ``source`` comes to ``target``; a little stretch makes narrow and wide faces."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.exp(rng.normal(0, 0.05))
    linear = scale * turn @ np.diag([stretch, 1 / stretch])
    return np.hstack([linear, (target - linear @ source)[:, None]]).astype(np.float32)


def write_shard(studio: Studio, path: Path, size: int = SHARD) -> None:
    """Write ``size`` pictures to ``path`` and their faces beside it; the pictures appear last."""
    pictures = np.empty((size, SIDE, SIDE, 3), np.uint8)
    faces = np.zeros((size, MAX_FACES, COLUMNS), np.float32)
    for index in range(size):
        pictures[index], faces[index] = studio.picture()
    np.save(path.with_suffix(".faces.npy"), faces)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.save(stream, pictures)
    partial.rename(path)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True, help="what detector_labels.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", type=int, default=80, help="shards; one takes 79 MB")
    parser.add_argument("--shards", type=int, default=0, help="stop after so many; 0 goes on")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    labels = load_labels(arguments.cache)
    known = sorted(arguments.out.glob("[0-9]*[0-9].npy"))
    first = int(known[-1].stem) + 1 if known else 0
    for number in count(first):
        if arguments.shards and number - first >= arguments.shards:
            break
        studio = Studio(labels, np.random.default_rng((arguments.seed, number)))
        write_shard(studio, arguments.out / f"{number:06d}.npy")
        for old in sorted(arguments.out.glob("[0-9]*[0-9].npy"))[: -arguments.keep]:
            old.unlink()
            old.with_suffix(".faces.npy").unlink(missing_ok=True)


if __name__ == "__main__":
    main()

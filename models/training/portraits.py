"""Portraits of nobody: photographs of several people laid over each other so that nothing ghosts.

Every photograph is brought to common landmarks, given the others' colours and pulled onto their mean
by dense registration. The mean of what results is one sharp face.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import Image
from edged.vision.alignment import similarity, transformed

FloatArray = npt.NDArray[np.float32]

SIDE = 384
# Eye centres 62 px apart: LFW's 42 px at 1.5 times its size, with hair and shoulders in the picture.
_EYE_PX = 62.0
_EYES_AT = (SIDE / 2, SIDE * 0.44)
# What stands behind a cut-out head while it is registered: its outline is then an edge like any other.
_BEHIND = 205.0
_ROUNDS = 4
# Registration follows features, not noise: flows are smoothed by this many pixels, less every round.
_FLOW_SMOOTHING_PX = 9.0
# Landmarks already agree; what lies further apart than this is another expression, not another place.
_REACH_PX = 7.0
# A mean loses contrast in fine bands; more than this factor would raise noise, not restore it.
_MAX_BAND_GAIN = 1.9
_DEPTH = 4
# Skin of the same face in other light differs by some 15 grey levels; teeth and lips by 60.
_ODD_LEVELS = 28.0
# A whole face this much further from the median face than the median photograph is left out.
_ODD_FACE = 1.25
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Layer:
    """One photograph on the canvas.

    ``colours`` (SIDE, SIDE, 3) float32 BGR 0..255, ``cover`` (SIDE, SIDE) 0..1 where it shows anything,
    ``landmarks`` (5, 2).
    """

    colours: FloatArray
    cover: FloatArray
    landmarks: FloatArray


def mirrored(image: Image, landmarks: FloatArray) -> tuple[Image, FloatArray]:
    """Return ``image`` and its landmarks as a mirror shows them, left eye first again."""
    points = landmarks[[1, 0, 2, 4, 3]].copy()
    points[:, 0] = image.shape[1] - 1 - points[:, 0]
    return np.ascontiguousarray(image[:, ::-1]), points


def on_canvas(landmarks: FloatArray) -> FloatArray:
    """Move (5, 2) landmarks to where a portrait has them, by rotation, scale and shift."""
    eyes = np.array([[-0.5, 0.0], [0.5, 0.0]]) * _EYE_PX + _EYES_AT
    return transformed(landmarks, similarity(landmarks[:2], eyes.astype(np.float32)))


def placed(image: Image, landmarks: FloatArray, target: FloatArray) -> Layer:
    """Bring ``image`` by its (5, 2) ``landmarks`` to the canvas, so that they lie exactly on ``target``."""
    matrix = similarity(landmarks, target)
    warp = {"dsize": (SIDE, SIDE), "flags": cv2.INTER_CUBIC}
    colours = cv2.warpAffine(image, matrix, borderMode=cv2.BORDER_REPLICATE, **warp)
    cover = np.clip(cv2.warpAffine(_taken(image), matrix, **warp), 0, 1)
    inner = cv2.erode(cover, np.ones((9, 9), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    soft = cv2.GaussianBlur(inner, (0, 0), 7) * inner
    return _to_points(Layer(colours.astype(np.float32), soft, transformed(landmarks, matrix)), target)


def _taken(image: Image) -> FloatArray:
    """Return 1 where a pixel was photographed, 0 in the black corners that an earlier warp left."""
    dark = (image.max(axis=2) < 6).astype(np.uint8)
    padded = np.pad(dark, 1, constant_values=1)
    cv2.floodFill(padded, None, (0, 0), 2)
    corners = (padded[1:-1, 1:-1] == 2).astype(np.uint8)
    return 1.0 - cv2.dilate(corners, np.ones((5, 5), np.uint8)).astype(np.float32)


def _to_points(layer: Layer, target: FloatArray) -> Layer:
    """Bring the landmarks exactly to ``target``: shifts that fade with the distance from each point."""
    shifts = layer.landmarks - target
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    distance = np.stack([(columns - x) ** 2 + (rows - y) ** 2 for x, y in target])
    between = ((target[:, None] - target[None]) ** 2).sum(axis=2)
    spread = 2 * (0.55 * _EYE_PX) ** 2
    strength = np.linalg.solve(np.exp(-between / spread), shifts)
    flow = np.einsum("pij,pk->ijk", np.exp(-distance / spread), strength).astype(np.float32)
    return replace(_moved(layer, flow), landmarks=target)


def _moved(layer: Layer, flow: FloatArray) -> Layer:
    """Take every pixel from ``flow`` (SIDE, SIDE, 2) pixels beside it."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    maps = (columns + flow[..., 0], rows + flow[..., 1])
    colours = cv2.remap(layer.colours, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.remap(layer.cover, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return replace(layer, colours=np.clip(colours, 0, 255), cover=cover)


def ellipse_about(landmarks: FloatArray, across: float, along: float, soft_px: float) -> FloatArray:
    """Return a (SIDE, SIDE) weight 0..1 that is high within so many eye distances of the face's middle."""
    x, y = landmarks.mean(axis=0)
    mask = np.zeros((SIDE, SIDE), np.float32)
    axes = (int(across * _EYE_PX), int(along * _EYE_PX))
    cv2.ellipse(mask, (int(x), int(y - 0.12 * _EYE_PX)), axes, 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(mask, (0, 0), soft_px)


def same_light(layers: Sequence[Layer], weights: FloatArray) -> list[Layer]:
    """Give all faces the weighted mean of their colours: mean and spread of each channel of Lab."""
    region = ellipse_about(layers[0].landmarks, 0.9, 1.3, 1) > 0.5
    labs = [cv2.cvtColor(layer.colours / 255, cv2.COLOR_BGR2LAB) for layer in layers]
    means = np.array([lab[region].mean(axis=0) for lab in labs])
    spreads = np.array([lab[region].std(axis=0) for lab in labs])
    mean, spread = weights @ means, weights @ spreads
    return [
        replace(layer, colours=_from_lab((lab - own) * np.clip(spread / wide, 0.6, 1.6) + mean))
        for layer, lab, own, wide in zip(layers, labs, means, spreads, strict=True)
    ]


def _from_lab(lab: FloatArray) -> FloatArray:
    return np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2BGR), 0, 1) * 255


def registered(layers: Sequence[Layer], weights: FloatArray) -> list[Layer]:
    """Pull all layers onto their running mean until features and outlines coincide."""
    head = ellipse_about(layers[0].landmarks, 1.25, 1.75, 9)
    current = list(layers)
    flows = [np.zeros((SIDE, SIDE, 2), np.float32) for _ in layers]
    for turn in range(_ROUNDS):
        views = [_view(layer, head) for layer in current]
        mean = np.tensordot(weights, np.array(views), 1).clip(0, 255).astype(np.uint8)
        smoothing = max(6.0, _FLOW_SMOOTHING_PX * (1 - turn / _ROUNDS))
        steps = [_flow(mean, view.astype(np.uint8), smoothing) for view in views]
        drift = np.tensordot(weights, np.array(steps), 1)
        flows = [_joined(flow, step - drift) for flow, step in zip(flows, steps, strict=True)]
        current = [_moved(layer, flow) for layer, flow in zip(layers, flows, strict=True)]
    return current


def _view(layer: Layer, head: FloatArray) -> FloatArray:
    """Return the layer as registration sees it: evened grey, plain where the head ends."""
    grey = cv2.cvtColor(layer.colours.astype(np.uint8), cv2.COLOR_BGR2GRAY)
    even = cv2.createCLAHE(2.0, (6, 6)).apply(grey).astype(np.float32)
    return even * head + _BEHIND * (1 - head)


def _flow(target: Image, moving: Image, smoothing_px: float) -> FloatArray:
    """Return how far beside each pixel of ``target`` its like is in ``moving``, found at half the size."""
    small = [
        cv2.resize(view, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for view in (target, moving)
    ]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    flow = np.clip(2 * search.calc(small[0], small[1], None), -_REACH_PX, _REACH_PX)
    smooth = cv2.GaussianBlur(flow, (0, 0), smoothing_px / 2)
    return np.asarray(cv2.resize(smooth, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)


def _joined(first: FloatArray, then: FloatArray) -> FloatArray:
    """Return the one flow that does what both do one after the other."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return then + cv2.remap(
        first, columns + then[..., 0], rows + then[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def agreeing(
    layers: Sequence[Layer], persons: Sequence[int], weights: FloatArray
) -> tuple[list[Layer], FloatArray]:
    """Leave out photographs that show something else than most: a hand, a hat, half a face in shadow.

    ``persons`` tells whose each of the N layers is, ``weights`` (P,) the part of each person. At least
    four persons stay. Returns the layers kept and their weights.
    """
    face = ellipse_about(layers[0].landmarks, 0.9, 1.35, 2) > 0.5
    smooth = np.array([cv2.GaussianBlur(layer.colours, (0, 0), 3)[face] for layer in layers])
    apart = np.abs(smooth - np.median(smooth, axis=0)).mean(axis=(1, 2))
    nearest = sorted(min(apart[at] for at, who in enumerate(persons) if who == one) for one in set(persons))
    limit = max(_ODD_FACE * float(np.median(apart)), nearest[min(_FEWEST, len(nearest)) - 1])
    keep = [at for at in range(len(layers)) if apart[at] <= limit]
    count = Counter(persons[at] for at in keep)
    kept = np.array([weights[persons[at]] / count[persons[at]] for at in keep])
    return [layers[at] for at in keep], (kept / kept.sum()).astype(np.float32)


def blended(layers: Sequence[Layer], weights: FloatArray) -> FloatArray:
    """Return the weighted mean (SIDE, SIDE, 3) of registered ``layers``, with their fine contrast."""
    shares = _shares(layers, weights)
    face = ellipse_about(layers[0].landmarks, 1.1, 1.5, 12)
    result = np.zeros_like(layers[0].colours)
    split = [_bands(layer.colours) for layer in layers]
    for depth in range(_DEPTH):
        stack = np.array([bands[depth] for bands in split])
        mean = (stack * shares[..., None]).sum(axis=0)
        gain = 1 + (_gain(stack, mean, shares, depth) - 1) * face
        result += mean * gain[..., None]
    rest = (np.array([bands[_DEPTH] for bands in split]) * shares[..., None]).sum(axis=0)
    return np.clip(result + rest, 0, 255).astype(np.float32)


def _shares(layers: Sequence[Layer], weights: FloatArray) -> FloatArray:
    """Return each layer's part in every pixel, (N, SIDE, SIDE): less where it differs from what most show.

    So a hand or a strand of hair before one face fades.
    """
    colours = np.array([layer.colours for layer in layers])
    apart = np.abs(colours - np.median(colours, axis=0)).mean(axis=3)
    apart = np.array([cv2.GaussianBlur(one, (0, 0), 2.5) for one in apart])
    usual = 0.06 + np.exp(-((apart / _ODD_LEVELS) ** 2))
    covers = np.array([layer.cover for layer in layers]) + 1e-3
    shares = covers * usual * weights[:, None, None]
    return np.asarray(shares / shares.sum(axis=0), np.float32)


def _bands(image: FloatArray) -> list[FloatArray]:
    """Split ``image`` into bands of detail, finest first, and what remains."""
    bands, rest = [], image
    for level in range(_DEPTH):
        smooth = cv2.GaussianBlur(rest, (0, 0), 1.2 * 2.0**level)
        bands.append(rest - smooth)
        rest = smooth
    return [*bands, rest]


def _gain(stack: FloatArray, mean: FloatArray, shares: FloatArray, depth: int) -> FloatArray:
    """Return the factor (SIDE, SIDE) that gives the mean of a band the contrast of those it is made of."""
    wanted = _around(((stack**2).mean(axis=3) * shares).sum(axis=0), depth)
    has = _around((mean**2).mean(axis=2), depth)
    return np.clip(np.sqrt((wanted + 1e-3) / (has + 1e-3)), 1.0, _MAX_BAND_GAIN).astype(np.float32)


def _around(energy: FloatArray, depth: int) -> FloatArray:
    small = cv2.resize(energy, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 1.5 * 2.0**depth)
    return np.asarray(cv2.resize(smooth, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)

"""What a door's camera sees in a quiet hour: an empty corridor in all lights, and people who come at last.

Drawn, so that everybody may have them, and in time order, as a motion gate needs it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import FloatArray, Image
from edged.evaluation.scene_corridor import corridor

FPS = 15.0
# From here on somebody counts as there: one pixel in two hundred, some 40 x 40 of 640 x 480. A face that a
# door judges is larger than that by itself.
_THERE = 1 / 200
_CALM_SECONDS = 8.0
# So many pictures of grain are drawn and shown in turn, each somewhere else.
_GRAINS = 12

Colour = tuple[int, int, int]
# Hair, skin, clothes, BGR. Against walls of some 150 to 180, in the corridor's own light.
_USUAL: tuple[Colour, Colour, Colour] = ((40, 44, 52), (120, 140, 190), (110, 60, 40))
_DARK: tuple[Colour, Colour, Colour] = ((38, 38, 40), (52, 58, 76), (46, 46, 48))


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody stands, as shares of the picture: ``across``, ``foot`` from above, and ``tall``."""

    across: float
    foot: float
    tall: float


@dataclass(frozen=True, slots=True)
class Light:
    """``level`` of all light; ``lamp`` of the nearest one, 1 as it should be; ``band`` of a beat."""

    level: float = 1.0
    lamp: float = 1.0
    band: float = 0.0


@dataclass(frozen=True, slots=True)
class Clip:
    """``frames()`` gives pictures, (H, W, 3) uint8 BGR at ``FPS``; ``entry`` is the first with somebody."""

    name: str
    frames: Callable[[], Iterator[Image]]
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class _Script:
    seconds: float
    light: Callable[[float], Light] = lambda _at: Light()
    walk: Callable[[float], Place | None] = lambda _at: None
    colours: tuple[Colour, Colour, Colour] = _USUAL
    grain: float = 2.0


def empty_clips(size: tuple[int, int] = (640, 480), seconds: float = 20.0) -> list[Clip]:
    """Return the clips in which nobody comes; ``size`` is (width, height)."""
    scripts = {
        "still": _Script(seconds),
        "dark, with noise": _Script(seconds, lambda _at: Light(0.35), grain=8.0),
        "dusk": _Script(seconds, lambda at: Light(1.0 - 0.7 * at / seconds)),
        "clouds": _Script(seconds, lambda at: Light(0.85 + 0.15 * math.sin(2 * math.pi * at / 6))),
        "light switched": _Script(seconds, lambda at: Light(0.6 if at % 10 > 5 else 1.0)),
        "lamp that beats": _Script(seconds, lambda at: Light(band=0.06 * math.sin(2 * math.pi * 3.1 * at))),
        "lamp that flickers": _Script(seconds, partial(_flicker, seconds)),
    }
    return [_clip(name, script, size) for name, script in scripts.items()]


def visit_clips(size: tuple[int, int] = (640, 480)) -> list[Clip]:
    """Return the clips in which somebody comes after some seconds of nothing."""
    across = _Script(_CALM_SECONDS + 4, walk=partial(_crossing, 1))
    scripts = {
        "from the left": across,
        "from the right": _Script(across.seconds, walk=partial(_crossing, -1)),
        "along the corridor": _Script(_CALM_SECONDS + 8, walk=partial(_nearing, 7.0)),
        "far away, slowly": _Script(_CALM_SECONDS + 12, walk=partial(_nearing, 20.0)),
        "in dark clothes in the dark": _Script(
            across.seconds, lambda _at: Light(0.35), partial(_crossing, 1), _DARK, grain=5.0
        ),
        "under a lamp that flickers": _Script(
            across.seconds, partial(_flicker, across.seconds), partial(_crossing, -1)
        ),
        "as the light goes on": _Script(
            across.seconds, lambda at: Light(0.5 if at < _CALM_SECONDS else 1.0), partial(_crossing, 1)
        ),
    }
    return [_clip(name, script, size) for name, script in scripts.items()]


def _clip(name: str, script: _Script, size: tuple[int, int]) -> Clip:
    entry = None
    for number in range(round(script.seconds * FPS)):
        place = script.walk(number / FPS)
        if place is not None and _figure(place, size, script.colours)[1].mean() / 255 >= _THERE:
            entry = number
            break
    return Clip(name, partial(_frames, script, size), entry)


def _frames(script: _Script, size: tuple[int, int]) -> Iterator[Image]:
    noise = np.random.default_rng(7)
    grains = [_grain(noise, size, script.grain) for _ in range(_GRAINS)]
    lit = corridor(size)
    unlit, bands = _without_lamp(lit), _bands(size)
    for number in range(round(script.seconds * FPS)):
        at = number / FPS
        light, place = script.light(at), script.walk(at)
        frame = lit if light.lamp == 1 else cv2.addWeighted(lit, light.lamp, unlit, 1 - light.lamp, 0)
        if place is not None:
            picture, cover = _figure(place, size, script.colours)
            frame = np.where(cover[..., None] > 127, picture, frame)
        if light.band:
            drift = np.roll(bands, int(number * 7), axis=0)
            frame = np.asarray(np.clip(frame * (1 + light.band * drift), 0, 255), np.uint8)
        frame = cv2.convertScaleAbs(frame, alpha=light.level)
        grain, start = grains[int(noise.integers(_GRAINS))], int(noise.integers(size[1]))
        yield np.asarray(cv2.add(frame, grain[start : start + size[1]], dtype=cv2.CV_8U), np.uint8)


def _figure(
    place: Place, size: tuple[int, int], colours: tuple[Colour, Colour, Colour]
) -> tuple[Image, Image]:
    """Return somebody upright in a picture of ``size``, and where, (H, W) 0 or 255."""
    width, height = size
    tall = place.tall * height
    x, foot = place.across * width, place.foot * height
    picture, cover = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    hair, skin, clothes = colours
    body = np.array(
        [(-0.14, 0), (0.14, 0), (0.17, -0.55), (0.13, -0.82), (-0.13, -0.82), (-0.17, -0.55)], np.float32
    )
    parts = (
        (body * tall + (x, foot), clothes),
        (_oval(x, foot - 0.90 * tall, 0.075 * tall, 0.10 * tall), hair),
        (_oval(x, foot - 0.89 * tall, 0.06 * tall, 0.075 * tall), skin),
    )
    for outline, colour in parts:
        points = np.round(outline).astype(np.int32)
        cv2.fillConvexPoly(picture, points, colour)
        cv2.fillConvexPoly(cover, points, 255)
    return picture, cover


def _oval(x: float, y: float, wide: float, high: float) -> FloatArray:
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([x + wide * np.cos(turn), y + high * np.sin(turn)], axis=1).astype(np.float32)


def _crossing(side: int, at: float) -> Place | None:
    """Walk through the picture near the camera, from the left with ``side`` 1, in three seconds."""
    share = (at - _CALM_SECONDS) / 3 - 0.2
    if at < _CALM_SECONDS or share > 1.2:
        return None
    return Place(share if side > 0 else 1 - share, 1.3, 1.15)


def _nearing(seconds: float, at: float) -> Place | None:
    """Come out of a door at the far end and walk up to the camera within ``seconds``."""
    share = (at - _CALM_SECONDS) / seconds
    if share < 0:
        return None
    away = 10.0 - 8.8 * min(share, 1.0)
    return Place(0.5 + 0.01 * math.sin(5 * at), 0.46 + 1.15 / away, 1.75 / away)


def _flicker(seconds: float, at: float) -> Light:
    """Let the lamp go off and on at random, several times a second."""
    steps = np.random.default_rng(3).random(round(seconds * FPS) + 1)
    return Light(lamp=float(steps[round(at * FPS)] > 0.4))


def _without_lamp(lit: Image) -> Image:
    """Return the corridor without its nearest lamp: that is dark, and so is what it shone on."""
    height, width = lit.shape[:2]
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    around = np.exp(-(((rows - 0.05) / 0.35) ** 2 + ((columns - 0.5) / 0.4) ** 2))
    return np.asarray(lit * (1 - 0.45 * around[..., None]), np.uint8)


def _bands(size: tuple[int, int]) -> FloatArray:
    """Return what a rolling shutter makes of the mains: bands across the picture, (H, 1, 1) -1..1."""
    return np.sin(np.linspace(0, 3 * 2 * np.pi, size[1], dtype=np.float32))[:, None, None]


def _grain(noise: np.random.Generator, size: tuple[int, int], sigma: float) -> npt.NDArray[np.int16]:
    """Return a sensor's grain of twice the height, of which any picture's height is cut, (2 H, W, 3)."""
    half = np.rint(noise.standard_normal((size[1], size[0], 3), np.float32) * sigma).astype(np.int16)
    return np.concatenate([half, half])

"""What glass and glossy paper mirror: a lamp, a tube or a window behind the camera.

A cue for such lights was tried and left out: white, hard-edged patches on the face, away from eyes, nose,
mouth and forehead. On 200 photographs (``edged eval liveness --half even``) limits that cost 2 % of the
living rejected 8 % of the attacks on glass and 1 % of the prints at best: faces in sunlight, white hair and
windows behind a cheek look the same in one picture.
"""

import cv2
import numpy as np

from edged.domain.types import FloatArray

# Every second piece of glass is held so that it mirrors something bright; of prints, which are matt as often
# as glossy and bend their mirror image out of shape, every fourth.
GLASS_SHARE, GLOSS_SHARE = 0.5, 0.25
# Edges in pixels of the medium: glass mirrors sharply, paper does not.
GLASS_EDGE, GLOSS_EDGE = (0.5, 1.5), (3.0, 7.0)


def mirrored(
    sheet: FloatArray, chance: np.random.Generator, share: float, edge: tuple[float, float]
) -> FloatArray:
    """Return ``sheet`` (H, W, 3) float32 with a light mirrored in it, in ``share`` of all calls.

    The light is added to what is shown, as a mirror does, and is white to slightly warm.
    """
    if chance.random() >= share:
        return sheet
    height, width = sheet.shape[:2]
    light = np.zeros((height, width), np.float32)
    middle = np.array([chance.uniform(0.15, 0.85) * width, chance.uniform(0.1, 0.8) * height])
    angle, size = chance.uniform(-0.5, 0.5), width * chance.uniform(0.12, 0.4)
    kind = chance.choice(["lamp", "tube", "window"])
    if kind == "lamp":
        axes = (float(0.4 * size), float(0.4 * size * chance.uniform(0.6, 1.0)))
        cv2.ellipse(light, (tuple(middle), (2 * axes[0], 2 * axes[1]), float(np.degrees(angle))), 1.0, -1)
    else:
        for pane in _panes(kind == "window", size, chance):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            corners = np.round((pane @ turn.T + middle) * 16).astype(np.int32)
            cv2.fillConvexPoly(light, corners, 1.0, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(light, (0, 0), float(chance.uniform(*edge)))
    tint = np.array([chance.uniform(0.85, 1.0), 1.0, 1.0], np.float32)
    return np.asarray(np.clip(sheet + chance.uniform(90, 260) * soft[..., None] * tint, 0, 255), np.float32)


def _panes(window: bool, size: float, chance: np.random.Generator) -> list[FloatArray]:
    """Return the bright rectangles of a window with a bar in the middle, or of one tube."""
    tall = size * chance.uniform(0.8, 1.6) if window else size * chance.uniform(0.1, 0.25)
    unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32)
    if not window:
        return [unit * np.array([2 * size, tall], np.float32)]
    pane = unit * np.array([0.45 * size, tall], np.float32)
    aside = np.array([0.25 * size, 0], np.float32)
    return [pane - aside, pane + aside]

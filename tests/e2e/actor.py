"""A camera before which somebody acts: frames for the command camera, by the latest word in a file.

Run as ``python actor.py FOLDER``: shows ``pose_<yaw>.jpg`` of the folder ten times a second as MJPEG, by
what stands in ``direction``: ``away``, ``still``, or the yaw to turn to and back from.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np

# Degrees a tenth of a second: half a second to read, then out, held, and back.
SHARES = (0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 0.75, 0.4, 0)


def act(folder: Path) -> None:
    poses = {path.stem[5:]: cv2.imread(str(path)) for path in folder.glob("pose_*.jpg")}
    noise, direction, since, due = np.random.default_rng(1), "", 0, time.monotonic()
    while True:
        now = (folder / "direction").read_text()
        since, direction = (since + 1, direction) if now == direction else (0, now)
        pose = "0" if direction == "still" else direction
        if direction not in ("still", "away"):
            pose = f"{float(direction) * SHARES[min(since, len(SHARES) - 1)] + 0:g}"  # no -0
        # A picture that never changes is a camera that froze.
        grainy = poses[pose] + noise.normal(0, 2, (*poses[pose].shape[:2], 1))
        data = cv2.imencode(".jpg", np.clip(grainy, 0, 255).astype(np.uint8))[1]
        sys.stdout.buffer.write(data.tobytes())
        sys.stdout.buffer.flush()
        due = max(due + 0.1, time.monotonic() - 0.1)
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    act(Path(sys.argv[1]))

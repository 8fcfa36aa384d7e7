"""A camera program for tests: ``frame_writer.py KIND [COUNT]`` writes frames to standard output.

The frames differ, as a sensor's do. After COUNT frames it does what KIND names.
"""

import sys
import time

import cv2
import numpy as np

WIDTH, HEIGHT = 96, 64
NOISE = np.random.default_rng(5)


def frame(number: int) -> np.ndarray:
    ramp = np.linspace(30, 200, WIDTH)[None, :, None]
    picture = ramp + NOISE.normal(0, 3, (HEIGHT, WIDTH, 3)) + number % 3
    return np.clip(picture, 0, 255).astype(np.uint8)


def write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def encode(picture: np.ndarray, kind: str) -> bytes:
    if kind == "bgr":
        return picture.tobytes()
    if kind == "i420":
        return cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes()
    return cv2.imencode(".jpg", picture)[1].tobytes()


def main() -> None:
    kind, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    for number in range(count):
        write(encode(frame(number), kind))
        time.sleep(0.02)
    if kind == "hang":
        write(encode(frame(0), kind)[:500])
        time.sleep(60)
    if kind == "die":
        sys.stderr.write("starting\nno sensor at rtsp://admin:s3cret@10.0.0.9/1\n\n")
        sys.exit(3)
    while kind == "garbage":
        write(bytes(65536))
    while kind == "broken":
        write(b"\xff\xd8\xff\xda\x00\x02" + bytes(100) + b"\xff\xd9")


if __name__ == "__main__":
    main()

"""The protocol between the run and a contender's process."""

import base64
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.peers.worker import serve
from tests.unit.peers.painted_peer import PaintedPeer


def painted(folder: Path, *colours: tuple[int, int, int]) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(len(colours))]
    for path, colour in zip(paths, colours, strict=True):
        cv2.imwrite(str(path), np.full((4, 4, 3), colour, np.uint8))
    return paths


def test_each_line_is_answered_by_one(tmp_path: Path) -> None:
    files = [str(path) for path in painted(tmp_path, (3, 0, 4), (0, 0, 0))]
    answers = io.StringIO()
    serve(PaintedPeer(), [json.dumps({"do": "look", "files": files}), '{"do": "usage"}'], answers)
    looked, usage = (json.loads(line) for line in answers.getvalue().splitlines())
    vector = np.frombuffer(base64.b64decode(looked["looks"][0]["vector"]), "<f4")
    assert vector == pytest.approx([0.6, 0, 0.8])
    assert looked["looks"][1]["vector"] is None
    assert looked["cpu_ms"] >= 0
    assert all(look["ms"] >= 0 for look in looked["looks"])
    assert usage["peak_mb"] >= usage["rss_mb"] > 1


def test_what_is_no_question_ends_it() -> None:
    with pytest.raises(ValueError, match="expected look or usage"):
        serve(PaintedPeer(), ['{"do": "dance"}'], io.StringIO())

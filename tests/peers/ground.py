"""Where the run takes place: weights laid out as each library wants them, and who can take part.

Without the research weights beside the checkout edged's starter pack is alone with those that bring weights
of their own; the others are rows that say what is missing.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.contender import Contender

DETECTOR, EMBEDDER, YUNET = "scrfd_det_500m.onnx", "mobilefacenet_arcface_y1.onnx", "yunet_n_320_320.onnx"
YUNET_640 = "yunet_n_640_640.onnx"
_KINDS = "tests.peers.kinds"
_PACKS = ("yunet", "scrfd-500m", "arcface-y1")
_PREPARING_SECONDS = 600
REFERENCE, STARTER = "edged", "edged, starter pack"


@dataclass(frozen=True, slots=True)
class Ground:
    """``weights`` holds the research weights, if any; below ``work`` lies what is made of them.

    ``others`` is the Python of the environment in which the others are installed.
    """

    work: Path
    weights: Path
    others: Path

    @property
    def packs(self) -> Path:
        """edged's models directory."""
        return self.work / "packs"

    @property
    def logs(self) -> Path:
        """What the contenders write to standard error, a file each."""
        return self.work / "logs"

    def prepare(self) -> list[str]:
        """Lay everything out; say which of edged's networks run compiled, and which as they are.

        What cannot be laid out is missing later, and its rows say so.
        """
        for folder in (self.work, self.packs, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        for old in self.logs.glob("*.log"):
            old.unlink()
        self._link(DETECTOR, "insightface/models/door/det_500m.onnx")
        self._link(EMBEDDER, "insightface/models/door/w_y1.onnx")
        self._link(DETECTOR, "uniface/scrfd_500m.onnx")
        if not self.weights.is_dir():
            return []
        self._edged("import", str(self.weights), "--no-compile")
        return compiled(self._edged("compile", *_PACKS, "--json"))

    def _link(self, weights: str, place: str) -> None:
        path = self.work / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if (self.weights / weights).exists():
            path.symlink_to((self.weights / weights).absolute())

    def _edged(self, *arguments: str) -> str:
        with (self.logs / "preparation.log").open("ab") as log:
            return subprocess.run(
                [sys.executable, "-m", "edged", "models", *arguments, "--directory", str(self.packs)],
                stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, timeout=_PREPARING_SECONDS,
                check=False, text=True,
            ).stdout  # fmt: skip


def compiled(told: str) -> list[str]:
    """Return a line for each network of what ``edged models compile --json`` told; none where it failed.

    Whether a file is compiled hangs on what it gains on this machine, so two runs may differ in it.
    """
    try:
        found = json.loads(told)
    except ValueError:
        return ["nothing is compiled: see preparation.log"]
    return [
        f"{one['pack']} {one['task']}: " + ("compiled" if one["compiled"] else f"as it is, {one['reason']}")
        for one in found
    ]


def contenders(ground: Ground, enrolled: Sequence[Path]) -> list[Contender]:
    """Return everybody, edged first. ``enrolled`` are photographs of people whom the door is to know.

    The aims are those that edged was built for: see ``Contender.aim``.
    """
    return [*_edged(ground, enrolled), *_insightface(ground), *_others(ground)]


def _edged(ground: Ground, enrolled: Sequence[Path]) -> list[Contender]:
    packs = ground.packs
    known = [str(path.absolute()) for path in enrolled]

    def one(name: str, kind: str, needs: Sequence[str], **models: str | int) -> Contender:
        options = {"models": {"directory": str(packs.absolute()), "compile": "auto", **models}}
        if kind == "door":
            options["enrolled"] = known
        files = tuple(packs / pack / "pack.yaml" for pack in needs)
        module = f"{_KINDS}.{kind}"
        return Contender(name, module, sys.executable, options, files, sequence=kind == "door", own=True)

    y1 = {"detector": "yunet", "embedder": "arcface-y1", "precision": "float32"}
    scrfd = y1 | {"detector": "scrfd-500m"}
    return [
        one(REFERENCE, "pipeline", ("yunet", "arcface-y1"), **y1),
        one("edged, two threads", "pipeline", ("yunet", "arcface-y1"), **y1, threads=2),
        one("edged, int8", "pipeline", ("yunet", "arcface-y1"), **y1 | {"precision": "int8"}),
        one("edged, SCRFD", "pipeline", ("scrfd-500m", "arcface-y1"), **scrfd),
        one("edged, at a door", "door", ("yunet", "arcface-y1"), **y1),
        one(STARTER, "pipeline", (), detector="starter", embedder="starter"),
        one("edged, starter pack, at a door", "door", (), detector="starter", embedder="starter"),
    ]


def _insightface(ground: Ground) -> list[Contender]:
    root = ground.work / "insightface"
    files = (root / "models/door/det_500m.onnx", root / "models/door/w_y1.onnx")

    def one(name: str, size: int | None, aim: float | None) -> Contender:
        options: dict[str, Any] = {"root": str(root.absolute()), "size": size}
        return Contender(name, f"{_KINDS}.insight", str(ground.others), options, files, aim=aim)

    return [
        one("InsightFace, default size", None, 16.0),
        one("InsightFace, 640", 640, None),
        one("InsightFace, 320", 320, 6.0),
    ]


def _others(ground: Ground) -> list[Contender]:
    python, weights = str(ground.others), ground.weights.absolute()
    yunet = {"detector": str(weights / YUNET), "embedder": str(weights / EMBEDDER)}
    large = yunet | {"detector": str(weights / YUNET_640)}
    own = (weights / YUNET, weights / EMBEDDER)
    scrfd = ground.work / "uniface" / "scrfd_500m.onnx"
    cache = {"UNIFACE_CACHE_DIR": str(scrfd.parent.absolute())}

    def uniface(name: str, size: int) -> Contender:
        options = {"embedder": str(weights / EMBEDDER), "size": size}
        needs = (scrfd, weights / EMBEDDER)
        return Contender(name, f"{_KINDS}.uni", python, options, needs, environment=cache)

    return [
        Contender("OpenCV, YuNet at 640x480", f"{_KINDS}.opencv", python, large, own, aim=3.0),
        uniface("uniface, default size", 640),
        uniface("uniface, 320", 320),
        Contender("face_recognition", f"{_KINDS}.dlib_resnet", python, {}, measure="distance"),
        Contender("onnxruntime, no care", f"{_KINDS}.trial", python, yunet, own, aim=2.0),
    ]

"""A detector that sees one face in every picture, embedders that tell patterns apart, and photographs."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import yaml

from edged.vision.quantization.network import Network
from edged.vision.quantization.ranges import Probe
from tests.fakes.model_packs import TEMPLATE
from tests.unit.vision.quantization.graphs import Array, Builder

SIDE = 64
DIMENSION = 32
_STRIDE = 32


def write_pack(root: Path, name: str, model: onnx.ModelProto, **described: Any) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    data = model.SerializeToString()
    (folder / "float32.onnx").write_bytes(data)
    pin = {"name": "float32.onnx", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    document = {
        "schema": 1,
        "name": name,
        "title": "A toy",
        "licence": "MIT",
        "commercial": True,
        "provenance": "Made by the tests.",
        "models": [{"files": {"float32": pin}, "channels": "bgr"} | described],
    }
    (folder / "pack.yaml").write_text(yaml.safe_dump(document))
    return folder


def write_detector(root: Path) -> Path:
    """The face fills the picture, its landmarks lie on the template."""
    build = Builder((1, 3, SIDE, SIDE))
    nothing = build.node("Mul", build.node("GlobalAveragePool", "x"), build.constant(0.0))
    one = build.node("Flatten", build.node("ReduceSum", nothing, keepdims=1))
    outputs = []
    for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, _STRIDE):
            value = np.zeros((1, (SIDE // stride) ** 2, width), np.float32)
            if stride == _STRIDE:
                value[0, 0] = _head(kind)
            outputs.append(build.node("Add", build.constant(value), one))
    return write_pack(
        root, "one-face", build.model(*outputs), task="detector", decoder="yunet", input=[SIDE, SIDE],
        landmarks="arcface",
    )  # fmt: skip


def _head(kind: str) -> Array:
    if kind == "bbox":
        return np.array([1, 1, np.log(1.8), np.log(1.8)], np.float32)
    if kind == "kps":
        marks: Array = (np.array(TEMPLATE) * SIDE / 112 / _STRIDE).reshape(-1).astype(np.float32)
        return marks
    return np.ones(1, np.float32)


def write_embedder(root: Path, name: str, photographs: Sequence[Array], *, brittle: bool) -> Path:
    """A convolution, a bend, a convolution, a product.

    A ``brittle`` one has a loud channel behind an operator that no factor passes: eight bits for the
    whole tensor leave nothing of the others.
    """
    build = Builder((1, 3, 112, 112))
    first = build.weights(16, 3, 8, 8)
    second = build.weights(16, 16, 3, 3)
    if brittle:
        first[0] *= 10_000
        second[:, 0] /= 10_000
    inner = build.node("Conv", "x", build.constant(first), strides=[8, 8])
    bent = build.node("Abs", inner) if brittle else build.prelu(inner, np.linspace(-0.5, 1.5, 16).tolist())
    wide = build.node("Conv", bent, build.constant(second), pads=[1] * 4)
    vector = build.gemm(build.node("Flatten", build.node("Relu", wide)), 16 * 14 * 14, DIMENSION)
    _centre(build, vector, photographs)
    return write_pack(
        root, name, build.model(vector), task="embedder", decoder="arcface", input=[112, 112], mean=127.5,
        scale=1 / 127.5, space=f"{name}/1", dimension=DIMENSION, templates={"arcface": TEMPLATE},
    )  # fmt: skip


def _centre(build: Builder, vector: str, photographs: Sequence[Array]) -> None:
    """Make the vectors of different people stand at right angles on average."""
    probe = Probe(Network(build.model(vector)))
    faces = [cv2.resize(one, (112, 112)).astype(np.float32) for one in photographs]
    vectors = [probe.run(((face - 127.5) / 127.5).transpose(2, 0, 1)[None])[vector][0] for face in faces]
    bias = build.nodes[-1].input[2]
    build.constants[bias] = build.constants[bias] - np.mean(vectors, axis=0)


def write_photographs(root: Path, people: int, each: int = 2) -> list[Array]:
    """Everybody has a pattern of their own, and every photograph a little noise; return one a person."""
    random = np.random.default_rng(0)
    first = []
    for index in range(people):
        pattern = cv2.resize(random.integers(0, 256, (8, 8, 3)).astype(np.uint8), (SIDE, SIDE))
        folder = root / f"person-{index}"
        folder.mkdir(parents=True)
        for turn in range(each):
            noisy = np.clip(pattern + random.normal(0, 20, pattern.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{turn}.png"), noisy)
        first.append(pattern.astype(np.float32))
    return first

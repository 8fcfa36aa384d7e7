"""Small packs whose files are real ONNX."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.unit.vision import tiny_onnx

SIDE = 16
DIMENSION = 3 * SIDE * SIDE
TEMPLATE = [
    [38.2946, 51.6963],
    [73.5318, 51.5014],
    [56.0252, 71.7366],
    [41.5493, 92.3655],
    [70.7299, 92.2041],
]


class _Plain(yaml.SafeDumper):
    """Writes out what occurs twice: a descriptor has no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def flattening_model(side: int = SIDE, *, note: str = "") -> bytes:
    """An embedder of sorts: (N, 3, side, side) in, (N, 3 * side * side) out; ``note`` makes it longer."""
    node = tiny_onnx._text(1, "x") + tiny_onnx._text(2, "y") + tiny_onnx._text(4, "Flatten")
    graph = tiny_onnx._block(1, node) + tiny_onnx._text(2, "tiny")
    graph += tiny_onnx._block(11, tiny_onnx._value("x", ("N", 3, side, side), tiny_onnx.FLOAT))
    graph += tiny_onnx._block(12, tiny_onnx._value("y", ("N", 3 * side * side), tiny_onnx.FLOAT))
    opset = tiny_onnx._text(1, "") + tiny_onnx._number(2, 13)
    return (
        tiny_onnx._number(1, 8)
        + tiny_onnx._text(6, note)
        + tiny_onnx._block(7, graph)
        + tiny_onnx._block(8, opset)
    )


def averaging_model(side: int = 80, *, note: str = "", over: tuple[int, ...] = (2, 3)) -> bytes:
    """A liveness network of sorts: (1, 3, side, side) in, the mean of each channel (1, 3) out.

    Of a BGR picture the classes are blue, green and red: green is alive. ``over`` other axes than those of
    the picture it gives something else.
    """
    axes = tiny_onnx._text(1, "axes") + tiny_onnx._number(20, 7)
    axes += b"".join(tiny_onnx._number(8, axis) for axis in over)
    flat = tiny_onnx._text(1, "keepdims") + tiny_onnx._number(20, 2) + tiny_onnx._number(3, 0)
    node = tiny_onnx._text(1, "x") + tiny_onnx._text(2, "y") + tiny_onnx._text(4, "ReduceMean")
    node += tiny_onnx._block(5, axes) + tiny_onnx._block(5, flat)
    graph = tiny_onnx._block(1, node) + tiny_onnx._text(2, "tiny")
    graph += tiny_onnx._block(11, tiny_onnx._value("x", (1, 3, side, side), tiny_onnx.FLOAT))
    left = tuple(size for axis, size in enumerate((1, 3, side, side)) if axis not in over)
    graph += tiny_onnx._block(12, tiny_onnx._value("y", left, tiny_onnx.FLOAT))
    opset = tiny_onnx._text(1, "") + tiny_onnx._number(2, 13)
    return (
        tiny_onnx._number(1, 8)
        + tiny_onnx._text(6, note)
        + tiny_onnx._block(7, graph)
        + tiny_onnx._block(8, opset)
    )


def write_liveness_pack(root: Path, name: str = "toy-liveness", *, over: tuple[int, ...] = (2, 3)) -> Path:
    """Write a pack of two liveness networks that look at a face at 2.7 and 4.0 times its size."""
    contents = {f"{scale}.onnx": averaging_model(note=str(scale), over=over) for scale in (2.7, 4.0)}
    document = descriptor(name)
    document["models"] = [
        {
            "task": "liveness",
            "decoder": "minifasnet",
            "files": {"float32": pinned(file, data)},
            "input": [80, 80],
            "channels": "bgr",
            "crop_scale": float(file.removesuffix(".onnx")),
        }
        for file, data in contents.items()
    ]
    folder = write_pack(root, document)
    for file, data in contents.items():
        (folder / file).write_bytes(data)
    return folder


def descriptor(
    name: str = "toy", content: Mapping[str, bytes] | None = None, *, url: str | None = None, **changes: Any
) -> dict[str, Any]:
    """A sound descriptor of an embedder; ``changes`` replace keys of the pack, or of its model."""
    content = {"float32": flattening_model()} if content is None else content
    document: dict[str, Any] = {
        "schema": 1,
        "name": name,
        "title": "A toy",
        "licence": "MIT",
        "commercial": True,
        "provenance": "Made by the tests.",
    }
    model: dict[str, Any] = {
        "task": "embedder",
        "decoder": "arcface",
        "files": {precision: pinned(f"{precision}.onnx", data, url) for precision, data in content.items()},
        "input": [SIDE, SIDE],
        "channels": "rgb",
        "space": "toy/1",
        "dimension": DIMENSION,
        "templates": {"arcface": TEMPLATE},
    }
    for key, value in changes.items():
        (document if key in {*document, "licence_url", "models"} else model)[key] = value
    return {"models": [model]} | document


def pinned(name: str, data: bytes, url: str | None = None) -> dict[str, Any]:
    pin: dict[str, Any] = {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return pin | ({"url": f"{url}/{name}"} if url else {})


def write_pack(root: Path, document: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Path:
    """Write ``root/NAME/pack.yaml`` and the files beside it; return the folder."""
    folder = root / str(document["name"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.yaml").write_text(yaml.dump(dict(document), Dumper=_Plain))
    for precision, data in (files or {}).items():
        (folder / f"{precision}.onnx").write_bytes(data)
    return folder

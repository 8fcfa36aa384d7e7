"""Put the starter pack together: quantize the embedder, pin both files, write pack.yaml.

    python models/training/assemble_starter.py --corpus CACHE --out models/starter
        --embedder embedder-float32.onnx --detector detector-int8.onnx
    edged eval calibration --images DIR --people models/training/heldout.txt
        --detector starter --embedder starter --json > calibration.json
    python models/training/assemble_starter.py ... --calibration calibration.json

The calibration is measured with the finished pack, so it takes two rounds: the first writes none, and a
door without a table does not arm.
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from corpus import MARGIN

from edged.domain.types import FloatArray
from edged.vision.quantization import quantize

SPACE = "starter/1"
SAMPLES = 512  # training photographs that set the ranges of the activations
_TEXT = Path(__file__).with_name("starter.yaml")


def calibration_inputs(corpus: Path) -> Iterator[FloatArray]:
    """Yield inputs (1, 3, 112, 112) of training photographs, BGR in -1..1."""
    faces = np.load(corpus / "crops.npy", mmap_mode="r")
    for index in sorted(np.random.default_rng(1).choice(len(faces), SAMPLES, replace=False)):
        face = faces[index, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)
        yield ((face - 127.5) / 127.5).transpose(2, 0, 1)[None].copy()


def descriptor(folder: Path, calibration: Path | None) -> dict[str, Any]:
    """Return the contents of pack.yaml for the files in ``folder``."""
    text: dict[str, Any] = yaml.safe_load(_TEXT.read_text(encoding="utf-8"))
    for model in text["models"]:
        for file in model["files"].values():
            data = (folder / file["name"]).read_bytes()
            file["sha256"], file["size"] = hashlib.sha256(data).hexdigest(), len(data)
        if model["task"] == "embedder" and calibration is not None:
            model["calibration"] = json.loads(calibration.read_text())["calibration"]
    return text


def main() -> None:
    """Read the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--embedder", type=Path, required=True, help="what export_embedder.py wrote")
    parser.add_argument("--detector", type=Path, required=True, help="what export_detector.py wrote, int8")
    parser.add_argument("--corpus", type=Path, required=True, help="what corpus.py wrote")
    parser.add_argument("--calibration", type=Path, help="what `edged eval calibration --json` printed")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = quantize(
        arguments.embedder, arguments.out / "embedder-int8.onnx", calibration_inputs(arguments.corpus)
    )
    if arguments.detector.resolve() != (arguments.out / "detector-int8.onnx").resolve():
        shutil.copyfile(arguments.detector, arguments.out / "detector-int8.onnx")
    text = descriptor(arguments.out, arguments.calibration)
    with (arguments.out / "pack.yaml").open("w", encoding="utf-8") as file:
        yaml.safe_dump(text, file, sort_keys=False, width=110, default_flow_style=None)
    print(report)


if __name__ == "__main__":
    main()

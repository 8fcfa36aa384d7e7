"""Put the starter pack together: quantize the embedder, pin both files, write pack.yaml.

    python models/training/assemble_starter.py --corpus CACHE --out models/starter
        --embedder embedder-float32.onnx --detector detector-int8.onnx
    python models/training/cohort.py --photos DIR --pack models/starter
    edged eval calibration --images DIR --people models/training/heldout.txt
        --detector starter --embedder starter --json > calibration.json
    python models/training/assemble_starter.py --out models/starter --calibration calibration.json

Cohort and table are made with the finished pack, so they come last, and the table only for the very
files that were measured; a door without a table does not arm. A new embedder makes an old cohort
worthless: it is removed.
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
from cohort import FILE as COHORT
from corpus import MARGIN

from edged.domain.types import FloatArray
from edged.vision.quantization import quantize

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
        if model["task"] == "embedder":
            # Other weights are another space: their vectors must never meet.
            model["space"] = f"starter/{model['files']['int8']['sha256'][:8]}"
            if (folder / COHORT).is_file():
                model["cohort"] = _cohort(folder / COHORT)
    if calibration is not None:
        _calibrate(text["models"], json.loads(calibration.read_text()))
    return text


def _cohort(path: Path) -> dict[str, Any]:
    data, people = path.read_bytes(), len(np.load(path, allow_pickle=False))
    return {
        "name": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "people": people,
    }


def _calibrate(models: list[dict[str, Any]], measured: dict[str, Any]) -> None:
    """Add the measured table. Raises ``SystemExit`` where other files were measured."""
    pinned = {model["task"]: model["files"]["int8"]["sha256"] for model in models}
    if measured["weights"] != pinned:
        raise SystemExit(f"the table was measured with {measured['weights']}, the pack holds {pinned}")
    next(one for one in models if one["task"] == "embedder")["calibration"] = measured["calibration"]


def main() -> None:
    """Read the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--embedder", type=Path, help="what export_embedder.py wrote; quantized")
    parser.add_argument("--detector", type=Path, help="what export_detector.py wrote, int8; copied")
    parser.add_argument("--corpus", type=Path, help="what corpus.py wrote; needed with --embedder")
    parser.add_argument("--calibration", type=Path, help="what `edged eval calibration --json` printed")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.embedder is not None:
        if arguments.corpus is None:
            parser.error("--embedder needs --corpus, to calibrate with")
        inputs = calibration_inputs(arguments.corpus)
        (arguments.out / COHORT).unlink(missing_ok=True)
        print(quantize(arguments.embedder, arguments.out / "embedder-int8.onnx", inputs))
    if arguments.detector is not None:
        shutil.copyfile(arguments.detector, arguments.out / "detector-int8.onnx")
    text = descriptor(arguments.out, arguments.calibration)
    with (arguments.out / "pack.yaml").open("w", encoding="utf-8") as file:
        yaml.safe_dump(text, file, sort_keys=False, width=110, default_flow_style=None)


if __name__ == "__main__":
    main()

"""Does a weights file do what its descriptor says? Asked once, before it is installed."""

from pathlib import Path

import numpy as np

from edged.domain.types import Image
from edged.errors import ModelError
from edged.vision.detector import FaceDetector
from edged.vision.embedder import FaceEmbedder
from edged.vision.packs import ModelSpec, Precision
from edged.vision.session import OrtSession
from edged.vision.tensors import check_size, to_tensor

# The reference provider: a file that it cannot run is broken, whatever accelerator the door has.
_PROVIDERS = ("CPUExecutionProvider",)


def check_model(path: Path, spec: ModelSpec, precision: Precision) -> None:
    """Open ``path``, already verified, and run it on one picture the way the daemon would.

    Raises ``ModelError`` for what is not ONNX, takes another input or gives another output.
    """
    try:
        session = OrtSession(path, sha256=None, threads=1, providers=_PROVIDERS, input_size=spec.input)
        _try(session, spec, precision)
    except (ModelError, ValueError, IndexError) as exc:
        name = spec.files[precision].name
        text = str(exc).removeprefix(f"{path}: ")
        raise ModelError(f"{name}: does not fit its descriptor: {text}") from exc


def _try(session: OrtSession, spec: ModelSpec, precision: Precision) -> None:
    picture = _picture(spec.input)
    if spec.task == "detector":
        FaceDetector(session, spec, threshold=0.5).detect(picture)
    elif spec.task == "embedder":
        FaceEmbedder(session, spec, space=spec.space_of(precision)).embed([picture])
    else:
        check_size(session, spec.input)
        tensor = to_tensor([picture], channels=spec.channels, mean=spec.mean, scale=spec.scale)
        shapes = [out.shape for out in session.run(tensor)]
        if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][0] != 1 or shapes[0][1] < 2:
            raise ModelError(f"expected one output (1, classes), got {shapes}")


def _picture(size: tuple[int, int]) -> Image:
    """Return a (H, W, 3) uint8 gradient: enough structure that no sound network answers with zeros."""
    width, height = size
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    return ramp.astype(np.uint8)

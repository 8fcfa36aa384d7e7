"""Model packs: the descriptor, the cohort, the weights, and the profile beside them."""

import hashlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from edged.config.sections import ModelsConfig
from edged.domain.calibration import MeasuredPoint
from edged.errors import ModelError
from edged.vision.choice import PROFILE, running_threads
from edged.vision.cohort import read_cohort
from edged.vision.fitness import check_model
from edged.vision.packs import Cohort, ModelSpec, Pack, load_pack, parse_pack
from edged.vision.profile import cores, read_profile, standing, write_profile
from tests.fuzz.target import Target, put
from tests.unit.vision.test_profile import measured
from tests.unit.vision.tiny_onnx import model

_MODELS = Path(__file__).parents[2] / "models"
_COHORT = (100, 16)


def _pack(data: bytes, folder: Path) -> None:
    pack = parse_pack(data, folder)
    for spec in pack.models:
        for precision, file in spec.files.items():
            path = pack.file_path(spec, precision)
            assert path.parent == folder, path
            assert path.name == file.name
        _check_table(spec.calibration)
    pack.present()


def _check_table(table: tuple[MeasuredPoint, ...]) -> None:
    # Not finite would fail every comparison, and one of them may be the gate.
    assert all(-1 <= point.threshold <= 1 and 0 < point.fmr < 1 for point in table)


def _pack_seeds(_folder: Path) -> Iterator[bytes]:
    for path in sorted(_MODELS.glob("*/pack.yaml")):
        yield path.read_bytes()


@cache
def _starter() -> Pack:
    return load_pack(_MODELS / "starter")


def _cohort(data: bytes, folder: Path) -> None:
    if not data:
        return
    path = put(folder / "cohort.npy", data)
    pinned = Cohort(
        name="cohort.npy", sha256=hashlib.sha256(data).hexdigest(), size=len(data), people=_COHORT[0]
    )
    rows = read_cohort(path, pinned, _spec(dimension=_COHORT[1]))
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)


def _spec(*, dimension: int) -> ModelSpec:
    import msgspec

    return msgspec.structs.replace(
        _starter().model("embedder"), dimension=dimension, zoom=None, mirrored=False
    )


def _cohort_seeds(_folder: Path) -> Iterator[bytes]:
    for kind in (np.int8, np.float16):
        stream = io.BytesIO()
        np.save(stream, np.ones(_COHORT, kind))
        yield stream.getvalue()
    stream = io.BytesIO()
    np.savez(stream, np.ones(3, np.int8))
    yield stream.getvalue()


def _weights(data: bytes, folder: Path) -> None:
    check_model(put(folder / "model.onnx", data), _spec(dimension=16), "int8")


def _weights_seeds(_folder: Path) -> Iterator[bytes]:
    yield model((1, 3, 112, 112))
    yield model(("n", 3, "h", "w"), operator="Flatten")


def _profile(data: bytes, folder: Path) -> None:
    path = put(folder / PROFILE, data)
    models = ModelsConfig(directory=folder)
    assert standing(models).text.isprintable()
    assert 1 <= running_threads(models) <= max(2, cores())
    read_profile(path)


def _profile_seeds(folder: Path) -> Iterator[bytes]:
    models = ModelsConfig(directory=folder)
    yield write_profile(measured(models), models).read_bytes()
    yield write_profile(measured(models, cores=64, threads=64), models).read_bytes()


TARGETS = (
    Target("pack", _pack, _pack_seeds, (ModelError,), 8192, ("yaml",)),
    Target("cohort", _cohort, _cohort_seeds, (ModelError,), 4096),
    Target("weights", _weights, _weights_seeds, (ModelError,), 2048),
    Target("profile", _profile, _profile_seeds, (ModelError,), 4096),
)

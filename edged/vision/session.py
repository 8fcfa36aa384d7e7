"""Running one ONNX file: the only place that knows onnxruntime."""

import hashlib
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edged.domain.types import FloatArray
from edged.errors import ModelError, printable

logger = logging.getLogger(__name__)

# Its warnings (a missing GPU device node, an unused initialiser) are no news at a door.
_LOG_ERRORS_ONLY = 3
# A picture of the largest size that a descriptor can state, 4096 x 4096 in three channels, takes 200 MB.
_MAX_INPUT_NUMBERS = 3 * 4096 * 4096
# onnxruntime gives its exceptions no common parent.
_ORT_ERRORS: tuple[type[Exception], ...] = tuple(
    kind for kind in vars(ort_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)
)
# And beside them: names that are not UTF-8, and outputs that are no numbers.
_FAILURES: tuple[type[Exception], ...] = (*_ORT_ERRORS, TypeError, ValueError, RuntimeError)

Shape = tuple[int | str, ...]


class Session(Protocol):
    """A network with one float32 input. A dimension of ``input_shape`` that may vary is a string."""

    @property
    def input_shape(self) -> Shape:
        """The shape of the input, usually (batch, channels, height, width)."""

    def run(self, tensor: FloatArray) -> list[FloatArray]:
        """Return every output, in the file's order. Raises ``ModelError``."""


class OrtSession:
    """An ONNX file in onnxruntime.

    The bytes that are hashed are the bytes that are loaded. Threads do not spin between runs:
    spinning cost 39 % of a core at 10 frames a second, and sessions that spin slow each other down.
    ``input_size`` (width, height) fills in what the file leaves open, for the warm-up run.
    """

    def __init__(
        self,
        path: Path,
        *,
        sha256: str | None,
        threads: int,
        providers: Sequence[str],
        input_size: tuple[int, int] | None = None,
    ) -> None:
        """Load and run once. Raises ``ModelError`` for anything that does not fit."""
        self.path = path
        _check_providers(providers)
        onnxruntime.set_default_logger_severity(_LOG_ERRORS_ONLY)
        try:
            self._session = onnxruntime.InferenceSession(
                _read(path, sha256), _options(threads), providers=list(providers)
            )
            self._name, self._shape = self._only_input()
        except _FAILURES as exc:
            raise ModelError(f"{path}: not a model that onnxruntime can load: {_first_line(exc)}") from exc
        active = self._session.get_providers()
        if active[0] != providers[0]:
            raise ModelError(f"{path}: provider {providers[0]} did not start; running would be {active[0]}")
        first = _concrete(self._shape, input_size)
        if math.prod(first) > _MAX_INPUT_NUMBERS or min(first, default=0) < 0:
            raise ModelError(f"{path}: expected an input of one picture, got {self._shape}")
        self.run(np.zeros(first, np.float32))

    @property
    def input_shape(self) -> Shape:
        """Integers for fixed dimensions, strings for those that may vary."""
        return self._shape

    def run(self, tensor: FloatArray) -> list[FloatArray]:
        """Return every output as float32, in the file's order.

        Raises ``ModelError`` when the shape or type is not the input's, or the run fails.
        """
        if tensor.dtype != np.float32 or not _fits(tensor.shape, self._shape):
            raise ModelError(
                f"{self.path.name}: expected float32 {self._shape}, got {tensor.dtype} {tensor.shape}"
            )
        try:
            return [np.asarray(out, np.float32) for out in self._session.run(None, {self._name: tensor})]
        except _FAILURES as exc:
            raise ModelError(f"{self.path.name}: the run failed: {_first_line(exc)}") from exc

    def _only_input(self) -> tuple[str, Shape]:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            got = ", ".join(f"{one.name} {one.type}" for one in inputs)
            raise ModelError(f"{self.path}: expected one float32 input, got {got or 'none'}")
        shape = tuple(size if isinstance(size, int) else str(size) for size in inputs[0].shape)
        return inputs[0].name, shape


def _read(path: Path, sha256: str | None) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    if sha256 is not None and (digest := hashlib.sha256(data).hexdigest()) != sha256:
        raise ModelError(f"{path}: SHA-256 is {digest}, expected {sha256}")
    return data


def _check_providers(providers: Sequence[str]) -> None:
    known = onnxruntime.get_available_providers()
    missing = [name for name in providers if name not in known]
    if missing or not providers:
        raise ModelError(
            f"provider {', '.join(missing) or '(none)'} is not in this build of onnxruntime; "
            f"it has {', '.join(known)}"
        )


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _fits(got: tuple[int, ...], expected: Shape) -> bool:
    return len(got) == len(expected) and all(
        isinstance(want, str) or want == have for have, want in zip(got, expected, strict=True)
    )


def _concrete(shape: Shape, size: tuple[int, int] | None) -> tuple[int, ...]:
    """Replace open dimensions: one picture of ``size`` (width, height)."""
    width, height = size or (1, 1)
    usual = (1, 3, height, width)
    filled = usual if len(shape) == len(usual) else (1,) * len(shape)
    return tuple(want if isinstance(want, int) else have for want, have in zip(shape, filled, strict=True))


def _first_line(exc: Exception) -> str:
    return printable((str(exc).splitlines() or [type(exc).__name__])[0][:300])

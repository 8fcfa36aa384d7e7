"""Running one ONNX file: the only place that knows onnxruntime."""

import hashlib
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from edged.domain.types import FloatArray, Image
from edged.errors import ModelError, printable
from edged.vision.arena import forget_file, on_cpu_alone, share_arena

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


class _OrtFile:
    """An ONNX file in onnxruntime with one input of a stated type.

    The bytes that are hashed are the bytes that are loaded. Threads do not spin between runs:
    spinning cost 39 % of a core at 10 frames a second, and sessions that spin slow each other down;
    ``spinning`` is there to measure that.
    ``input_size`` (width, height) fills in what the file leaves open, for the warm-up run.
    """

    _element: ClassVar[tuple[str, type[np.generic]]] = ("tensor(float)", np.float32)
    # Where a picture's height and width lie in the input.
    _sides: ClassVar[tuple[int, int]] = (2, 3)

    def __init__(
        self,
        path: Path,
        *,
        sha256: str | None,
        threads: int,
        providers: Sequence[str],
        input_size: tuple[int, int] | None = None,
        spinning: bool = False,
    ) -> None:
        """Load and run once. Raises ``ModelError`` for anything that does not fit."""
        self.path = path
        _check_providers(providers)
        onnxruntime.set_default_logger_severity(_LOG_ERRORS_ONLY)
        try:
            options, ours = _options(threads, spinning=spinning), on_cpu_alone(list(providers))
            if ours:
                share_arena(options)
            self._session = onnxruntime.InferenceSession(
                _read(path, sha256), options, providers=list(providers)
            )
            if ours:
                forget_file(self._session)
            self._name, self._shape = self._only_input()
            self._outputs = [one.name for one in self._session.get_outputs()]
        except _FAILURES as exc:
            raise ModelError(f"{path}: not a model that onnxruntime can load: {_first_line(exc)}") from exc
        active = self._session.get_providers()
        if active[0] != providers[0]:
            raise ModelError(f"{path}: provider {providers[0]} did not start; running would be {active[0]}")
        first = _concrete(self._shape, input_size, self._sides)
        if math.prod(first) > _MAX_INPUT_NUMBERS or min(first, default=0) < 0:
            raise ModelError(f"{path}: expected an input of one picture, got {self._shape}")
        self._run(np.zeros(first, self._element[1]))

    def _run(self, tensor: npt.NDArray[Any]) -> list[FloatArray]:
        kind = np.dtype(self._element[1])
        fits = tensor.shape == self._shape or _fits(tensor.shape, self._shape)
        if tensor.dtype != kind or not fits:
            raise ModelError(
                f"{self.path.name}: expected {kind} {self._shape}, got {tensor.dtype} {tensor.shape}"
            )
        try:
            outputs = self._session.run(self._outputs, {self._name: tensor})
            return [np.asarray(out, np.float32) for out in outputs]
        except _FAILURES as exc:
            raise ModelError(f"{self.path.name}: the run failed: {_first_line(exc)}") from exc

    def _only_input(self) -> tuple[str, Shape]:
        inputs = self._session.get_inputs()
        element, kind = self._element
        if len(inputs) != 1 or inputs[0].type != element:
            got = ", ".join(f"{one.name} {one.type}" for one in inputs)
            raise ModelError(f"{self.path}: expected one {np.dtype(kind)} input, got {got or 'none'}")
        shape = tuple(size if isinstance(size, int) else str(size) for size in inputs[0].shape)
        return inputs[0].name, shape


class OrtSession(_OrtFile):
    """A file that takes float32 numbers, as packs hold them."""

    @property
    def input_shape(self) -> Shape:
        """Integers for fixed dimensions, strings for those that may vary."""
        return self._shape

    def run(self, tensor: FloatArray) -> list[FloatArray]:
        """Return every output as float32, in the file's order.

        Raises ``ModelError`` when the shape or type is not the input's, or the run fails.
        """
        return self._run(tensor)


class PixelSession(_OrtFile):
    """A compiled file: it takes pictures as they are, (N, H, W, 3) uint8 BGR."""

    _element: ClassVar[tuple[str, type[np.generic]]] = ("tensor(uint8)", np.uint8)
    _sides: ClassVar[tuple[int, int]] = (1, 2)

    @property
    def input_shape(self) -> Shape:
        """The shape that the original takes: (batch, channels, height, width)."""
        if len(self._shape) != 4:
            raise ModelError(f"{self.path}: expected an input (N, H, W, 3), got {self._shape}")
        batch, height, width, channels = self._shape
        return batch, channels, height, width

    def run_pixels(self, pictures: Image) -> list[FloatArray]:
        """Return for (N, H, W, 3) uint8 BGR every output as float32, in the file's order.

        Raises ``ModelError`` when the shape or type is not the input's, or the run fails.
        """
        return self._run(pictures)


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


def _options(threads: int, *, spinning: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    return options


def _fits(got: tuple[int, ...], expected: Shape) -> bool:
    return len(got) == len(expected) and all(
        isinstance(want, str) or want == have for have, want in zip(got, expected, strict=True)
    )


def _concrete(shape: Shape, size: tuple[int, int] | None, sides: tuple[int, int]) -> tuple[int, ...]:
    """Replace open dimensions: one picture of ``size`` (width, height); ``sides`` says where those are."""
    width, height = size or (1, 1)
    usual = dict(zip((0, *sides), (1, height, width), strict=True))
    filled = [usual.get(index, 3) if len(shape) == 4 else 1 for index in range(len(shape))]
    return tuple(want if isinstance(want, int) else have for want, have in zip(shape, filled, strict=True))


def _first_line(exc: Exception) -> str:
    return printable((str(exc).splitlines() or [type(exc).__name__])[0][:300])

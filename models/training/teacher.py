"""The teacher: an ArcFace network whose vectors and inner maps are the student's targets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from edged.domain.types import Image

# MobileFaceNet y1's residual trunk at the end of its 14 x 14 and of its 7 x 7 stage, 128 channels each.
MAPS = ("_plus9", "_plus11")
FloatArray = npt.NDArray[np.float32]
HalfArray = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Views and what the teacher makes of them: an even number, every second one the mirror of the former.

    ``views`` (N, 112, 112, 3) uint8 BGR, ``vectors`` (N, 128) unit float32: the mean of view and mirror,
    ``wide`` (N, 128, 14, 14) and ``deep`` (N, 128, 7, 7) float16.
    """

    views: npt.NDArray[np.uint8]
    vectors: FloatArray
    wide: HalfArray
    deep: HalfArray


class Teacher:
    """Runs ``path``, the ONNX file of y1 with its PReLU rewritten, on ``threads`` threads."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        model = onnx.load(str(path))
        for name in MAPS:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self._input = self._session.get_inputs()[0].name

    def teach(self, views: list[Image]) -> Lesson:
        """Return the lesson of ``views`` and of their mirrors."""
        both = [one for view in views for one in (view, np.ascontiguousarray(view[:, ::-1]))]
        # One view a run: on small caches this is faster than a batch.
        answers = [self._run(view) for view in both]
        vectors = np.array([answer[0] for answer in answers]).reshape(len(views), 2, -1).sum(axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Lesson(
            np.array(both),
            np.repeat(vectors, 2, axis=0).astype(np.float32),
            np.array([answer[1] for answer in answers], np.float16),
            np.array([answer[2] for answer in answers], np.float16),
        )

    def _run(self, view: Image) -> tuple[FloatArray, FloatArray, FloatArray]:
        tensor = view[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        vector, wide, deep = self._session.run(None, {self._input: tensor})
        return vector[0] / np.linalg.norm(vector[0]), wide[0], deep[0]

"""What YuNet sees on the way to its answer, as targets for the stages of a learning net (Romero et al. 2015).

Where a face's points are takes a small net long to find out from the points alone. The teacher's maps tell
every stage what to look for, in every cell of every picture.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx.utils import Extractor
from torch import Tensor, nn

WIDTH = 64  # of every map of YuNet-n
# The student's maps at strides 8 and 16 before the merge, then 8, 16 and 32 before the heads.
STUDENT_WIDTHS = (32, 64, 32, 48, 64)
# A channel that hardly ever varies counts at most as if it varied by this share of the mean.
LEAST_VARIANCE = 0.1


class Teacher:
    """YuNet without its heads, for pictures of any size."""

    def __init__(self, path: Path) -> None:
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
        names = _hinting(model)
        cut = Extractor(model).extract_model([model.graph.input[0].name], names)
        for value in (*cut.graph.input, *cut.graph.output):
            for axis, name in ((0, "n"), (2, "h"), (3, "w")):
                value.type.tensor_type.shape.dim[axis].dim_param = f"{name}_{value.name}"
        del cut.graph.value_info[:]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(cut.SerializeToString(), options)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the maps (N, WIDTH, h, w) of pictures (N, 3, H, W), in the order of ``STUDENT_WIDTHS``."""
        pictures = np.ascontiguousarray(x.detach().cpu().numpy())
        name = self._session.get_inputs()[0].name
        return [torch.from_numpy(found).to(x.device) for found in self._session.run(None, {name: pictures})]


def _hinting(model: onnx.ModelProto) -> list[str]:
    """Find the maps by what reads them: a pool and the merge, or the four heads of a stride."""
    readers: dict[str, Counter[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, Counter())[node.op_type] += 1
    order = [name for node in model.graph.node for name in node.output]
    skips = [name for name in order if {"MaxPool", "Add"} <= set(readers.get(name, ()))]
    fronts = [name for name in order if readers.get(name, Counter())["Conv"] == 4]
    if (len(skips), len(fronts)) != (2, 3):
        raise ValueError(
            f"expected YuNet's 2 skips and 3 maps before heads, got {len(skips)} and {len(fronts)}"
        )
    return skips + fronts


class Hints(nn.Module):
    """Reads the teacher's maps out of the student's."""

    def __init__(self) -> None:
        super().__init__()
        self.readers = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in STUDENT_WIDTHS)

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Return the mean share of the teacher's variance that is not explained, 0..1 once learned."""
        missed = []
        for reader, own, wanted in zip(self.readers, student, teacher, strict=True):
            variance = wanted.var(dim=(0, 2, 3))
            error = (reader(own).float() - wanted).square().mean(dim=(0, 2, 3))
            missed.append((error / variance.clamp(min=LEAST_VARIANCE * float(variance.mean()))).mean())
        return torch.stack(missed).mean()

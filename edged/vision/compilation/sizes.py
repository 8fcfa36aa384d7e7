"""A detector's network freed from the one size of picture that it was exported for.

Such a network is convolutions alone: what it says of a place depends on the surroundings, not on where the
picture ends. Only the declared input and the lengths of its lists of cells are tied to a size.
"""

import numpy as np
import onnx

from edged.vision.quantization.network import Array, Network

HEIGHT, WIDTH = "height", "width"
# What follows from the size of a picture in ways of its own.
_BOUND = {"Gemm", "MatMul", "Flatten", "Expand", "Tile"}


def free_size(network: Network) -> bool:
    """Let ``network`` take pictures of any size; tell whether it does, else it is as it was.

    The declared input is left to whoever writes the file.
    """
    targets = [node for node in network.nodes if node.op_type == "Reshape"]
    shapes = [network.constant(node, 1) for node in targets]
    freed = [None if shape is None else _freed(shape) for shape in shapes]
    bound = any(node.op_type in _BOUND for node in network.nodes)
    # To a stated size, not by a factor.
    sized = any(node.op_type == "Resize" and network.constant(node, 3) is not None for node in network.nodes)
    if bound or sized or any(shape is None for shape in freed):
        return False
    for node, shape in zip(targets, freed, strict=True):
        if shape is not None:
            network.set_constant(node, 1, shape)
    return True


def any_size_model(network: Network) -> onnx.ModelProto:
    """Return a freed ``network`` as a model whose input (batch, channels, height, width) declares no size."""
    model = network.model()
    sides = model.graph.input[0].type.tensor_type.shape.dim[2:]
    for side, name in zip(sides, (HEIGHT, WIDTH), strict=True):
        side.dim_param = name
    forget_output_shapes(model)
    return model


def forget_output_shapes(model: onnx.ModelProto) -> None:
    """Take back how many cells the outputs (…, cells, numbers) have, which holds for one size alone."""
    for output in model.graph.output:
        for side in output.type.tensor_type.shape.dim[-2:-1]:
            side.Clear()


def _freed(shape: Array) -> Array | None:
    """Return the target of a list of cells without its length: (1, cells, n) or (cells, n); else None."""
    numbers = shape.reshape(-1).tolist()
    if len(numbers) not in (2, 3) or numbers[:-2] not in ([], [1]) or numbers[-1] < 1:
        return None
    return np.array([*numbers[:-2], -1, numbers[-1]], np.int64)

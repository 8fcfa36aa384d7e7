"""Take up a published embedder again: its ONNX file back into the net that learns.

Export folds every normalisation into its convolution, and quantization rounds the weights; neither can be
undone exactly. Here each convolution gets its weights back and a fresh normalisation whose statistics are
measured on ``views``, so that both together do what the file's convolution does.
"""

from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from embedder_net import Block, Conv, Embedder, Unit
from onnx import numpy_helper
from torch import Tensor, nn

Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]


def adopt(net: Embedder, path: Path, views: Tensor) -> None:
    """Give ``net`` the weights of ``path``, float32 or QDQ; ``views`` (N, 3, 112, 112) as the net takes them.

    Raises ``ValueError`` where the file is of another shape of net.
    """
    layers = _layers(path)
    hooks = []
    for convolution, norm in _slots(net):
        weight, bias = _next(layers, _shape(convolution), path.name)
        if isinstance(convolution, nn.Linear):
            convolution.weight.data.copy_(weight)
            convolution.bias.data.copy_(bias)
            continue
        spread = _store(convolution, weight)
        assert norm is not None, "expected every convolution to have its normalisation"
        hooks.append(convolution.register_forward_hook(_measuring(norm, spread, bias)))
    learning = net.training
    net.eval()
    with torch.no_grad():
        net(views)
    net.train(learning)
    for hook in hooks:
        hook.remove()


def _slots(net: Embedder) -> list[tuple[nn.Module, nn.BatchNorm2d | None]]:
    """Return the layers in the order in which export writes them."""
    units = [net.stem]
    for block in net.stages.modules():
        if isinstance(block, Block):
            units += [block.first, block.second]
            units += [block.shortcut] if isinstance(block.shortcut, Unit) else []
    units.append(net.expand)
    return [*((one.conv, one.norm) for one in units), (net.pool, net.pool_norm), (net.project, None)]


def _shape(layer: nn.Module) -> tuple[int, ...]:
    if isinstance(layer, Conv):
        return layer.shape
    assert isinstance(layer.weight, Tensor), "expected a layer with a weight"
    return tuple(layer.weight.shape)


def _next(layers: list[tuple[Tensor, Tensor]], shape: tuple[int, ...], name: str) -> tuple[Tensor, Tensor]:
    """Take the next layer of ``shape``: a quantizer may swap a shortcut with the convolution beside it."""
    for index, (weight, _) in enumerate(layers):
        if tuple(weight.shape) == shape:
            return layers.pop(index)
    raise ValueError(f"expected a layer of shape {shape} in {name}, {len(layers)} of other shapes are left")


def _store(convolution: nn.Module, weight: Tensor) -> Tensor:
    """Store ``weight`` at a fresh net's scale, which the learning rate is meant for; return what it lost."""
    kernel = convolution.weight
    assert isinstance(kernel, Tensor), "expected a convolution"
    scale = weight.flatten(1).square().mean(dim=1).sqrt().clamp_min(1e-8)
    wanted = float(kernel.detach().square().mean().sqrt())
    scale = scale / wanted
    kernel.data.copy_((weight / scale[:, None, None, None]).reshape(kernel.shape))
    return scale


def _measuring(norm: nn.BatchNorm2d, scale: Tensor, bias: Tensor) -> Hook:
    def measure(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # norm(y) = scale * y + bias, whatever y's mean and variance are.
        mean, variance = output.mean(dim=(0, 2, 3)), output.var(dim=(0, 2, 3))
        assert norm.running_mean is not None, "expected a normalisation that keeps its mean"
        assert norm.running_var is not None, "expected a normalisation that keeps its variance"
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.data.copy_(scale * (variance + norm.eps).sqrt())
        norm.bias.data.copy_(bias + scale * mean)

    return measure


def _layers(path: Path) -> list[tuple[Tensor, Tensor]]:
    """Return weight and bias of every convolution and matrix product, in the order of the graph."""
    graph = onnx.load(str(path)).graph
    constants = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}

    def value(name: str) -> Tensor:
        if name in constants:
            return constants[name].float()
        node = makers[name]
        if node.op_type != "DequantizeLinear":
            raise ValueError(f"expected weights behind {name}, got {node.op_type}")
        stored, scale = constants[node.input[0]], constants[node.input[1]]
        # Symmetric, one scale a channel of the output: that is how edged quantizes weights.
        return stored.float() * scale.reshape(-1, *[1] * (stored.dim() - 1))

    return [
        (value(node.input[1]), value(node.input[2]))
        for node in graph.node
        if node.op_type in {"Conv", "Gemm"}
    ]

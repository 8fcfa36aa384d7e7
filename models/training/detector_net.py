"""The starter detector: plain convolutions, one light top-down merge, a head a stride."""

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
# A cell gives cls, obj, four numbers of the box, ten of the points, in this order.
PARTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
CHANNELS = sum(PARTS.values())
# A face is rare: begin at a probability of 1 % (Lin et al. 2017).
_RARE = -4.6


class Conv(nn.Module):
    """A convolution whose weight is a matrix (out, in x k x k), as the Muon optimizer wants it."""

    def __init__(self, inward: int, outward: int, size: int, stride: int) -> None:
        super().__init__()
        self.inward, self.outward, self.size, self.stride = inward, outward, size, stride
        kernel = torch.empty(outward, inward, size, size)
        nn.init.kaiming_normal_(kernel, mode="fan_out", nonlinearity="relu")
        self.weight = nn.Parameter(kernel.flatten(1))

    def kernel(self) -> Tensor:
        """Return the weight (out, in, k, k)."""
        return self.weight.view(self.outward, self.inward, self.size, self.size)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, in, H, W)."""
        return functional.conv2d(x, self.kernel(), stride=self.stride, padding=self.size // 2)


class Unit(nn.Sequential):
    """Convolution, batch normalisation, ReLU; export folds the first two into one."""

    def __init__(self, inward: int, outward: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            Conv(inward, outward, size, stride),
            nn.BatchNorm2d(outward),
            nn.ReLU(inplace=True),
        )


class Detector(nn.Module):
    """(N, 3, H, W) BGR 0..255 to three maps (N, 16, H / s, W / s), s = 8, 16, 32.

    A map holds logits of cls and obj, then box and points as ``edged.vision.decoding.decode_yunet``
    reads them. Widths but the first are multiples of 16, which both float and int8 kernels work in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.to8 = nn.Sequential(
            Unit(3, 12, stride=2), Unit(12, 16, stride=2), Unit(16, 32, stride=2), Unit(32, 32)
        )
        self.to16 = nn.Sequential(Unit(32, 64, stride=2), Unit(64, 64))
        self.to32 = nn.Sequential(Unit(64, 64, stride=2), Unit(64, 64))
        self.down16 = Unit(64, 64, size=1)
        self.down8 = Unit(64, 32, size=1)
        self.out8, self.out16, self.out32 = Unit(32, 32), Unit(64, 48), Unit(64, 64, size=1)
        heads = [nn.Conv2d(width, CHANNELS, 1) for width in (32, 48, 64)]
        for head in heads:
            _rare(head)
        self.heads = nn.ModuleList(heads)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps of strides 8, 16, 32."""
        return self.features(x)[0]

    def features(self, x: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], list[Tensor]]:
        """Return the maps, and what the stages saw: strides 8 and 16, then 8, 16, 32 before the heads."""
        eight = self.to8(x * (1 / 128))
        sixteen = self.to16(eight)
        last = self.to32(sixteen)
        seen = [eight, sixteen]
        sixteen = sixteen + functional.interpolate(self.down16(last), scale_factor=2.0)
        eight = eight + functional.interpolate(self.down8(sixteen), scale_factor=2.0)
        wide = [self.out8(eight), self.out16(sixteen), self.out32(last)]
        # Offsets of several strides in half precision would be off by a good part of a pixel.
        with torch.autocast(x.device.type, enabled=False):
            first, second, third = (head(one.float()) for head, one in zip(self.heads, wide, strict=True))
        return (first, second, third), seen + wide


def _rare(head: nn.Conv2d) -> None:
    nn.init.normal_(head.weight, std=0.01)
    assert head.bias is not None
    with torch.no_grad():
        # A face's centre lies anywhere in its cell, its size is a few strides.
        head.bias.copy_(torch.tensor([_RARE, _RARE, 0.5, 0.5, 1.2, 1.2] + [0.5] * 10))


def multiply_adds(net: nn.Module, side: int = 320) -> int:
    """Count the multiply-adds of the convolutions for one (side, side) picture."""
    total = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, (Conv, nn.Conv2d))
        total += output[0].numel() * module.weight[0].numel()

    hooks = [one.register_forward_hook(count) for one in net.modules() if isinstance(one, (Conv, nn.Conv2d))]
    was_training = net.training
    net.eval()
    with torch.no_grad():
        net(torch.zeros(1, 3, side, side))
    net.train(was_training)
    for hook in hooks:
        hook.remove()
    return total

"""The starter embedder: a plain residual net that fuses and quantizes without tricks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

DIMENSION = 128  # of the teacher's vectors


class Conv(nn.Module):
    """A convolution whose weight is a matrix (out, in x k x k), as the Muon optimizer wants it."""

    def __init__(self, inward: int, outward: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.shape = (outward, inward, size, size)
        self.stride = stride
        weight = torch.empty(self.shape)
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
        self.weight = nn.Parameter(weight.flatten(1))

    def kernel(self) -> Tensor:
        """Return the weight (out, in, k, k)."""
        return self.weight.view(self.shape)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, in, H, W)."""
        return functional.conv2d(x, self.kernel(), stride=self.stride, padding=self.shape[2] // 2)


class Unit(nn.Module):
    """Convolution and batch normalisation, which export folds into one."""

    def __init__(self, inward: int, outward: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = Conv(inward, outward, size, stride)
        self.norm = nn.BatchNorm2d(outward)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and normalise."""
        normed: Tensor = self.norm(self.conv(x))
        return normed


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.first = Unit(inward, outward, 3, stride)
        self.second = Unit(outward, outward)
        plain = inward == outward and stride == 1
        self.shortcut = nn.Identity() if plain else Unit(inward, outward, 1, stride)
        nn.init.constant_(self.second.norm.weight, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(f(x) + shortcut(x))."""
        inner = self.second(functional.relu(self.first(x)))
        return functional.relu(inner + self.shortcut(x))


class Embedder(nn.Module):
    """(N, 3, 112, 112) BGR in -1..1 to (N, 128), not normalised.

    ``features`` returns what the stages at 14 x 14 and 7 x 7 saw as well: the teacher's own maps are
    targets for them while learning.
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int], head: int) -> None:
        super().__init__()
        self.widths, self.depths = tuple(widths), tuple(depths)
        self.stem = Unit(3, widths[0], 3, 2)
        self.stages = nn.ModuleList()
        inward = widths[0]
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [
                Block(inward if i == 0 else width, width, 2 if i == 0 and index > 0 else 1)
                for i in range(depth)
            ]
            self.stages.append(nn.Sequential(*blocks))
            inward = width
        self.expand = Unit(inward, head, 1)
        self.pool = nn.Conv2d(head, head, 7, groups=head, bias=False)
        self.pool_norm = nn.BatchNorm2d(head)
        self.project = nn.Linear(head, DIMENSION)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the vectors (N, 128) and the maps (N, C, 14, 14), (N, C, 7, 7)."""
        x = functional.relu(self.stem(x))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        pooled = self.pool_norm(self.pool(functional.relu(self.expand(x))))
        return self.project(pooled.flatten(1)), maps[-2], maps[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        return self.features(x)[0]

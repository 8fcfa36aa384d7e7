"""Which cell answers for which face, and how wrong its answer is."""

from dataclasses import dataclass

import torch
from detector_net import STRIDES
from detector_scenes import BOX, IGNORED, KIND, POINTS, SURE, WEIGHTS
from torch import Tensor
from torch.nn import functional

# Face sizes (square root of the box's area) that each stride answers for; in the overlaps both do.
RANGES = ((0.0, 60.0), (38.0, 150.0), (95.0, 1e4))
# Within this factor outside its range a stride is neither asked nor punished.
LENIENT = 1.3
# Cells within 1.5 strides of a face's centre answer for it (FCOS, Tian et al. 2020).
RADIUS = 1.5
# A point that is not seen, or outside the picture, is half a guess.
GUESSED = 0.2
# Steep for errors below this share of the face's size (wing loss, Feng et al. 2018), and still rising
# beyond: points that do not follow a leaning head yet must be pulled as well.
STEEP, BEYOND = 0.05, 5.0
BOX_WEIGHT, POINT_WEIGHT = 2.0, 1.5


@dataclass(frozen=True, slots=True)
class Cells:
    """Column and row ``at`` (P, 2) and ``stride`` (P,) of every cell of all maps."""

    at: Tensor
    stride: Tensor

    @classmethod
    def of(cls, side: int, device: torch.device) -> "Cells":
        """Return the cells for (side, side) pictures."""
        at, strides = [], []
        for stride in STRIDES:
            steps = torch.arange(side // stride, device=device)
            rows, columns = torch.meshgrid(steps, steps, indexing="ij")
            at.append(torch.stack([columns, rows], dim=-1).reshape(-1, 2))
            strides.append(torch.full((len(at[-1]),), stride, device=device))
        return cls(torch.cat(at).float(), torch.cat(strides).float())


@dataclass(frozen=True, slots=True)
class Targets:
    """``face`` (N, P) the row of the face a cell answers for, -1 for none; ``counted`` (N, P) bool."""

    face: Tensor
    counted: Tensor


def assign(faces: Tensor, cells: Cells) -> Targets:
    """Match cells with ``faces`` (N, M, COLUMNS)."""
    middle = faces[:, :, :2] + faces[:, :, 2:4] / 2
    size = faces[:, :, 2:4]
    side = size.prod(dim=-1).clamp(min=0).sqrt()[:, None]
    stride = cells.stride[None, :, None, None]
    away = (((cells.at + 0.5) * cells.stride[:, None])[None, :, None] - middle[:, None]).abs()
    reach = torch.maximum(torch.minimum(0.4 * size[:, None], RADIUS * stride), 0.5 * stride)
    near = (away <= reach).all(dim=-1)
    low, high = (torch.tensor(ends, device=faces.device) for ends in zip(*RANGES, strict=True))
    level = (cells.stride.log2() - 3).long()
    low, high = low[level][None, :, None], high[level][None, :, None]
    sure = (faces[:, :, KIND] == SURE)[:, None]
    fits = (side >= low) & (side < high)
    nearly = (side >= low / LENIENT) & (side < high * LENIENT)
    distance = away.amax(dim=-1).masked_fill(~(near & fits & sure), torch.inf)
    best, face = distance.min(dim=-1)
    face = face.masked_fill(best.isinf(), -1)
    inside = (away <= size[:, None] / 2).all(dim=-1)
    ignored = inside & (faces[:, :, KIND] == IGNORED)[:, None]
    spared = (near & nearly & ~fits & sure) | ignored
    return Targets(face, (face >= 0) | ~spared.any(dim=-1))


def losses(maps: tuple[Tensor, ...], faces: Tensor, cells: Cells) -> dict[str, Tensor]:
    """Return the parts of the loss, each a mean over the answering cells of the batch."""
    out = torch.cat([one.float().flatten(2) for one in maps], dim=2).transpose(1, 2)
    targets = assign(faces, cells)
    picture, cell = torch.nonzero(targets.face >= 0, as_tuple=True)
    number = max(1, len(picture))
    wanted = faces[picture, targets.face[picture, cell]]
    answer, at, stride = out[picture, cell], cells.at[cell], cells.stride[cell, None]
    overlap, general = overlaps(boxes(answer[:, 2:6], at, stride), wanted[:, BOX])
    quality, is_face = torch.zeros_like(out[:, :, 0]), torch.zeros_like(out[:, :, 0])
    is_face[picture, cell] = 1.0
    quality[picture, cell] = overlap.detach().clamp(0, 1)
    counted = targets.counted.float()
    return {
        "cls": (focal(out[:, :, 0], is_face) * counted).sum() / number,
        "obj": (focal(out[:, :, 1], quality) * counted).sum() / number,
        "box": BOX_WEIGHT * (1 - general).sum() / number,
        "points": POINT_WEIGHT * _point_loss(answer[:, 6:], at, stride, wanted).sum() / number,
    }


def boxes(offsets: Tensor, at: Tensor, stride: Tensor) -> Tensor:
    """Decode (K, 4) into x, y, width, height in pixels."""
    middle = (at + offsets[:, :2]) * stride
    size = offsets[:, 2:].clamp(max=6).exp() * stride
    return torch.cat([middle - size / 2, size], dim=1)


def overlaps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and generalized IoU (Rezatofighi et al. 2019) of (K, 4) boxes row by row."""
    ends, other_ends = first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:]
    shared = (
        (torch.minimum(ends, other_ends) - torch.maximum(first[:, :2], second[:, :2]))
        .clamp(min=0)
        .prod(dim=1)
    )
    union = first[:, 2:].prod(dim=1) + second[:, 2:].prod(dim=1) - shared
    around = (torch.maximum(ends, other_ends) - torch.minimum(first[:, :2], second[:, :2])).prod(dim=1)
    iou = shared / union.clamp(min=1e-6)
    return iou, iou - (around - union) / around.clamp(min=1e-6)


def focal(logits: Tensor, target: Tensor) -> Tensor:
    """Quality focal loss (Li et al. 2020): cross entropy times the squared error of the probability."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return entropy * (target - logits.sigmoid()).square()


def _point_loss(offsets: Tensor, at: Tensor, stride: Tensor, wanted: Tensor) -> Tensor:
    points = (offsets.view(-1, 5, 2) + at[:, None]) * stride[:, None]
    size = wanted[:, 2:4].prod(dim=1).sqrt()[:, None, None]
    error = (points - wanted[:, POINTS].view(-1, 5, 2)).abs() / size
    weight = GUESSED + (1 - GUESSED) * wanted[:, WEIGHTS]
    return ((torch.log1p(error / STEEP) + BEYOND * error).mean(dim=2) * weight).mean(dim=1)

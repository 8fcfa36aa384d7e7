"""How the student does on people it never sees, cheaply enough to be asked while it learns.

    python models/training/progress.py --photos DIR --models PACKS --out heldout.npz

The figures that count come from ``edged eval`` with the whole pipeline; these only show the way.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from corpus import held_out, photographs
from rich.progress import track
from torch import nn

from edged.config.sections import ModelsConfig, QualityConfig
from edged.evaluation.comparison import name_hash
from edged.evaluation.embedding import main_face
from edged.vision.pipeline import FacePipeline

SAME_PAIRS = 3  # of a person, as in the protocol of the pairs
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heldout:
    """Aligned faces (N, 112, 112, 3) uint8 BGR, the teacher's vectors (N, D), and whose they are (N,)."""

    faces: npt.NDArray[np.uint8]
    vectors: FloatArray
    people: npt.NDArray[np.str_]

    @classmethod
    def load(cls, path: Path) -> "Heldout":
        """Read what this script wrote."""
        kept = np.load(path)
        return cls(kept["faces"], kept["vectors"], kept["people"])


def mean_cosine(net: nn.Module, heldout: Heldout) -> str:
    """Return a line: cosine to the teacher, TMR at two false match rates over all cross pairs."""
    net.eval()
    device, parts = next(net.parameters()).device, []
    with torch.inference_mode():
        for start in range(0, len(heldout.faces), 64):
            faces = torch.from_numpy(heldout.faces[start : start + 64]).to(device).permute(0, 3, 1, 2)
            tensor = faces.float().sub(127.5).div(127.5).contiguous(memory_format=torch.channels_last)
            parts.append(net(tensor).cpu().numpy())
    vectors = np.concatenate(parts)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = float((vectors * heldout.vectors).sum(axis=1).mean())
    rates = " ".join(f"TMR@{fmr:g} {100 * tmr:.1f}" for fmr, tmr in rates_of(vectors, heldout.people))
    return f"cosine {cosine:.4f} {rates}"


def rates_of(vectors: FloatArray, people: npt.NDArray[np.str_]) -> list[tuple[float, float]]:
    """Return (FMR, TMR) over at most three same pairs a person and all pairs of different people."""
    scores = vectors @ vectors.T
    first, second = np.triu_indices(len(people), 1)
    same = people[first] == people[second]
    impostors = np.sort(scores[first[~same], second[~same]])
    genuine, counts = [], dict.fromkeys(people.tolist(), 0)
    for a, b in zip(first[same], second[same], strict=True):
        if counts[people[a]] < SAME_PAIRS:
            counts[people[a]] += 1
            genuine.append(scores[a, b])
    found = np.array(genuine)
    return [
        (fmr, float((found > impostors[-max(1, int(fmr * impostors.size))]).mean())) for fmr in (1e-3, 1e-4)
    ]


def main() -> None:
    """Write the aligned faces of the held-out people."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config = ModelsConfig(directory=arguments.models, detector="yunet", embedder="arcface-y1")
    pipeline, measured = FacePipeline.load(config, QualityConfig()), held_out()
    faces, people = [], []
    for one in track(list(photographs(arguments.photos, None)), description="faces"):
        if name_hash(one.person) not in measured:
            continue
        if face := main_face(pipeline.detect(one.image), one.image):
            faces.append(pipeline.align(one.image, face))
            people.append(one.person)
    np.savez(arguments.out, faces=np.array(faces), vectors=pipeline.embed(faces), people=np.array(people))


if __name__ == "__main__":
    main()

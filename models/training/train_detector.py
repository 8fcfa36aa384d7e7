"""Train the starter detector on the pictures that detector_scenes.py keeps writing.

    python models/training/train_detector.py --shards SHARDS --out RUN --steps 12000 [--device cuda]

The rate warms up, stays, and falls to zero over the last ``--decay`` steps. ``RUN/state.pt`` resumes a
run that was stopped; ``RUN/stable.pt`` is the state before the fall, from which a longer run goes on
(``--resume RUN/stable.pt --steps MORE``). ``RUN/final.pt`` holds the averaged weights.
"""

import argparse
import copy
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from detector_hints import Hints, Teacher
from detector_labels import MIRRORED
from detector_loss import Cells, losses
from detector_net import Detector, multiply_adds
from detector_scenes import HIDDEN, IGNORED, KIND, NONE, POINTS, SEEN, SIDE, SURE, WEIGHTS
from torch import Tensor

FloatArray = npt.NDArray[np.float32]
Parts = dict[str, Tensor]
# A batch is cut to one of these, so often: more shifts of the same pictures, and cheaper.
CUTS = {192: 0.25, 224: 0.3, 256: 0.25, 320: 0.2}
WARM_UP = 200
HINT_WEIGHT = 2.0
# Muon (Jordan et al. 2024) moves the matrices; norms, biases and heads follow AdamW at this share of it.
ADAM_SHARE = 0.2
LOG_EVERY, SAVE_EVERY, LOOK_EVERY = 50, 250, 50


@dataclass(slots=True)
class Pool:
    """The shards that are on disk; new ones are seen by ``look``."""

    folder: Path
    shards: dict[Path, tuple[npt.NDArray[np.uint8], FloatArray]] = field(default_factory=dict)

    def look(self) -> None:
        """Open what is new and let go of what was removed."""
        there = sorted(self.folder.glob("[0-9]*[0-9].npy"))
        for path in set(self.shards) - set(there):
            del self.shards[path]
        for path in there:
            if path not in self.shards:
                faces = np.load(path.with_suffix(".faces.npy"))
                self.shards[path] = (np.load(path, mmap_mode="r"), faces)

    def batch(self, size: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], FloatArray]:
        """Return pictures (N, cut, cut, 3), mirrored and cut at random, and their faces."""
        cut = int(rng.choice(list(CUTS), p=list(CUTS.values())))
        shards = list(self.shards.values())
        pictures = np.empty((size, cut, cut, 3), np.uint8)
        faces = []
        for index in range(size):
            stored, known = shards[rng.integers(len(shards))]
            row = int(rng.integers(len(stored)))
            x, y = rng.integers(0, SIDE - cut + 1, 2)
            picture = stored[row, y : y + cut, x : x + cut]
            found = cut_faces(known[row], (int(x), int(y)), cut)
            if rng.random() < 0.5:
                picture, found = picture[:, ::-1], mirror_faces(found, cut)
            pictures[index] = picture
            faces.append(found)
        return pictures, np.stack(faces)


def cut_faces(faces: FloatArray, corner: tuple[int, int], side: int) -> FloatArray:
    """Return face rows in the pixels of a cut; a face that is mostly outside is ignored or gone."""
    faces = faces.copy()
    faces[:, :2] -= corner
    points = faces[:, POINTS].reshape(-1, 5, 2) - corner
    faces[:, POINTS] = points.reshape(-1, 10)
    faces[:, WEIGHTS] *= ((points >= 0) & (points < side)).all(axis=2)
    low, far = faces[:, :2], faces[:, :2] + faces[:, 2:4]
    inside = np.clip(np.minimum(far, side) - np.maximum(low, 0), 0, None).prod(axis=1)
    seen = inside / np.maximum(faces[:, 2:4].prod(axis=1), 1e-6)
    faces[(seen < SEEN) & (faces[:, KIND] == SURE), KIND] = IGNORED
    faces[seen < HIDDEN, KIND] = NONE
    return faces


def mirror_faces(faces: FloatArray, side: int) -> FloatArray:
    """Return face rows of the mirrored picture; left points become right ones."""
    faces = faces.copy()
    faces[:, 0] = side - faces[:, 0] - faces[:, 2]
    points = faces[:, POINTS].reshape(-1, 5, 2)[:, MIRRORED]
    points[:, :, 0] = side - 1 - points[:, :, 0]
    faces[:, POINTS] = points.reshape(-1, 10)
    faces[:, WEIGHTS] = faces[:, WEIGHTS][:, MIRRORED]
    return faces


def rate(step: int, arguments: argparse.Namespace) -> float:
    """Return the learning rate: warm-up, constant, straight down."""
    rising = min(1.0, (step + 1) / WARM_UP)
    falling = min(1.0, (arguments.steps - step) / max(1, arguments.decay))
    return float(arguments.rate * min(rising, falling))


@dataclass(slots=True)
class Run:
    """What a checkpoint holds."""

    net: Detector
    average: Detector
    hints: Hints
    optimizers: tuple[torch.optim.Optimizer, ...]
    step: int = 0
    seen: int = 0

    def save(self, path: Path) -> None:
        """Write all to ``path`` at once."""
        partial = path.with_suffix(".partial")
        parts = {name: getattr(self, name).state_dict() for name in ("net", "average", "hints")}
        parts["optimizers"] = [one.state_dict() for one in self.optimizers]
        torch.save(parts | {"step": self.step, "seen": self.seen}, partial)
        partial.rename(path)

    def load(self, path: Path, device: torch.device) -> None:
        """Go on from ``path``."""
        kept = torch.load(path, map_location=device, weights_only=True)
        self.net.load_state_dict(kept["net"])
        self.average.load_state_dict(kept["average"])
        self.hints.load_state_dict(kept["hints"])
        for one, state in zip(self.optimizers, kept["optimizers"], strict=True):
            one.load_state_dict(state)
        self.step, self.seen = kept["step"], kept["seen"]

    def follow(self) -> None:
        """Move the averaged weights a little towards the net's."""
        share = max(0.002, 1 / (self.step + 2))
        with torch.no_grad():
            for mean, now in zip(
                self.average.state_dict().values(), self.net.state_dict().values(), strict=True
            ):
                if mean.is_floating_point():
                    mean.lerp_(now, share)
                else:
                    mean.copy_(now)


def begin(arguments: argparse.Namespace, device: torch.device) -> Run:
    """Return a fresh or a resumed run."""
    torch.manual_seed(arguments.seed)
    net, hints = Detector().to(device), Hints().to(device)
    matrices = [one for one in net.parameters() if one.ndim == 2]
    others = [one for one in (*net.parameters(), *hints.parameters()) if one.ndim != 2]
    optimizers = (
        torch.optim.Muon(matrices, lr=arguments.rate, weight_decay=0.05, adjust_lr_fn="original"),
        torch.optim.AdamW(others, lr=arguments.rate * ADAM_SHARE, weight_decay=0.0),
    )
    run = Run(net, copy.deepcopy(net), hints, optimizers)
    state = arguments.resume or arguments.out / "state.pt"
    if state.exists():
        run.load(state, device)
    return run


def train(arguments: argparse.Namespace) -> None:
    """Train until ``--steps``."""
    device = torch.device(arguments.device)
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = begin(arguments, device)
    say(f"{multiply_adds(run.net) / 1e6:.1f} million multiply-adds, from step {run.step}")
    pool = Pool(arguments.shards)
    teacher = Teacher(arguments.teacher) if arguments.teacher else None
    cells = {cut: Cells.of(cut, device) for cut in CUTS}
    sums: dict[str, float] = {}
    since, pictures = time.monotonic(), 0
    while run.step < arguments.steps:
        if run.step % LOOK_EVERY == 0 or not pool.shards:
            pool.look()
        if run.step == arguments.steps - arguments.decay:
            run.save(arguments.out / "stable.pt")
        rng = np.random.default_rng((arguments.seed, run.step))
        stored, faces = pool.batch(arguments.batch, rng)
        # Every picture a little brighter or darker than it was the last time.
        gains = torch.from_numpy(rng.uniform(0.8, 1.2, (arguments.batch, 1, 1, 1))).float().to(device)
        x = torch.from_numpy(stored).to(device).permute(0, 3, 1, 2).float().mul_(gains).clamp_(max=255)
        batch = (x, torch.from_numpy(faces).to(device))
        parts = _step(run, batch, cells[x.shape[-1]], rate(run.step, arguments), teacher)
        pictures += len(x)
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if run.step % LOG_EVERY == 0:
            means = " ".join(f"{name}={value / LOG_EVERY:.4f}" for name, value in sums.items())
            speed = pictures / (time.monotonic() - since)
            say(f"step={run.step} seen={run.seen} {means} images_s={speed:.1f} shards={len(pool.shards)}")
            sums, since, pictures = {}, time.monotonic(), 0
        if run.step % SAVE_EVERY == 0:
            run.save(arguments.out / "state.pt")
    run.save(arguments.out / "state.pt")
    torch.save(run.average.state_dict(), arguments.out / "final.pt")


def _step(
    run: Run, batch: tuple[Tensor, Tensor], cells: Cells, rate: float, teacher: Teacher | None
) -> Parts:
    x, faces = batch
    for optimizer, share in zip(run.optimizers, (1.0, ADAM_SHARE), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * share
    with torch.autocast(x.device.type, torch.bfloat16):
        maps, seen = run.net.features(x)
        parts = losses(maps, faces, cells)
        if teacher is not None:
            parts["hints"] = HINT_WEIGHT * run.hints(seen, teacher.maps(x))
    for optimizer in run.optimizers:
        optimizer.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.net.parameters(), 10.0)
    for optimizer in run.optimizers:
        optimizer.step()
    run.follow()
    run.step += 1
    run.seen += len(x)
    return parts


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(text, flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, help="YuNet's file: its maps are hints")
    parser.add_argument("--resume", type=Path, help="a state to go on from instead of the folder's own")
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--decay", type=int, default=2_500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.012)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(arguments)


if __name__ == "__main__":
    main()

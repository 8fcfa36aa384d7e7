"""Distil the starter embedder from an ArcFace teacher.

    python models/training/train_embedder.py --corpus CACHE --teacher ONNX --out FOLDER --minutes 60
    python models/training/train_embedder.py ... --decay-steps 6000      # the last piece

Warm-up, a constant rate for as long as there is time, and a decay to zero at the end (WSD: Hu et al.
2024): any checkpoint can be prolonged or finished. ``FOLDER/checkpoint.pt`` is written every few minutes
and read at the start; an interruption costs those minutes.
"""

import argparse
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from embedder_net import DIMENSION, Conv, Embedder
from head_start import adopt
from lessons import Batch, Store, Stream
from progress import Heldout, mean_cosine
from torch import Tensor, nn
from torch.nn import functional

WIDTHS, DEPTHS, HEAD = (32, 64, 128, 224), (0, 2, 3, 2), 384
BATCH = 96
REUSE = 1.6
CAPACITY = 16384
WARM_UP = 300
MATRIX_RATE, VECTOR_RATE = 4e-3, 2e-3
EMA = 0.998
HINT = 0.25  # weight of the two maps beside the vector
# Beside whom of all training faces a view stands, for teacher and student alike. At this temperature the
# nearest strangers count most, and those are who a threshold has to keep apart; the weight makes its
# gradient about as long as that of the cosine.
TEMPERATURE, NEIGHBOURS = 0.06, 0.1
SAVE_SECONDS, SAY_STEPS, MEASURE_STEPS = 240.0, 50, 600


class Student(nn.Module):
    """The embedder with linear windows on its two last stages, through which they see the teacher's maps."""

    def __init__(self, *, bf16: bool = False) -> None:
        super().__init__()
        self.bf16 = bf16
        self.embedder = Embedder(WIDTHS, DEPTHS, HEAD)
        self.wide = nn.Conv2d(WIDTHS[-2], 128, 1)
        self.deep = nn.Conv2d(WIDTHS[-1], 128, 1)
        # The targets' scale, a running estimate: the maps are compared in units of their own spread.
        self.register_buffer("spread", torch.ones(2))
        # The teacher's vectors of all training faces (N, 128); no part of a checkpoint.
        self.register_buffer("bank", torch.zeros(0, DIMENSION), persistent=False)

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return 1 - cosine and the errors of relations in the batch, to the bank, and of the two maps."""
        device = next(self.parameters()).device
        views, vectors, wide, deep = (
            part.to(device) for part in (batch.views, batch.vectors, batch.wide, batch.deep)
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            guess, own_wide, own_deep = self.embedder.features(views)
            seen_wide, seen_deep = self.wide(own_wide), self.deep(own_deep)
        unit = functional.normalize(guess.float())
        relations = (unit @ unit.T - vectors @ vectors.T).square().mean()
        if self.training:
            now = torch.stack([wide.square().mean(), deep.square().mean()])
            self.spread.lerp_(now, 1.0 if bool((self.spread == 1).all()) else 0.01)
        return (
            (1 - (unit * vectors).sum(dim=1)).mean(),
            relations,
            self.neighbours(unit, vectors),
            functional.mse_loss(seen_wide.float(), wide) / self.spread[0],
            functional.mse_loss(seen_deep.float(), deep) / self.spread[1],
        )

    def neighbours(self, unit: Tensor, vectors: Tensor) -> Tensor:
        """Return how far each face of the bank has another share in a view's surroundings than it should.

        ``unit`` and ``vectors`` (N, 128) unit rows of student and teacher. 0 without a bank.
        """
        if not len(self.bank):
            return unit.new_zeros(())
        wanted = functional.log_softmax(vectors @ self.bank.T / TEMPERATURE, dim=1)
        got = functional.log_softmax(unit @ self.bank.T / TEMPERATURE, dim=1)
        return functional.kl_div(got, wanted, reduction="batchmean", log_target=True)


@dataclass(slots=True)
class Run:
    """What a checkpoint holds."""

    student: Student
    average: Student
    optimizers: list[torch.optim.Optimizer]
    step: int = 0
    seconds: float = 0.0
    decay_from: int | None = None
    rates: list[float] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        state = {
            "student": self.student.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [one.state_dict() for one in self.optimizers],
            "step": self.step, "seconds": self.seconds, "decay_from": self.decay_from,
        }  # fmt: skip
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        """Go on from ``path``."""
        state = torch.load(path, weights_only=True)
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.step, self.seconds, self.decay_from = state["step"], state["seconds"], state["decay_from"]


def new_run(device: str, *, bf16: bool) -> Run:
    """Return a run at its first step."""
    torch.manual_seed(1)
    student, average = (Student(bf16=bf16).to(device, memory_format=torch.channels_last) for _ in range(2))
    average.load_state_dict(student.state_dict())
    matrices = [one.weight for one in student.modules() if isinstance(one, Conv)]
    held = {id(one) for one in matrices}
    others = [one for one in student.parameters() if id(one) not in held]
    # Muon (Jordan 2024) for the convolutions: fewer steps than AdamW for the same loss.
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=VECTOR_RATE, weight_decay=0.0),
    ]
    return Run(student, average.eval(), optimizers, rates=[MATRIX_RATE, VECTOR_RATE])


def rate(run: Run, decay_steps: int) -> float:
    """Return the share of the full learning rate at this step."""
    warm = min(1.0, (run.step + 1) / WARM_UP)
    if run.decay_from is None:
        return warm
    return max(0.0, min(warm, 1 - (run.step - run.decay_from) / decay_steps))


def learn(run: Run, batch: Batch, share: float) -> list[float]:
    """Take one step; return the losses."""
    for optimizer, full in zip(run.optimizers, run.rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = full * share
    losses = run.student.losses(batch)
    vector, relations, neighbours, wide, deep = losses
    for optimizer in run.optimizers:
        optimizer.zero_grad(set_to_none=True)
    (vector + 5 * relations + NEIGHBOURS * neighbours + HINT * (wide + deep)).backward()
    for optimizer in run.optimizers:
        optimizer.step()
    run.step += 1
    keep = min(EMA, run.step / (run.step + 20))
    with torch.no_grad():
        pairs = zip(run.average.state_dict().values(), run.student.state_dict().values(), strict=True)
        for slow, fast in pairs:
            if slow.dtype.is_floating_point:
                slow.lerp_(fast, 1 - keep)
    return [float(one.detach()) for one in losses]


def train(arguments: argparse.Namespace) -> None:
    """Learn until the time or the decay is over."""
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.out / "checkpoint.pt"
    run = new_run(arguments.device, bf16=arguments.bf16)
    if checkpoint.exists():
        run.load(checkpoint)
        print(f"goes on from step {run.step:,} after {run.seconds / 60:.0f} min")
    if arguments.again:
        run.decay_from = None
    if arguments.decay_steps and run.decay_from is None:
        run.decay_from = run.step
    # A piece that goes on must not repeat the views of the one before.
    stream = Stream(arguments.corpus, arguments.teacher, seed=1000 + run.step)
    store = Store(stream, CAPACITY, REUSE, np.random.default_rng(run.step))
    run.student.bank = torch.from_numpy(np.load(arguments.corpus / "vectors.npy")).to(arguments.device)
    if arguments.start and not run.step:
        adopt(run.student.embedder, arguments.start, store.draw(BATCH).views.to(arguments.device))
        run.average.load_state_dict(run.student.state_dict())
    heldout = Heldout.load(arguments.heldout) if arguments.heldout else None
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    start = saved = time.monotonic()
    before, totals = run.seconds, []
    while (share := rate(run, arguments.decay_steps)) > 0:
        totals.append(learn(run, store.draw(BATCH), share * arguments.peak))
        now = time.monotonic()
        run.seconds = before + now - start
        if run.step % SAY_STEPS == 0:
            means = " ".join(f"{value:.4f}" for value in np.mean(totals, axis=0))
            told = f"step {run.step:6d}  {run.seconds / 60:6.1f} min  rate {share:.3f}"
            print(f"{told}  losses {means}", flush=True)
            totals = []
        if heldout is not None and run.step % MEASURE_STEPS == 0:
            told = mean_cosine(run.average.embedder, heldout)
            print(f"step {run.step:6d}  unseen people: {told}", flush=True)
        if now - saved > SAVE_SECONDS:
            run.save(checkpoint)
            saved = now
        if now - start > arguments.minutes * 60 or stop:
            break
    run.save(checkpoint)
    print(f"stopped at step {run.step:,} after {run.seconds / 60:.0f} min", flush=True)


def main() -> None:
    """Read the command line."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--corpus", type=Path, required=True, help="what corpus.py wrote")
    parser.add_argument("--teacher", type=Path, required=True, help="mobilefacenet_arcface_y1_fast.onnx")
    parser.add_argument("--heldout", type=Path, help="what progress.py wrote: measure now and then")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this long")
    parser.add_argument("--decay-steps", type=int, default=0, help="lower the rate to zero, then end")
    parser.add_argument("--peak", type=float, default=1.0, help="share of the full rate; 0.5 after --start")
    parser.add_argument("--again", action="store_true", help="go on at the full rate after a decay")
    parser.add_argument("--start", type=Path, help="begin with this embedder's weights, not from nothing")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--bf16", action="store_true", help="half precision: faster on a GPU and with AMX only"
    )
    train(parser.parse_args())


if __name__ == "__main__":
    main()

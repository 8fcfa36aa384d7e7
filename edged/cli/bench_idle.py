"""``edged bench --idle`` and ``--latency``: what the whole program costs and how soon it opens."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from edged.config.sections import ModelsConfig, MotionConfig
    from edged.evaluation.idle import IdleShare, Watched
    from edged.evaluation.latency import Latency

# Of these the processor's share is measured as well: one where nothing happens at all, one that is hard.
_MEASURED = ("still", "lamp that flickers")


@dataclass(frozen=True, slots=True)
class Door:
    """What of a configuration the measured doors have; ``source`` is where ``motion`` is from."""

    models: "ModelsConfig"
    motion: "MotionConfig"
    source: str

    def sections(self) -> Mapping[str, Any]:
        """Return it as a configuration has it, good in any folder."""
        models = _plain(self.models) | {"directory": str(Path(self.models.directory).absolute())}
        return {"models": models, "motion": _plain(self.motion)}

    def facts(self) -> dict[str, Any]:
        """Return which motion gate was measured, as JSON values."""
        return {"motion": _plain(self.motion), "motion_from": self.source}

    def say(self) -> None:
        """Print which motion gate was measured."""
        motion = self.motion
        told = (
            f"changed_ratio {motion.changed_ratio:g}, force_detection_ms {motion.force_detection_ms}, "
            f"idle_fps {motion.idle_fps:g}"
        )
        print(f"motion gate of {self.source}: {told if motion.enabled else 'off, every picture is searched'}")


def bench_door(door: Door, idle: int | None, latency: int | None, *, as_json: bool) -> None:
    """Measure whole doors: without visitors for ``idle`` seconds, with them for so many rounds, or both."""
    if not as_json:
        door.say()
    if idle:
        _idle(idle, door, as_json=as_json)
    if latency:
        _latency(latency, door, as_json=as_json)


def _idle(seconds: float, door: Door, *, as_json: bool) -> None:
    """Print what an empty corridor costs, and how soon the gate has somebody looked for."""
    from edged.evaluation.idle import idle_share
    from edged.evaluation.idle_clips import empty_clips
    from edged.evaluation.live_door import CODECS

    watched = list(watch_clips(door.motion))
    clips = [clip for clip in empty_clips() if clip.name in _MEASURED]
    runs = [(clip, codec) for clip in clips for codec in CODECS if codec == "mpeg4" or clip is clips[0]]
    with tempfile.TemporaryDirectory(prefix="edged-idle-") as folder:
        shares = [
            idle_share(
                clip, Path(folder) / f"{number}", codec=codec, seconds=seconds, sections=door.sections()
            )
            for number, (clip, codec) in enumerate(runs)
        ]
    if as_json:
        found = {"clips": list(map(asdict, watched)), "shares": list(map(asdict, shares))}
        typer.echo(json.dumps(found | door.facts()))
        return
    _show_clips(watched)
    _show_shares(shares)


def _latency(rounds: int, door: Door, *, as_json: bool) -> None:
    """Print how long those who come with edged wait at the door."""
    from edged.demo.bundled import bundled_cast
    from edged.evaluation.latency import decision_latency

    with tempfile.TemporaryDirectory(prefix="edged-latency-") as folder:
        found = decision_latency(bundled_cast()[0], Path(folder), rounds=rounds, sections=door.sections())
    if as_json:
        typer.echo(json.dumps(asdict(found) | door.facts()))
        return
    _show_latency(found)


def watch_clips(motion: "MotionConfig", size: tuple[int, int] = (640, 480)) -> "Iterator[Watched]":
    """Ask gate, cadence and attention of a door about every clip; nobody's face is ever found in them."""
    from prometheus_client import CollectorRegistry

    from edged.domain.cadence import Cadence
    from edged.evaluation.idle import watch
    from edged.evaluation.idle_clips import empty_clips, visit_clips
    from edged.metrics import Metrics
    from edged.vision.motion import MotionGate
    from edged.workers.attention import Attention

    for clip in (*empty_clips(size), *visit_clips(size)):
        gate, cadence = MotionGate(motion) if motion.enabled else None, Cadence(motion.idle_fps)
        attention = Attention(Metrics(CollectorRegistry()), cadence)
        yield watch(clip, cadence.wanted, partial(attention.wants, gate=gate, tracking=False))


def _plain(section: "ModelsConfig | MotionConfig") -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(section, enc_hook=str)
    return found


def _show_clips(watched: "list[Watched]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "clip",
        "looked at",
        "searched",
        "entry to search",
        "ms a look",
        title="The gate on drawn clips at 15 fps",
    )
    for one in watched:
        waited = "missed" if one.missed else "" if one.waited is None else f"{one.waited} frames"
        looked, searched = one.looked / one.frames, one.searched / one.frames
        table.add_row(one.clip, f"{looked:.0%}", f"{searched:.1%}", waited, f"{one.look_ms:.2f}")
    Console().print(table)


def _show_shares(shares: "list[IdleShare]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "clip", "file", "share of a core", "frames/s", "looked at/s", "searched/s", title="edged run, 640x480"
    )
    for one in shares:
        table.add_row(
            one.clip,
            one.codec,
            f"{one.share:.1%}",
            f"{one.captured:.1f}",
            f"{one.looked:.1f}",
            f"{one.searched:.2f}",
        )
    Console().print(table)


def _show_latency(found: "Latency") -> None:
    print(
        f"first usable face to lock line, 15 fps, {found.granted} of {found.visits} visits let in: "
        f"p50 {found.p50_ms:.0f} ms, p95 {found.p95_ms:.0f} ms, longest {found.longest_ms:.0f} ms; "
        f"decided after {found.decided_ms_p50:.0f} ms"
    )

"""What ``edged bench`` prints, draws and tells as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.config.sections import ModelsConfig
    from edged.evaluation.speed.frames import FrameSource
    from edged.evaluation.speed.settings import Setting
    from edged.evaluation.speed.stages import BenchResult, BoardState
    from edged.evaluation.speed.tuning import Sweep
    from edged.vision.liveness_meter import FaceLiveness
    from edged.vision.pipeline import FacePipeline
    from edged.vision.profile import Profile
    from edged.vision.threads import Threads

# From here on the median is others' work rather than the door's.
_DISTURBED = 1.5


def show(result: "BenchResult", section: "ModelsConfig", threads: "Threads", *, swept: bool) -> None:
    """Print a row a stage, and what a frame costs; after a sweep every setting is still in memory."""
    from rich.console import Console
    from rich.table import Table

    from edged.vision.profile import standing

    table = Table("stage", "p10 ms", "p50 ms", "p95 ms", "around, p10", title=names(result))
    around = {stage: took.p10_ms for stage, took in result.stages.items()}
    for stage, inside in result.networks.items():
        around[stage] -= inside.p10_ms
    around["frame"] = result.around * result.frame.p10_ms
    for stage, took in [*result.stages.items(), ("frame", result.frame)]:
        times = (took.p10_ms, took.p50_ms, took.p95_ms, around[stage])
        table.add_row(stage, *(f"{time:.2f}" for time in times))
    console = Console()
    console.print(table)
    width, height = result.size
    memory = f"memory {result.rss_mb:.0f} MB, at most {result.peak_rss_mb:.0f} MB; "
    lines = [
        f"{counted(result.rounds, 'frame')} of {width} x {height}, {result.faces} with a face, "
        f"{counted(result.gallery, 'person', 'people')}",
        "frame: all but capture and journal, of other threads, and motion, not asked with a face in view. "
        f"{result.around:.0%} of it is around the networks, in which stage the last column tells",
        f"processor time of a frame: {result.cpu_ms.p50_ms:.1f} ms, and {result.capture_cpu_ms.p50_ms:.1f} "
        f"ms to capture it; {counted(result.frames_per_second, 'frame')} a second without a pause",
        f"{'' if swept else memory}{_board(result)}",
        f"{threads.text}; {standing(section).text}",
    ]
    if result.frame.p50_ms > _DISTURBED * result.frame.p10_ms:
        lines.append("others were at work on this machine: measure again when it is at rest")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def show_sweep(found: "Sweep") -> None:
    """Print a row a setting, the chosen one marked."""
    from rich.console import Console
    from rich.table import Table

    base = found.raced[0].setting
    columns = ("", base.detector[:14], "embedder", "threads", "detect", "embed", "both", "CPU", "ratio")
    table = Table(*columns, title="milliseconds of the networks")
    for one in found.raced:
        setting = one.setting
        figures = (one.detect_ms, one.embed_ms, one.both_ms, one.cpu_ms, one.cpu_ratio)
        table.add_row(
            "*" if setting == found.chosen else "",
            "\n".join([setting.detector_precision, *_special(setting, base)]),
            setting.embedder_precision,
            str(setting.threads),
            *(f"{number:.2f}" for number in figures),
        )
    console = Console()
    console.print(table)
    console.print(
        "one face, all in turns, * chosen. detect, embed, both and CPU (of all threads): what nine of ten "
        "rounds took at least; ratio: CPU by the first one's",
        soft_wrap=True,
        highlight=False,
    )


def show_picks(section: "ModelsConfig", found: "Sweep", *, written: bool) -> None:
    """Print what was chosen and why, and where the profile lies."""
    from edged.vision.profile import profile_path

    for pick in found.picks:
        typer.echo(f"{pick.what} {pick.value}: {pick.why}.")
    path = profile_path(section)
    typer.echo(
        f"{path}: written; restart `edged run`, which reads it, before you calibrate anew"
        if written
        else f"nothing written: --write puts this in force as {path}"
    )


def told(section: "ModelsConfig", found: "Sweep | None", profile: "Profile | None") -> dict[str, Any]:
    """Return what the JSON has beside the stages."""
    import msgspec

    from edged.vision.choice import running_threads
    from edged.vision.profile import standing

    facts: dict[str, Any] = {"threads": running_threads(section), "standing": standing(section).text}
    if found is not None:
        facts |= {
            "sweep": [asdict(one) for one in found.raced],
            "chosen": asdict(found.chosen),
            "picks": [asdict(one) for one in found.picks],
            "profile": msgspec.to_builtins(profile),
        }
    return facts


def draw(result: "BenchResult", path: Path) -> None:
    """Write the stages as an SVG file. Raises ``EvaluationError``."""
    from edged.evaluation.report.stages import stage_plot

    width, height = result.size
    subtitle = (
        f"{width} x {height}, {counted(result.gallery, 'person', 'people')}: "
        f"{result.frame.p50_ms:.1f} ms a frame, "
        f"{result.cpu_ms.p50_ms:.1f} of CPU, {result.around:.0%} around the networks"
    )
    text = stage_plot(
        result.stages, result.networks, title=f"One frame at the door, {names(result)}", subtitle=subtitle
    )
    _write(path, text)


def draw_flame(
    pipeline: "FacePipeline", source: "FrameSource", alive: "FaceLiveness | None", gallery: int, path: Path
) -> None:
    """Look for a second where the time of frames goes, and write it as an SVG file. Raises ``EdgedError``."""
    from edged.evaluation.report.flame import flame_graph
    from edged.evaluation.speed.stages import sample_frames

    cues = None if alive is None else alive.apart()
    stacks = sample_frames(pipeline, source, gallery=gallery, cues=cues)
    _write(path, flame_graph(stacks, title="One second of frames at the door"))


def _write(path: Path, text: str) -> None:
    from edged.errors import EvaluationError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise EvaluationError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def names(result: "BenchResult") -> str:
    """Return the packs that were measured, each once."""
    return " + ".join(dict.fromkeys(filter(None, (result.detector, result.embedder, result.liveness))))


def _special(setting: "Setting", base: "Setting") -> list[str]:
    """Return what sets a setting apart beside precisions and threads."""
    marks = [mark for mark in ("spinning", "compiled") if getattr(setting, mark)]
    return marks if setting.detector == base.detector else [*marks, setting.detector]


def _board(result: "BenchResult") -> str:
    """Say how hot the board got, as far as it tells."""
    before, after = result.before, result.after
    if after.celsius is None and after.throttled is None:
        return "this machine tells no temperature"
    seen = "temperature not known" if after.celsius is None else f"{_celsius(before)} to {_celsius(after)}"
    return f"{seen}, {'THROTTLED: these figures are too slow' if after.throttled else 'not throttled'}"


def _celsius(state: "BoardState") -> str:
    return "?" if state.celsius is None else f"{state.celsius:.0f} degrees"

"""``edged bench --limit``: what this machine could do at most, beside what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.config.sections import ModelsConfig
    from edged.evaluation.speed.stages import BenchResult
    from edged.vision.packs import Task


@dataclass(frozen=True, slots=True)
class StageLimit:
    """A stage with networks: 10^6 multiply-accumulates, the peak in 10^9 a second, and what both allow.

    ``network_ms`` is the network alone, ``stage_ms`` with the work around it, each undisturbed: what nine of
    ten runs took at least. ``network_share`` and ``stage_share`` are the bound's part of them, 0..1.
    """

    stage: str
    kind: str
    mmacs: float
    peak_gmacs: float
    bound_ms: float
    network_ms: float
    network_share: float
    stage_ms: float
    stage_share: float


def stage_limits(models: "ModelsConfig", result: "BenchResult", shown: tuple[int, int]) -> list[StageLimit]:
    """Return the bound of each stage of ``result`` that runs networks.

    ``shown`` is the width and height of what the detector's network looks at of a frame.
    Raises ``ModelError`` where the package ``onnx`` is missing.
    """
    stages: list[tuple[str, str | None, Task]] = [
        ("detect", models.detector, "detector"),
        ("embed", models.embedder, "embedder"),
        ("liveness model", result.liveness, "liveness"),
    ]
    return [
        _limit(
            models,
            stage,
            (pack, task),
            (result.networks[stage].p10_ms, result.stages[stage].p10_ms),
            shown if task == "detector" else None,
        )
        for stage, pack, task in stages
        if pack and stage in result.networks
    ]


def _limit(
    models: "ModelsConfig",
    stage: str,
    network: "tuple[str, Task]",
    took_ms: tuple[float, float],
    shown: tuple[int, int] | None,
) -> StageLimit:
    from edged.vision.choice import running_precision, running_threads
    from edged.vision.compilation.limit import limit_of
    from edged.vision.packs import Catalogue

    name, task = network
    network_ms, stage_ms = took_ms
    pack = Catalogue(models.directory).in_force(name)
    found = []
    for spec in pack.specs(task):
        path = pack.file_path(spec, running_precision(pack, spec, models))
        # An embedder sees a face once more for each view that its descriptor asks for.
        views = (2 if spec.mirrored else 1) * (2 if spec.zoom else 1)
        found.append((views, limit_of(path, spec, running_threads(models), shown)))
    bound = sum(views * one.bound_ms for views, one in found)
    return StageLimit(
        stage,
        found[0][1].kind,
        round(sum(views * one.macs for views, one in found) / 1e6, 1),
        round(found[0][1].gmacs, 1),
        round(bound, 3),
        network_ms,
        round(bound / network_ms, 3),
        stage_ms,
        round(bound / stage_ms, 3),
    )


def show_limits(reached: Sequence[StageLimit], threads: int) -> None:
    """Print a row a stage."""
    from rich.console import Console
    from rich.table import Table

    columns = ("stage", "kind", "MMAC", "GMAC/s", "bound", "network", "share", "whole", "share")
    table = Table(*columns, title="milliseconds")
    for one in reached:
        table.add_row(
            one.stage,
            one.kind,
            f"{one.mmacs:.1f}",
            f"{one.peak_gmacs:.0f}",
            f"{one.bound_ms:.2f}",
            f"{one.network_ms:.2f}",
            f"{one.network_share:.0%}",
            f"{one.stage_ms:.2f}",
            f"{one.stage_share:.0%}",
        )
    console = Console()
    console.print(table)
    console.print(
        "MMAC: 10^6 multiply-accumulates of the network. bound: those over the peak, the rate of a matrix "
        f"product in {counted(threads, 'thread')}. network, whole: what nine of ten runs of "
        "it and of its stage took at least",
        soft_wrap=True,
        highlight=False,
    )

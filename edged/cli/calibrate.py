"""``edged calibrate``: what this door's own people say about the threshold."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.domain.calibration import MeasuredPoint, Threshold
    from edged.storage.site_calibration import SiteCalibration


def calibrate(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure and print; keep nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the enrolled people against each other, and against the pack's cohort if it has one.

    The starter pack has one; `edged models info` says whether another does. Every photograph is compared with
    every other person, which takes 300 comparisons at the very least: without a cohort some 18 people.
    What is kept beside the gallery are rates, no faces. A running door takes it up by itself. It makes the
    pack's table stricter where this site needs it, never looser; without a table it is one.
    Measure again once many people have come or gone, and after another model was chosen.
    """
    from edged.cli.measuring import progress_bar
    from edged.config.loading import load
    from edged.config.risk import stated_risk
    from edged.domain.calibration import refined, threshold_for
    from edged.evaluation.site import Models, measure_site
    from edged.storage.people import PeopleStore
    from edged.storage.site_calibration import calibration_path, measured_weights, write_site
    from edged.storage.vault import Vault
    from edged.vision.cohort import cohort_of
    from edged.vision.packs import Catalogue
    from edged.vision.pipeline import FacePipeline

    settings = load(config)
    pipeline = FacePipeline.load(settings.models, settings.quality, measured_weights(settings.gallery))
    cohort = cohort_of(Catalogue(settings.models.directory), settings.models.embedder, pipeline.space)
    vault = Vault.open(settings.gallery.key_file)
    with PeopleStore.open(settings.gallery.path, vault, writable=False) as store:
        templates = store.templates(pipeline.space)
    with progress_bar("rates") as progress:
        measured = measure_site(templates, cohort, Models(pipeline.space, pipeline.weights), progress)
    path = calibration_path(settings.gallery)
    if not dry_run:
        write_site(path, measured)
    points = refined(pipeline.calibration, measured.points)
    threshold = threshold_for(
        points, measured.people, stated_risk(settings.security, settings.decision, settings.second_factor)
    )
    if as_json:
        kept = {"file": None if dry_run else str(path)}
        typer.echo(json.dumps(kept | _as_json(measured, threshold, points)))
        return
    _print(measured, pipeline.calibration)
    typer.echo(f"In force with these figures: {threshold.claim}.")
    typer.echo("Nothing was kept." if dry_run else f"Kept in {path}.")


def _as_json(
    measured: "SiteCalibration", threshold: "Threshold", points: "Sequence[MeasuredPoint]"
) -> dict[str, Any]:
    import msgspec

    from edged.domain.calibration import most_people

    return {
        "site": msgspec.to_builtins(measured),
        "threshold": threshold.cosine,
        "fpir": threshold.fpir,
        "claim": threshold.claim,
        "most_people": most_people(points, threshold.risk),
    }


def _print(measured: "SiteCalibration", table: "Sequence[MeasuredPoint]") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from edged.domain.calibration import bounded_cosine

    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("FMR at most", "cosine here", "the pack's", "comparisons", "errors", "own people missed"):
        shown.add_column(title, justify="right")
    for point in measured.points:
        pack = bounded_cosine(table, point.bound)
        shown.add_row(
            f"{point.bound:g}",
            f"{point.threshold:.4f}",
            "-" if pack is None else f"{pack:.4f}",
            f"{point.comparisons:,}",
            f"{point.errors:,}",
            "-" if point.fnmr is None else f"{point.fnmr:.1%}",
        )
    Console().print(shown)
    typer.echo(
        f"{counted(measured.people, 'person', 'people')} with {counted(measured.photographs, 'photograph')}, "
        f"{counted(measured.cohort, 'stranger')} of "
        f"the pack's cohort. Rates are upper bounds at 95 %, found by drawing the people anew. Missed are "
        f"single photographs, each against the person's others ({measured.genuine} comparisons)."
    )

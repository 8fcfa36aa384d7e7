"""``edged eval audit``: how well the audit of a gallery finds people who are in it twice."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.measuring_options import (
    ConfigOption,
    DetectorOption,
    EmbedderOption,
    ImagesOption,
    ModelsOption,
    PeopleOption,
    PrecisionOption,
    SeedOption,
)
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.domain.people import Template
    from edged.enrolment.audit_trial import AuditResult
    from edged.evaluation.embedding import Embedded
    from edged.evaluation.protocols import Labelled


def audit(
    *,
    images: ImagesOption,
    planted: Annotated[int, typer.Option(min=0, help="Split so many people in two.")] = 45,
    min_photos: Annotated[
        int, typer.Option(min=2, help="Only people with so many usable photographs are split.")
    ] = 2,
    first: Annotated[int, typer.Option(min=1, help="Pairs on top of the list that are counted.")] = 60,
    known: Annotated[
        Path | None,
        typer.Option(help="CSV: person_a,person_b; folders known to show one person. They count as right."),
    ] = None,
    seed: SeedOption = 1,
    people: PeopleOption = None,
    config: ConfigOption = None,
    models: ModelsOption = None,
    detector: DetectorOption = None,
    embedder: EmbedderOption = None,
    precision: PrecisionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enrol a folder of people, some of them under two names, audit that gallery and count what it finds.

    Photographs below the quality floor are not enrolled, as at a door. Pairs that nobody planted count as
    wrong and are listed: whether they are doubles of the collection itself is for an eye to say.
    """
    from edged.cli.measuring import chosen_photographs, embed, open_pipeline, progress_bar, settings_of
    from edged.config.risk import stated_risk
    from edged.config.sections import DecisionConfig, SecurityConfig
    from edged.domain.calibration import threshold_for
    from edged.domain.lookalikes import lookalike_rule
    from edged.enrolment.audit_trial import plant, run_audit
    from edged.enrolment.levels import levels_for
    from edged.evaluation.protocols import read_person_pairs

    doubles = [frozenset(pair) for pair in read_person_pairs(known)] if known else []
    found = chosen_photographs(images, people)
    pipeline = open_pipeline(config, models, detector, embedder, precision)
    embedded = embed(pipeline, images, (one.image for one in found)).above_floor()
    gallery = plant(_by_person(embedded, found, pipeline.space), planted, least=min_photos, seed=seed)
    settings = settings_of(config)
    decision = settings.decision if settings else DecisionConfig()
    risk = stated_risk(settings.security if settings else SecurityConfig(), decision)
    points = pipeline.calibration
    cosine = threshold_for(points, len(gallery.people), risk).cosine
    rule = lookalike_rule(points, threshold=cosine, min_margin=decision.min_margin, risk=risk)
    with progress_bar("comparing") as progress:
        result = run_audit(
            gallery, points, levels_for(points), rule, first=first, known=doubles, progress=progress
        )
    if as_json:
        typer.echo(json.dumps(_as_json(result) | {"seed": seed}, ensure_ascii=False))
    else:
        _show(result)


def _by_person(
    embedded: "Embedded", photographs: "Iterable[Labelled]", space: str
) -> "dict[str, list[Template]]":
    """Return everybody's usable photographs as templates, by their folders' names without underscores."""
    from edged.domain.people import Template

    found: dict[str, list[Template]] = {}
    for one in photographs:
        row = embedded.rows.get(one.image)
        if row is not None:
            template = Template(one.image, "", space, embedded.vectors[row], embedded.quality(row), b"")
            found.setdefault(one.person.replace("_", " "), []).append(template)
    return found


def _as_json(result: "AuditResult") -> dict[str, Any]:
    return asdict(result) | {"precision": result.precision, "recall": result.recall}


def _show(result: "AuditResult") -> None:
    from rich.table import Table
    from rich.text import Text

    from edged.cli.eval_view import console, percent

    out = console()
    table = Table("place", "said to be", "who", "cosine", "nearest", title="pairs on top that nobody planted")
    for one in result.first:
        if not one.planted:
            said = f"{one.kind}{' (known)' if one.known else ''}"
            who = Text(" / ".join(one.people))
            table.add_row(str(one.place), said, who, f"{one.cosine:.2f}", f"{one.nearest:.2f}")
    if table.row_count:
        out.print(table)
    right = sum(one.planted or one.known for one in result.first)
    lines = [
        f"{result.people:,} people with {result.photographs:,} photographs, {result.planted} of them in two",
        f"first {len(result.first)} of {result.pairs} pairs: {right} right"
        + ("" if result.precision is None else f", precision {percent(result.precision)} at least"),
        f"said to be one person: {result.told} pairs, {result.told_right} of them planted or known",
        f"planted doubles: {result.named} said to be one person, {result.listed} listed at all"
        + ("" if result.recall is None else f", {percent(result.recall)} among the first"),
        f"{result.seconds:.1f} s",
    ]
    for line in lines:
        out.print(line, highlight=False, markup=False)

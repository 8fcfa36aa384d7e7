"""From measurements to the page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edged.evaluation.closed_set import ClosedSetResult
from edged.evaluation.failures import Failure
from edged.evaluation.gallery_sizes import TARGETS, SizesResult
from edged.evaluation.intervals import Share
from edged.evaluation.match_rates import MatchRates
from edged.evaluation.measurement import DoorMeasurement, Measurement
from edged.evaluation.report import charts
from edged.evaluation.report.document import Document

_WORST_PEOPLE = 15
_LISTED_FAILURES = 200
_LISTED_GRANTS = 50


@dataclass(frozen=True, slots=True)
class Section:
    """One pack's ``measurement``; ``models`` says which files they were, as JSON values."""

    name: str
    models: Mapping[str, Any]
    measurement: Measurement


def page(sections: Sequence[Section], told: Mapping[str, Any]) -> str:
    """Return the report as one HTML document; ``told`` are facts about the measurement itself."""
    document = Document("Face recognition, measured")
    _summary(document, sections, told)
    closed = [(one.name, one.measurement.closed_set) for one in sections if one.measurement.closed_set]
    if closed:
        _closed_set(document, closed)
    if any(one.measurement.pairs for one in sections):
        _pairs(document, sections)
    by_size = [(one.name, one.measurement.open_set) for one in sections if one.measurement.open_set]
    if by_size:
        _open_set(document, by_size)
    doors = [(one.name, one.measurement.door) for one in sections if one.measurement.door]
    if doors:
        _door(document, doors)
    _failures(document, sections)
    return document.text()


def _summary(document: Document, sections: Sequence[Section], told: Mapping[str, Any]) -> None:
    first = sections[0].measurement
    document.paragraph(
        f"{first.photographs:,} photographs of {first.people:,} people. "
        + ", ".join(f"{name}: {value}" for name, value in told.items())
        + ".",
        "dim",
    )
    rows = []
    for one in sections:
        found = one.measurement
        rows.append((
            one.name, _percent(found.face_rate), _percent(found.refused_rate),
            _share(found.closed_set.rules[0].accuracy) if found.closed_set else "-",
            _share(found.pairs.accuracy) if found.pairs else "-",
            _share(found.door.result.granted) if found.door else "-",
            _let_in(found.door) if found.door else "-",
        ))  # fmt: skip
    document.table(
        ("pack", "face found", "below the floor", "closed set", "1:1 accuracy", "granted at the door",
         "wrong, strangers in"), rows,
    )  # fmt: skip
    for one in sections:
        weights = ", ".join(f"{task} {digest[:16]}" for task, digest in one.models.get("weights", {}).items())
        document.paragraph(f"{one.name}: files by SHA-256: {weights}", "dim")
    for one in sections:
        for protocol, why in one.measurement.skipped.items():
            document.paragraph(f"{one.name}: {protocol} was not measured: {why}", "bad")


def _let_in(door: DoorMeasurement) -> str:
    result = door.result
    return f"{result.wrong.hits:,} of {result.visits:,}, {result.let_in.hits:,} of {result.stranger_visits:,}"


def _closed_set(document: Document, results: Sequence[tuple[str, ClosedSetResult]]) -> None:
    document.heading(2, "Closed set: who of the enrolled is it")
    first = results[0][1]
    document.paragraph(
        f"{first.people:,} people, {first.templates:,} templates, {first.probes:,} photographs to recognise. "
        "Precision, recall and F1 are weighted by a person's photographs. FTE: people without a template. "
        "FTA: photographs without a vector. Both count as not recognised. Bounds: bootstrap by person, 95 %."
    )
    document.table(
        ("pack", "rule", "accuracy (95 %)", "precision", "recall", "F1", "rank 5", "FTE", "FTA"),
        [
            (
                name, rule.rule, _share(rule.accuracy), _percent(rule.precision), _percent(rule.recall),
                _percent(rule.f1), _percent(rule.cmc[min(5, len(rule.cmc)) - 1]), _percent(result.fte),
                _percent(result.fta),
            )
            for name, result in results
            for rule in result.rules
        ],
        (0, 1),
    )  # fmt: skip
    rules = [(f"{name}, {rule.rule}", rule) for name, result in results for rule in result.rules]
    document.figures([("Cumulative match characteristic", charts.cmc_chart(rules))])
    for name, result in results:
        matrix = charts.confusion_matrix(result.rules[0])
        if matrix is not None:
            document.figure(f"The worst confusions, {name}", matrix)
        _people(document, name, result)


def _people(document: Document, name: str, result: ClosedSetResult) -> None:
    rule = result.rules[0]
    wrong = [one for one in rule.people if one.right < one.probes]
    document.heading(3, f"People recognised worst, {rule.rule}, {name}")
    rest = f" The {len(wrong):,} others are:" if wrong else ""
    document.paragraph(f"{len(rule.people) - len(wrong):,} people were recognised in every photograph.{rest}")
    taken = Counter[str]()
    for one in rule.confusions:
        taken[one.person] += one.count
    worst = sorted(wrong, key=lambda one: (one.right - one.probes, one.recall, one.person))[:_WORST_PEOPLE]
    if worst:
        document.table(
            ("person", "templates", "photographs", "right", "taken for others", "recall", "precision"),
            [
                (
                    one.person, str(one.enrolled), str(one.probes), str(one.right), str(taken[one.person]),
                    _optional(one.recall), _optional(one.precision),
                )
                for one in worst
            ],
        )  # fmt: skip
    if len(wrong) > len(worst):
        document.paragraph(f"And {len(wrong) - len(worst):,} more.", "dim")


def _pairs(document: Document, sections: Sequence[Section]) -> None:
    document.heading(2, "1:1: is it the same person")
    rows: list[tuple[str, ...]] = []
    for one in sections:
        rates = one.measurement.pairs
        if rates is not None:
            document.paragraph(_pairs_text(one.name, rates))
            rows.extend((one.name, *cells) for cells in _rate_rows(rates))
    document.table(
        ("pack", "FMR", "threshold", "FMR seen (95 %)", "TMR", "TMR (95 %)", "what cannot be shown"),
        rows,
        (0, 6),
    )
    document.paragraph("Bounds of TMR: bootstrap by person. Bounds of FMR: Wilson.", "dim")
    curves = [(one.name, one.measurement.det) for one in sections if one.measurement.det]
    figures = [("Detection error trade-off", charts.det_chart(curves))] if curves else []
    for one in sections:
        found = one.measurement
        if found.scores and found.pairs:
            marks = [
                (f"FMR {point.target:g}", point.threshold)
                for point in found.pairs.points[:3]
                if point.threshold is not None
            ]
            figures.append((f"Scores, {one.name}", charts.score_chart(found.scores, marks)))
    document.figures(figures)


def _pairs_text(name: str, rates: MatchRates) -> str:
    return (
        f"{name}: accuracy {_share(rates.accuracy)} of {rates.same_pairs:,} same and "
        f"{rates.different_pairs:,} different pairs at cosine {rates.threshold:.3f}, the best in hindsight; "
        f"{rates.comparisons:,} comparisons of different people; {rates.without_face:,} pairs without a face."
    )


def _rate_rows(rates: MatchRates) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for point in rates.points:
        if point.threshold is None or point.fmr is None or point.tmr is None:
            rows.append((f"{point.target:g}", "-", "-", "-", "-", point.shortage or ""))
            continue
        seen, tmr = point.fmr, point.tmr
        rows.append((
            f"{point.target:g}", f"{point.threshold:.4f}", f"{seen.low:.3g} - {seen.high:.3g}",
            _percent(tmr.value), f"{100 * tmr.low:.2f} - {100 * tmr.high:.2f}", "",
        ))  # fmt: skip
    return rows


def _open_set(document: Document, results: Sequence[tuple[str, SizesResult]]) -> None:
    document.heading(2, "Open set: 1:N with strangers")
    document.paragraph(
        "The threshold that a door would take from the pack's calibration for N people and the stated risk, "
        "with what these strangers and people show there, beside the best threshold in hindsight of these "
        "very strangers. Where fewer than 30 of them stand behind it, it is a guess, marked ?. A door whose "
        "calibration does not reach so far lets nobody in. Visits are the enrolled people's, searches the "
        "strangers', who ask at each of the galleries."
    )
    for name, result in results:
        document.heading(3, name)
        document.table(
            ("N", "galleries", "visits", "searches", "rank 1", "FPIR asked", "door's threshold",
             "FPIR seen (95 %)", "FNIR (95 %)", "hindsight's", "FNIR"),
            _size_rows(result), (),
        )  # fmt: skip
        if result.not_carried:
            sizes = ", ".join(f"{size:,}" for size in result.not_carried)
            document.paragraph(f"N = {sizes}: not carried, {result.people:,} people are enrolled.", "dim")
    drawn = [
        (f"Missed at FPIR {target:g}", charts.size_chart(results, row)) for row, target in enumerate(TARGETS)
    ]
    document.figures((heading, chart) for heading, chart in drawn if chart is not None)


def _size_rows(result: SizesResult) -> list[tuple[str, ...]]:
    return [
        (
            f"{size.people:,}", f"{size.galleries:,}", f"{size.mated:,}", f"{size.searches:,}",
            _percent(size.rank_one.value) if size.rank_one.trials else "-", f"{point.target_fpir:g}",
            *(
                ("disarmed", "-", "-")
                if point.door is None
                else (f"{point.door.threshold:.4f}", _share(point.door.fpir), _share(point.door.fnir))
            ),
            f"{point.hindsight.threshold:.4f}",
            f"{'? ' if point.shortage else ''}{_percent(point.hindsight.fnir.value)}",
        )
        for size in result.sizes
        for point in size.points
    ]  # fmt: skip


def _door(document: Document, doors: Sequence[tuple[str, DoorMeasurement]]) -> None:
    document.heading(2, "The door: visits through the decision engine")
    first = doors[0][1]
    made = "mild changes of one photograph" if first.kind == "views" else "photographs of the person"
    document.paragraph(
        f"A visit is {first.frames} frames at {first.frames_per_second:g} a second, {made}. Every frame "
        "passes the quality floor, the search, threshold, margin and agreement. There is no tracking and no "
        "check for liveness."
    )
    rows = []
    for name, door in doors:
        result = door.result
        waiting = result.waiting
        rows.append((
            name, f"{result.people:,}" + (f" at each of {result.doors:,} doors" if result.doors > 1 else ""),
            f"{door.target_fpir:g}", "disarmed" if result.threshold is None else f"{result.threshold:.4f}",
            f"{result.visits:,}", _share(result.granted), _share(result.wrong), f"{result.stranger_visits:,}",
            _share(result.let_in),
            f"{waiting.frames_p50:g} / {waiting.frames_p95:g}" if waiting else "-",
            f"{waiting.seconds_p50:.1f} / {waiting.seconds_p95:.1f}" if waiting else "-",
        ))  # fmt: skip
    headings = (
        "", "people enrolled", "risk asked, FPIR", "threshold", "visits of the enrolled", "granted (95 %)",
        "wrong person (95 %)", "visits of strangers", "let in (95 %)", "frames to a grant, p50 / p95",
        "seconds to a grant, p50 / p95",
    )  # fmt: skip
    first_row, *others = zip(headings, *rows, strict=True)
    document.table(first_row, others)
    for name, door in doors:
        _door_details(document, name, door)


def _door_details(document: Document, name: str, door: DoorMeasurement) -> None:
    document.paragraph(f"{name}: {door.claim}.", "dim")
    reasons = {**door.result.refusals, **door.result.stranger_refusals}
    if reasons:
        document.table(
            (f"refused, {name}", "enrolled", "strangers"),
            [
                (reason, f"{door.result.refusals.get(reason, 0):,}",
                 f"{door.result.stranger_refusals.get(reason, 0):,}")
                for reason in reasons
            ],
        )  # fmt: skip
    wrong = door.result.wrong_grants
    if wrong:
        document.paragraph(f"{name}: let in as somebody else, {len(wrong):,}:", "bad")
        document.table(
            ("who came", "was let in as", "cosine"),
            [(one.who, one.taken_for, f"{one.score:.3f}") for one in wrong[:_LISTED_GRANTS]],
            (0, 1),
        )


def _failures(document: Document, sections: Sequence[Section]) -> None:
    document.heading(2, "Photographs that give nothing or little")
    for one in sections:
        found = one.measurement.failures
        counts = Counter(failure.reason for failure in found)
        told = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common()) or "none"
        document.paragraph(f"{one.name}: {told}.")
        _listed_failures(document, one.name, found)


def _listed_failures(document: Document, name: str, listed: Sequence[Failure]) -> None:
    if not listed:
        return
    first = sorted(
        listed, key=lambda one: (one.reason not in {"unreadable", "no_face"}, one.reason, one.person)
    )
    document.table(
        ("person", "photograph", f"reason, {name}"),
        [(one.person, f"no. {one.number}", one.reason) for one in first[:_LISTED_FAILURES]],
        (0, 2),
    )
    if len(listed) > _LISTED_FAILURES:
        document.paragraph(f"And {len(listed) - _LISTED_FAILURES:,} more.", "dim")


def _share(value: Share) -> str:
    if not value.trials:
        return "-"
    return f"{_percent(value.value)} ({100 * value.low:.2f} - {100 * value.high:.2f})"


def _optional(value: float | None) -> str:
    return "-" if value is None else _percent(value)


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"

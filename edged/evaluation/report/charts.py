"""The plots of a report, each from what was measured."""

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from edged.evaluation.closed_set import Confusion, RuleResult
from edged.evaluation.curves import DetCurve, Histogram
from edged.evaluation.gallery_sizes import SizesResult
from edged.evaluation.report.plot import Plot, Scale, legend

# The style sheet has so many colours; a further pack takes the first again, with its name in the legend.
SERIES = 6
# More people than these are no longer read off a matrix.
_CONFUSED = 14


def det_chart(curves: Sequence[tuple[str, DetCurve]]) -> Element:
    """Return both errors against each other, both logarithmic; dashed where fewer than 30 errors stand."""
    lowest = min(curve.fmr[-1] for _, curve in curves)
    missed = [rate for _, curve in curves for rate in curve.fnmr if rate > 0]
    floor = 10.0 ** math.floor(math.log10(min(missed, default=0.1)))
    plot = Plot(
        Scale(min(lowest, 0.1), 1, log=True), Scale(min(floor, 0.1), 1, log=True),
        title="Detection error trade-off", x_label="false match rate", y_label="false non-match rate",
    )  # fmt: skip
    plot.grid(_power, _power)
    for series, (_, curve) in enumerate(curves):
        # No logarithmic axis has a place for none at all.
        points = [(fmr, fnmr) for fmr, fnmr in zip(curve.fmr, curve.fnmr, strict=True) if fnmr > 0]
        carried = sum(fmr >= curve.fmr[curve.supported - 1] for fmr, _ in points) if curve.supported else 0
        plot.line(points[:carried], series % SERIES)
        plot.line(points[max(0, carried - 1) :], series % SERIES, dashed=True)
    entries = [(name, series % SERIES, False) for series, (name, _) in enumerate(curves)]
    return _figure(plot.element, legend(entries), "Dashed: fewer than 30 false matches behind the rate.")


def score_chart(scores: Histogram, thresholds: Sequence[tuple[str, float]]) -> Element:
    """Return how the scores of both kinds of pairs lie, with ``thresholds`` (text, cosine)."""
    top = max((*scores.genuine, *scores.impostor, 0.01))
    plot = Plot(
        Scale(_left_end(scores), 1), Scale(0, top * 1.15),
        title="Scores", x_label="cosine", y_label="share of the pairs",
    )  # fmt: skip
    plot.grid(lambda value: f"{value:.1f}", lambda value: f"{100 * value:.3g} %")
    for series, shares in enumerate((scores.genuine, scores.impostor)):
        steps = [
            (scores.start + (row + side) * scores.width, share)
            for row, share in enumerate(shares)
            for side in (0, 1)
            if share > 0 or _beside(shares, row)
        ]
        plot.area(steps, series)
        plot.line(steps, series)
    for row, (text, cosine) in enumerate(thresholds):
        plot.mark(cosine, text, row)
    return _figure(plot.element, legend([("same person", 0, False), ("different people", 1, False)]))


def cmc_chart(rules: Sequence[tuple[str, RuleResult]]) -> Element:
    """Return the share of probes whose person is among the nearest k."""
    ranks = max(len(rule.cmc) for _, rule in rules)
    lowest = min(rule.cmc[0] for _, rule in rules)
    room = max(0.002, 1 - lowest) * 1.2
    plot = Plot(
        Scale(1, max(2, ranks)), Scale(max(0.0, 1 - room), 1),
        title="Cumulative match characteristic", x_label="rank", y_label="right person among the nearest",
    )  # fmt: skip
    plot.grid(lambda value: f"{value:.0f}", lambda value: f"{100 * value:.4g} %")
    for series, (_, rule) in enumerate(rules):
        plot.line([(rank, share) for rank, share in enumerate(rule.cmc, start=1)], series % SERIES, dots=True)
    return _figure(
        plot.element, legend([(name, series % SERIES, False) for series, (name, _) in enumerate(rules)])
    )


def size_chart(results: Sequence[tuple[str, SizesResult]], row: int) -> Element | None:
    """Return the share of the enrolled who are missed, by the size of the gallery, at the risk of ``row``.

    A threshold in hindsight that too few strangers stand behind is a guess, and is not drawn. None where
    nothing is left to draw.
    """
    people = [size.people for _, result in results for size in result.sizes]
    lines: list[tuple[str, int, bool, list[tuple[float, float]]]] = []
    for series, (name, result) in enumerate(results):
        door = [
            (float(size.people), door_point.fnir.value)
            for size in result.sizes
            if (door_point := size.points[row].door) is not None
        ]
        best = [
            (float(size.people), size.points[row].hindsight.fnir.value)
            for size in result.sizes
            if size.points[row].shortage is None
        ]
        lines.append((f"{name}, the door's threshold", series % SERIES, False, door))
        lines.append((f"{name}, the best in hindsight", series % SERIES, True, best))
    if not any(points for *_, points in lines):
        return None
    top = max(value for *_, points in lines for _, value in points)
    plot = Plot(
        Scale(min(people), max(*people, min(people) * 10), log=True), Scale(0, max(0.01, top * 1.15)),
        title="Enrolled people who are missed", x_label="people enrolled", y_label="FNIR",
    )  # fmt: skip
    plot.grid(lambda value: f"{value:,.0f}", lambda value: f"{100 * value:.3g} %")
    for _, series, dashed, points in lines:
        plot.line(points, series, dashed=dashed, dots=True)
    return _figure(plot.element, legend([(name, series, dashed) for name, series, dashed, _ in lines]))


def confusion_matrix(rule: RuleResult) -> Element | None:
    """Return the worst confusions as a table of who was taken for whom, or None where there are none."""
    worst = _worst(rule.confusions)
    if not worst:
        return None
    rows = list(dict.fromkeys(one.person for one in worst))
    columns = list(dict.fromkeys(one.taken_for for one in worst))
    counts = {(one.person, one.taken_for): one.count for one in worst}
    most = max(counts.values())
    table = Element("table", {"class": "matrix"})
    head = SubElement(SubElement(table, "thead"), "tr")
    SubElement(head, "th", {"class": "corner"}).text = "shown \\ taken for"
    for name in columns:
        SubElement(SubElement(head, "th", {"scope": "col"}), "span").text = name
    body = SubElement(table, "tbody")
    for person in rows:
        line = SubElement(body, "tr")
        SubElement(line, "th", {"scope": "row"}).text = person
        for other in columns:
            count = counts.get((person, other), 0)
            heat = f"heat{round(3 * count / most)}" if count else ""
            SubElement(line, "td", {"class": heat}).text = str(count) if count else ""
    return _figure(table)


def _worst(confusions: Sequence[Confusion]) -> list[Confusion]:
    """Return the most frequent, as far as a matrix can be read."""
    kept: list[Confusion] = []
    for one in confusions:
        wider = [*kept, one]
        if max(len({c.person for c in wider}), len({c.taken_for for c in wider})) > _CONFUSED:
            break
        kept = wider
    return kept


def _figure(picture: Element, listed: Element | None = None, note: str = "") -> Element:
    figure = Element("figure")
    figure.append(picture)
    if listed is not None:
        figure.append(listed)
    if note:
        SubElement(figure, "figcaption").text = note
    return figure


def _left_end(scores: Histogram) -> float:
    """Return where the scores begin, rounded down to a tenth."""
    first = next(
        (row for row, both in enumerate(zip(scores.genuine, scores.impostor, strict=True)) if any(both)), 0
    )
    return max(-1.0, int((scores.start + first * scores.width) * 10 - 1) / 10)


def _beside(shares: Sequence[float], row: int) -> bool:
    return any(0 <= other < len(shares) and shares[other] > 0 for other in (row - 1, row + 1))


def _power(value: float) -> str:
    return f"{value:g}" if value >= 0.01 else f"{value:.0e}".replace("e-0", "e-")

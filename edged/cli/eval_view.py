"""How the measurements of ``edged eval`` are printed."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edged.evaluation.closed_set import ClosedSetResult, RuleResult
from edged.evaluation.failures import Failure
from edged.evaluation.gallery_sizes import AtThreshold, SizePoint, SizeResult, SizesResult
from edged.evaluation.intervals import Share
from edged.evaluation.match_rates import MatchRates, RatePoint
from edged.evaluation.measurement import DoorMeasurement, Measurement
from edged.evaluation.open_set import OpenSetResult
from edged.evaluation.verification import PairsResult

# Where nobody looks at the width, a file or a pipe, lines need not break at 80.
_WIDTH = 140
_WORST = 10
_LINES = 20

Row = tuple[str, Measurement]


def console() -> Console:
    """Return standard output, wide enough for the tables where it is no terminal."""
    shown = Console()
    return shown if shown.is_terminal else Console(width=_WIDTH)


def print_measurements(rows: Sequence[Row], *, per_person: bool = False) -> None:
    """Print the tables of every protocol that was measured, packs side by side, then what went wrong."""
    out = console()
    _print_head(out, rows)
    closed = [(name, one.closed_set) for name, one in rows if one.closed_set is not None]
    if closed:
        print_closed(out, closed, per_person=per_person)
    pairs = [(name, one.pairs) for name, one in rows if one.pairs is not None]
    if pairs:
        print_rates(out, pairs)
    for name, one in rows:
        if one.open_set is not None:
            print_sizes(out, one.open_set, _title("open set", name, rows))
    doors = [(name, one.door) for name, one in rows if one.door is not None]
    if doors:
        print_door(out, doors)
    for name, one in rows:
        for protocol, why in one.skipped.items():
            out.print(f"{name}: {protocol} was not measured: {why}", style="yellow", markup=False)
    print_all_failures(out, [(name, one.failures) for name, one in rows])


def print_pairs(out: Console, name: str, told: PairsResult, rates: MatchRates) -> None:
    """Print the rates, and the accuracy as pair lists are usually scored."""
    print_rates(out, [(name, rates)])
    out.print(
        f"accuracy, threshold of the other nine tenths: {percent(told.fold_accuracy)}, standard deviation "
        f"{percent(told.fold_deviation)}",
        highlight=False,
    )


def print_open_set(out: Console, name: str, whole: OpenSetResult, by_size: SizesResult) -> None:
    """Print the rates by the size of the gallery, and what the largest is made of."""
    print_sizes(out, by_size, f"open set: {name}")
    out.print(
        f"{whole.templates:,} templates of {whole.people:,} people; {whole.without_face:,} photographs that "
        "ask have no face",
        style="dim",
        highlight=False,
    )


def _print_head(out: Console, rows: Sequence[Row]) -> None:
    first = rows[0][1]
    out.print(f"{first.photographs:,} photographs of {first.people:,} people", style="bold")
    for name, one in rows:
        out.print(
            f"{name}: a face in {percent(one.face_rate)}, {percent(one.refused_rate)} of those below the "
            "quality floor",
            markup=False,
        )


def print_closed(
    out: Console, rows: Sequence[tuple[str, ClosedSetResult]], *, per_person: bool = False
) -> None:
    """Print one row a pack and rule, then the people who fare worst by the door's rule."""
    table = Table(box=box.SIMPLE, title="closed set: who of the enrolled is it", title_justify="left")
    for heading in ("pack", "rule"):
        table.add_column(heading, overflow="fold")
    for heading in ("accuracy", "95 %", "precision", "recall", "F1", "rank 5", "FTE", "FTA"):
        table.add_column(heading, justify="right")
    for name, result in rows:
        for rule in result.rules:
            ranked = rule.cmc[min(5, len(rule.cmc)) - 1]
            shares = (rule.precision, rule.recall, rule.f1, ranked, result.fte, result.fta)
            table.add_row(
                Text(name), rule.rule, percent(rule.accuracy.value), bounds(rule.accuracy),
                *(percent(share) for share in shares),
            )  # fmt: skip
    out.print(table)
    first = rows[0][1]
    out.print(
        f"{first.people:,} people, {first.templates:,} templates, {first.probes:,} photographs to recognise",
        style="dim",
    )
    for name, result in rows:
        _print_people(out, name, result.rules[0], everybody=per_person)


def _print_people(out: Console, name: str, rule: RuleResult, *, everybody: bool) -> None:
    people = sorted(rule.people, key=lambda one: (one.right - one.probes, one.right, one.person))
    if not everybody:
        people = [one for one in people if one.right < one.probes][:_WORST]
    if not people:
        return
    taken: dict[str, list[str]] = {}
    for confusion in rule.confusions:
        taken.setdefault(confusion.person, []).append(f"{confusion.taken_for} ({confusion.count})")
    title = (
        f"people, {rule.rule}: {name}" if everybody else f"the people recognised worst, {rule.rule}: {name}"
    )
    table = Table(box=box.SIMPLE, title=Text(title), title_justify="left")
    table.add_column("person")
    for heading in ("templates", "photographs", "right", "recall", "precision"):
        table.add_column(heading, justify="right")
    table.add_column("taken for")
    for one in people:
        shares = ("-" if share is None else percent(share) for share in (one.recall, one.precision))
        table.add_row(
            Text(one.person), str(one.enrolled), str(one.probes), str(one.right), *shares,
            Text(", ".join(taken.get(one.person, []))),
        )  # fmt: skip
    out.print(table)


def print_rates(out: Console, rows: Sequence[tuple[str, MatchRates]]) -> None:
    """Print one row a pack and false match rate; what the comparisons cannot carry is said, not shown."""
    table = Table(box=box.SIMPLE, title="1:1: is it the same person", title_justify="left")
    for heading in ("pack", "FMR"):
        table.add_column(heading, overflow="fold")
    for heading in ("threshold", "FMR seen, 95 %", "TMR", "95 %"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for name, rates in rows:
        for point in rates.points:
            table.add_row(Text(name), f"{point.target:g}", *_rate_cells(point))
    out.print(table)
    for name, rates in rows:
        out.print(
            f"{name}: accuracy {percent(rates.accuracy.value)} ({bounds(rates.accuracy)}) of "
            f"{rates.same_pairs:,} same and {rates.different_pairs:,} different pairs at cosine "
            f"{rates.threshold:.3f}; {rates.comparisons:,} comparisons of different people; "
            f"{rates.without_face:,} pairs without a face",
            markup=False,
            highlight=False,
        )
    out.print("Bounds of TMR: bootstrap by person. Of FMR: Wilson.", style="dim")


def _rate_cells(point: RatePoint) -> tuple[str, ...]:
    if point.threshold is None or point.fmr is None or point.tmr is None:
        return "-", "-", "-", "-", point.shortage or ""
    seen = f"{point.fmr.low:.3g} - {point.fmr.high:.3g}"
    return f"{point.threshold:.4f}", seen, percent(point.tmr.value), bounds(point.tmr), ""


def print_sizes(out: Console, result: SizesResult, title: str) -> None:
    """Print one row a size and stated risk: at the door's threshold, and at the best in hindsight."""
    table = Table(box=box.SIMPLE, title=Text(title), title_justify="left")
    for heading in (
        "N", "FPIR asked", "door's threshold", "FPIR seen, 95 %", "FNIR, 95 %", "hindsight's", "FNIR"
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for size in result.sizes:
        for point in size.points:
            table.add_row(*_size_cells(size, point))
    out.print(table)
    for size in result.sizes:
        out.print(
            f"N = {size.people:,}: galleries {size.galleries:,}, visits {size.mated:,}, rank 1 "
            f"{share(size.rank_one)}, searches {size.searches:,} by {size.strangers:,} photographs of "
            "strangers",
            style="dim",
            highlight=False,
        )
    if any(point.shortage for size in result.sizes for point in size.points):
        out.print("? fewer than 30 strangers behind the hindsight: a guess (rule of 30).", style="dim")
    if result.not_carried:
        missing = ", ".join(f"{size:,}" for size in result.not_carried)
        out.print(f"N = {missing}: not carried, {result.people:,} people are enrolled.", style="dim")


def _size_cells(size: SizeResult, point: SizePoint) -> tuple[str, ...]:
    door: tuple[str, str, str] = ("disarmed", "-", "-")
    if point.door is not None:
        door = (f"{point.door.threshold:.4f}", share(point.door.fpir), share(point.door.fnir))
    guess = "? " if point.shortage else ""
    best: AtThreshold = point.hindsight
    return (
        f"{size.people:,}",
        f"{point.target_fpir:g}",
        *door,
        f"{best.threshold:.4f}",
        f"{guess}{percent(best.fnir.value)}",
    )


def print_door(out: Console, rows: Sequence[tuple[str, DoorMeasurement]]) -> None:
    """Print one column a pack: what became of the visits."""
    table = Table(box=box.SIMPLE, title="door: visits through the decision engine", title_justify="left")
    table.add_column("")
    for name, _ in rows:
        table.add_column(Text(name), justify="right")
    lines = [door_lines(door) for _, door in rows]
    headings = list(dict.fromkeys(heading for one in lines for heading in one))
    for heading in headings:
        table.add_row(heading, *(one.get(heading, "-") for one in lines))
    out.print(table)
    for name, door in rows:
        out.print(f"{name}: {door.claim}", style="dim", markup=False, highlight=False)
        for wrong in door.result.wrong_grants[:_LINES]:
            out.print(
                f"{name}: {wrong.who} was let in as {wrong.taken_for}, cosine {wrong.score:.3f}",
                style="red",
                markup=False,
                highlight=False,
            )


def door_lines(door: DoorMeasurement) -> dict[str, str]:
    """Return the rows of the door's table by their headings."""
    result, told = door.result, {}
    told["people enrolled"] = f"{result.people:,}"
    if result.doors > 1:
        told["doors of so many"] = f"{result.doors:,}"
    told["stated risk, FPIR"] = f"{door.target_fpir:g}"
    told["threshold"] = "disarmed" if result.threshold is None else f"{result.threshold:.4f}"
    told["visits of the enrolled"] = f"{result.visits:,}"
    told["  granted"] = f"{result.granted.hits:,}, {share(result.granted)}"
    told["  wrong person"] = f"{result.wrong.hits:,}, {share(result.wrong)}"
    told |= {f"  refused, {reason}": f"{count:,}" for reason, count in result.refusals.items()}
    told["visits of strangers"] = f"{result.stranger_visits:,}"
    told["  let in"] = f"{result.let_in.hits:,}, {share(result.let_in)}"
    told |= {f"  turned away, {reason}": f"{count:,}" for reason, count in result.stranger_refusals.items()}
    if result.waiting is not None:
        waiting = result.waiting
        told["frames to a grant, p50 / p95"] = f"{waiting.frames_p50:g} / {waiting.frames_p95:g}"
        told["seconds to a grant, p50 / p95"] = f"{waiting.seconds_p50:.1f} / {waiting.seconds_p95:.1f}"
    return told


def print_all_failures(out: Console, rows: Sequence[tuple[str, Sequence[Failure]]]) -> None:
    """Print the failures of every pack, packs that fail on the same photographs together."""
    alike: dict[tuple[Failure, ...], list[str]] = {}
    for name, found in rows:
        alike.setdefault(tuple(found), []).append(name)
    for failed, names in alike.items():
        print_failures(out, failed, "" if len(rows) == 1 else f"{', '.join(names)}: ")


def print_failures(out: Console, found: Sequence[Failure], whose: str = "") -> None:
    """Print how many photographs gave nothing, and which."""
    if not found:
        return
    counts = Counter(one.reason for one in found)
    told = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())
    out.print(f"{whose}Photographs that give nothing or little: {told}", style="yellow", markup=False)
    first = sorted(found, key=lambda one: (one.reason not in {"unreadable", "no_face"}, one.reason))
    for one in first[:_LINES]:
        where = one.image or f"{one.person}, photograph {one.number}"
        text = f" ({one.text})" if one.text else ""
        out.print(f"  {where}: {one.reason}{text}", markup=False, highlight=False)
    if len(found) > _LINES:
        out.print(f"  and {len(found) - _LINES:,} more; --json has them all", style="dim")


def _title(what: str, name: str, rows: Sequence[Row]) -> str:
    return what if len(rows) == 1 else f"{what}: {name}"


def percent(value: float) -> str:
    """Return a share as ``99.76 %``."""
    return f"{100 * value:.2f} %"


def bounds(value: Share) -> str:
    """Return the bounds of a share in percent."""
    return f"{100 * value.low:.2f} - {100 * value.high:.2f}"


def share(value: Share) -> str:
    """Return a share with its bounds, a dash where there was no trial."""
    return f"{percent(value.value)} ({bounds(value)})" if value.trials else "-"

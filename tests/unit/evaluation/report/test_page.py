"""The report: everything that was measured is in it, nothing from outside."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from edged.cli.eval_view import print_all_failures
from edged.domain.calibration import CalibrationPoint
from edged.evaluation.closed_set import closed_set
from edged.evaluation.comparison import drawn_pairs
from edged.evaluation.curves import det_curve, histogram
from edged.evaluation.enrolled import enrolled
from edged.evaluation.failures import Failure
from edged.evaluation.gallery_sizes import gallery_sizes
from edged.evaluation.match_rates import match_rates, score_pairs
from edged.evaluation.measurement import DoorMeasurement, Measurement
from edged.evaluation.protocols import Labelled
from edged.evaluation.report.charts import confusion_matrix, size_chart
from edged.evaluation.report.page import Section, page
from edged.evaluation.split import closed_split, open_split
from edged.evaluation.visits import run_visits, visits_from_photographs
from tests.unit.evaluation.conftest import POLICY, crowd, embedded, rated

TABLE = [CalibrationPoint(1e-6, 0.9, 10**8), CalibrationPoint(1e-2, 0.3, 10**8)]
MODELS = {"weights": {"detector": "ab" * 32, "embedder": "cd" * 32}}
HOSTILE = '<img src=x onerror="alert(1)">&'


class Reader(HTMLParser):
    """Collects the tags, with their attributes, and the texts of a page; checks that tags are closed."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(name for name, _ in attrs)
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)


def measured(spread: float, name: Callable[[int], str] = "p{}".format) -> Measurement:
    raw = crowd(60, 5, spread=spread)
    vectors = {
        f"{name(int(key[1:].split('/')[0]))}/{key.split('/')[1]}": vector for key, vector in raw.items()
    }
    found = [Labelled(key.rsplit("/", 1)[0], key) for key in vectors]
    seen = embedded(vectors)
    scored = score_pairs(seen, drawn_pairs(found), found)
    enrol, probes = open_split(found)
    visits = visits_from_photographs(probes, rated(vectors), 2)
    door = run_visits(enrolled(seen, enrol), POLICY, visits)
    return Measurement(
        photographs=len(found), people=60, face_rate=0.99, refused_rate=0.01,
        failures=(Failure(name(3), 2, None, "blurred"), Failure(name(4), 1, None, "unreadable", "no")),
        closed_set=closed_set(seen, *closed_split(found)),
        pairs=match_rates(scored), det=det_curve(scored), scores=histogram(scored),
        open_set=gallery_sizes(seen, enrol, probes, TABLE, sizes=(10, 1000)),
        door=DoorMeasurement(0.001, "the claim", 2, 10.0, "photographs", door),
    )  # fmt: skip


@pytest.fixture(scope="module")
def two_packs() -> str:
    sections = [Section("sharp", MODELS, measured(0.05)), Section("dull", MODELS, measured(0.3))]
    return page(sections, {"seed": 1})


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def test_every_protocol_has_its_tables_and_plots(two_packs: str) -> None:
    reader = read(two_packs)
    told = " ".join(reader.texts)
    for heading in ("Closed set", "1:1", "Open set", "The door", "give nothing or little"):
        assert heading in told
    # CMC, DET, two of scores, two of sizes; each legend has a sample of every line besides.
    assert two_packs.count('class="plot"') == 6
    assert reader.tags.count("table") >= 9
    for text in ("sharp", "dull", "the claim", "rule of 3", "not carried", "seed: 1", "no. 2"):
        assert text in told


def test_nothing_comes_from_outside_and_nothing_runs(two_packs: str) -> None:
    reader = read(two_packs)
    assert not set(reader.tags) & {"script", "img", "link", "iframe", "object", "embed", "image", "use"}
    assert not set(reader.attributes) & {"src", "href", "srcset", "style", "action"}
    assert not [name for name in reader.attributes if name.startswith("on")]
    assert "url(" not in two_packs
    assert "@import" not in two_packs
    assert "://" not in two_packs
    assert "default-src 'none'" in two_packs


def test_coordinates_are_numbers_within_the_frame(two_packs: str) -> None:
    points = re.findall(r'points="([^"]*)"', two_packs)
    assert points
    for x, y in (pair.split(",") for line in points for pair in line.split()):
        assert 0 <= float(x) <= 560
        assert 0 <= float(y) <= 340


def test_a_name_cannot_break_out_of_the_page() -> None:
    text = page([Section(HOSTILE, MODELS, measured(0.35, lambda who: f"{HOSTILE}{who}"))], {})
    reader = read(text)
    assert "img" not in reader.tags
    assert any(HOSTILE in one for one in reader.texts)


def test_every_packs_failures_are_listed_on_the_page_and_on_the_console() -> None:
    one, other = measured(0.6), measured(0.6)
    other = replace(other, failures=(Failure("p9", 3, "p9/3.jpg", "too_dark"),))
    reader = Reader()
    reader.feed(page([Section("a", MODELS, one), Section("b", MODELS, other)], {}))
    assert {"reason, a", "reason, b", "too_dark"} <= set(reader.texts)
    file = io.StringIO()
    print_all_failures(
        Console(file=file, width=140), [("a", one.failures), ("b", other.failures), ("c", one.failures)]
    )
    told = file.getvalue()
    assert "a, c: Photographs that give nothing or little" in told
    assert "p9/3.jpg: too_dark" in told


def test_a_protocol_that_failed_is_told() -> None:
    found = Measurement(10, 2, 1.0, 0.0, (), skipped={"door": "nobody came"})
    text = page([Section("starter", MODELS, found)], {})
    assert "door was not measured: nobody came" in text
    assert "<svg" not in text


def test_confusions_fill_a_matrix_that_can_be_read() -> None:
    seen = embedded(crowd(80, 4, spread=0.6))
    found = [Labelled(key.split("/")[0], key) for key in seen.names]
    (rule, _) = closed_set(seen, *closed_split(found)).rules
    assert len(rule.confusions) > 20
    figure = confusion_matrix(rule)
    assert figure is not None
    cells = [cell.text for cell in figure.iter("td") if cell.text]
    assert max(len(list(row.iter("td"))) for row in figure.iter("tr")) <= 14
    assert cells
    assert all(int(cell or 0) > 0 for cell in cells)


def test_no_confusion_needs_no_matrix() -> None:
    seen = embedded(crowd(10, 4, spread=0.01))
    found = [Labelled(key.split("/")[0], key) for key in seen.names]
    assert confusion_matrix(closed_set(seen, *closed_split(found)).rules[0]) is None


def test_a_guess_is_not_drawn() -> None:
    found = measured(0.2).open_set
    assert found is not None
    # The door's threshold needs no strangers; only the smallest gallery has thirty behind the hindsight.
    chart = size_chart([("pack", found)], 0)
    assert chart is not None
    supported = sum(size.points[0].shortage is None for size in found.sizes)
    assert len(list(chart.iter("circle"))) == len(found.sizes) + supported
    unarmed = [
        replace(size, points=tuple(replace(point, door=None, shortage="few") for point in size.points))
        for size in found.sizes
    ]
    assert size_chart([("pack", replace(found, sizes=tuple(unarmed)))], 0) is None

"""Axes and lines."""

import pytest

from edged.evaluation.report.plot import HEIGHT, WIDTH, Plot, Scale, legend


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Scale(0.93, 1), [0.94, 0.96, 0.98, 1]),
        (Scale(0, 0.01), [0, 0.002, 0.004, 0.006, 0.008, 0.01]),
        (Scale(-0.4, 1), [0, 0.5, 1]),
        (Scale(1e-6, 1, log=True), [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]),
        (Scale(6, 60, log=True), [10, 20, 50]),
    ],
)
def test_ticks_are_round(scale: Scale, ticks: list[float]) -> None:
    assert scale.ticks() == pytest.approx(ticks)


def test_shares_of_an_axis_stay_on_it() -> None:
    assert Scale(0, 10).share(2.5) == 0.25
    assert (Scale(0, 10).share(-1), Scale(0, 10).share(11)) == (0, 1)
    log = Scale(1e-4, 1, log=True)
    assert (log.share(1e-2), log.share(0), log.share(7)) == (pytest.approx(0.5), 0, 1)


def plotted() -> Plot:
    return Plot(Scale(0, 1), Scale(0, 1), title="<it>", x_label="x", y_label="y")


def test_points_are_placed_within_the_frame_and_upside_down() -> None:
    plot = plotted()
    plot.line([(0, 0), (1, 1)], 2, dots=True)
    (line,) = plot.element.findall("polyline")
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in str(line.get("points")).split())
    assert 0 < x0 < x1 < WIDTH
    assert 0 < y1 < y0 < HEIGHT
    assert line.get("class") == "line s2"
    assert len(plot.element.findall("circle")) == 2
    assert plot.element.get("aria-label") == "<it>"


def test_one_point_is_a_dot_and_none_is_nothing() -> None:
    plot = plotted()
    before = len(plot.element)
    plot.line([], 0, dashed=True, dots=True)
    plot.area([], 0)
    assert len(plot.element) == before
    plot.line([(0.5, 0.5)], 0, dots=True)
    assert [part.tag for part in plot.element[before:]] == ["circle"]


def test_an_area_reaches_down_to_the_axis() -> None:
    plot = plotted()
    plot.area([(0, 0.5), (1, 0.5)], 1)
    corners = [point.split(",")[1] for point in str(plot.element.findall("polygon")[0].get("points")).split()]
    assert corners[0] == corners[-1] > corners[1]


def test_a_mark_near_the_edge_has_its_text_inside() -> None:
    plot = plotted()
    plot.mark(0.1, "left")
    plot.mark(0.99, "right")
    kinds = {text.text: text.get("class") for text in plot.element.findall("text")}
    assert (kinds["left"], kinds["right"]) == ("tick", "tick end")


def test_a_legend_names_each_line() -> None:
    listed = legend([("one", 0, False), ("two", 3, True)])
    assert [item.text for item in listed.iter("span")] == ["one", "two"]
    assert [line.get("class") for line in listed.iter("line")] == ["line s0", "line s3 dashed"]

"""Stages as bars."""

from xml.etree import ElementTree as ET

import pytest

from edged.evaluation.report.stages import stage_plot
from edged.evaluation.speed.stages import StageTime

SVG = "{http://www.w3.org/2000/svg}"


def drawn(stages: dict[str, StageTime]) -> ET.Element:
    return ET.fromstring(stage_plot(stages, ["detect"], title="a <b> & c", subtitle="s"))


def test_bars_are_as_long_as_their_medians() -> None:
    figure = drawn({"detect": StageTime(4.0, 8.0), "align": StageTime(1.0, 2.0)})
    bars = [one for one in figure.iter(f"{SVG}rect") if "bar" in one.get("class", "")]
    widths = [float(one.get("width", "0")) for one in bars]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.01)
    assert [one.get("class") for one in bars] == ["bar s0", "bar s2"]


def test_it_stands_alone_and_says_everything_in_words() -> None:
    figure = drawn({"detect": StageTime(4.0, 8.0), "journal": StageTime(0.0, 0.0)})
    told = [one.text for one in figure.iter(f"{SVG}text")]
    assert {"a <b> & c", "s", "detect", "journal", "4.00 / 8.00", "0.00 / 0.00", "milliseconds"} <= set(told)
    assert figure.find(f"{SVG}style") is not None
    assert not [one for one in figure.iter() if "href" in str(one.attrib)]

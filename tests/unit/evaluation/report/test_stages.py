"""Stages as bars."""

from xml.etree import ElementTree as ET

import pytest

from edged.evaluation.report.stages import stage_plot
from edged.evaluation.speed.stages import StageTime

SVG = "{http://www.w3.org/2000/svg}"


def drawn(stages: dict[str, StageTime], networks: dict[str, StageTime] | None = None) -> ET.Element:
    return ET.fromstring(stage_plot(stages, networks or {}, title="a <b> & c", subtitle="s"))


def test_bars_are_as_long_as_their_medians_and_show_the_networks_in_them() -> None:
    detect, inside = StageTime(3.0, 4.0, 8.0), StageTime(2.0, 3.0, 7.0)
    figure = drawn({"detect": detect, "align": StageTime(0.5, 1.0, 2.0)}, {"detect": inside})
    bars = [one for one in figure.iter(f"{SVG}rect") if one.get("height") == "14"]
    network, around, align = (float(one.get("width", "0")) for one in bars)
    assert [one.get("class") for one in bars] == ["bar s0", "bar s2", "bar s2"]
    assert network / around == pytest.approx(3, rel=0.01)
    assert (network + around) / align == pytest.approx(4, rel=0.01)


def test_it_stands_alone_and_says_everything_in_words() -> None:
    figure = drawn({"detect": StageTime(3.0, 4.0, 8.0), "journal": StageTime(0.0, 0.0, 0.0)})
    told = [one.text for one in figure.iter(f"{SVG}text")]
    assert {"a <b> & c", "s", "detect", "journal", "4.00 / 8.00", "0.00 / 0.00", "milliseconds"} <= set(told)
    assert figure.find(f"{SVG}style") is not None
    assert not [one for one in figure.iter() if "href" in str(one.attrib)]

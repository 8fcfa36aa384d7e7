"""Where a thread's time goes."""

import sys
import time
from xml.etree import ElementTree as ET

from edged.evaluation.report.flame import flame_graph
from edged.evaluation.speed.sampling import sampled_stacks

SVG = "{http://www.w3.org/2000/svg}"


def slow() -> None:
    # Of the thread's own time: on a busy machine nobody might get to look within 80 ms.
    until = time.thread_time() + 0.08
    while time.thread_time() < until:
        pass


def outer() -> None:
    slow()


def test_what_takes_time_is_seen_and_nothing_around_the_block() -> None:
    before = sys.getswitchinterval()
    with sampled_stacks() as stacks:
        outer()
    assert sys.getswitchinterval() == before
    seen = {names for names in stacks if names[-1].endswith(".slow")}
    assert seen
    assert {tuple(name.rpartition(".")[2] for name in names) for names in seen} == {("outer", "slow")}


def test_a_module_may_be_left_out() -> None:
    with sampled_stacks(leave_out=(__name__,)) as stacks:
        slow()
    assert not any(__name__ in name for names in stacks for name in names)


def test_a_call_is_as_wide_as_its_share() -> None:
    figure = ET.fromstring(flame_graph({("a", "b"): 3, ("a", "c"): 1, ("d<",): 4}, title="t"))
    widths = {
        (one.findtext(f"{SVG}title") or "").partition(":")[0]: float(one.get("width", "0"))
        for one in figure.iter(f"{SVG}rect")
        if "call" in one.get("class", "")
    }
    assert widths["a"] == widths["d<"]
    assert abs(widths["b"] - 3 * widths["c"]) < 0.5
    named = flame_graph({("edged.vision.embedder.Embedder.embed",): 1}, title="t")
    assert ">vision.embedder.Embedder.embed<" in named
    assert flame_graph({}, title="none").startswith("<?xml")

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.types import EventKind
from edged.errors import FleetError
from edged.fleet.topics import Topics


def test_every_topic_lies_below_the_door() -> None:
    topics = Topics("edged", "hq", "front")
    assert topics.availability == "edged/hq/front/availability"
    assert topics.birth == "edged/hq/front/birth"
    assert topics.state == "edged/hq/front/state"
    assert topics.health == "edged/hq/front/health"
    assert [topics.event(kind.value) for kind in EventKind] == [
        f"edged/hq/front/event/{kind}" for kind in ("access", "attendance", "door", "alarm", "system")
    ]


def test_a_prefix_may_have_several_segments() -> None:
    assert Topics("building/7", "hq", "front").root == "building/7/hq/front"


@pytest.mark.parametrize("bad", ["", "+", "#", "a/b", "a+", "a\x00", "a\n", "\ud800"])
def test_a_segment_that_reaches_other_topics_is_refused(bad: str) -> None:
    with pytest.raises(FleetError, match="site"):
        Topics("edged", bad, "front")
    with pytest.raises(FleetError, match="door"):
        Topics("edged", "hq", bad)
    with pytest.raises(FleetError, match="event kind"):
        Topics("edged", "hq", "front").event(bad)


@pytest.mark.parametrize("bad", ["", "/edged", "edged/", "a//b", "a/+", "#", "$SYS", "x" * 65_500])
def test_a_prefix_that_no_broker_takes_is_refused(bad: str) -> None:
    with pytest.raises(FleetError):
        Topics(bad, "hq", "front")


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_topic_has_no_wildcard_whatever_the_names(prefix: str, site: str, door: str) -> None:
    try:
        topic = Topics(prefix, site, door).event("access")
    except FleetError:
        return
    assert not set("+#\x00") & set(topic)
    assert topic.count("/") == prefix.count("/") + 4
    assert topic.encode().decode() == topic


def test_a_refusal_quotes_little_of_what_it_got() -> None:
    with pytest.raises(FleetError) as caught:
        Topics("edged", "+" * 100_000, "front")
    assert len(str(caught.value)) < 300

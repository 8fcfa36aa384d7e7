"""A whole door before an empty corridor, and what is made of a journal and a trace."""

from pathlib import Path

import pytest

from edged.errors import EvaluationError
from edged.evaluation import idle
from edged.evaluation.idle import idle_share
from edged.evaluation.idle_clips import empty_clips
from edged.evaluation.latency import told
from edged.evaluation.live_door import running, write_door


def test_a_door_before_an_empty_corridor_decodes_a_third_and_searches_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "_SETTLE_SECONDS", 2.0)
    share = idle_share(empty_clips(seconds=3)[0], tmp_path, seconds=2.0)
    assert share.captured > share.looked > share.searched
    assert 0 < share.share < 1
    assert "Traceback" not in (tmp_path / "door.log").read_text()


def test_a_door_that_does_not_start_says_why(tmp_path: Path) -> None:
    write_door(tmp_path, {"type": "file", "path": "camera.mp4"}, {"models": {"detector": "no-such-pack"}})
    with pytest.raises(EvaluationError, match="no-such-pack"), running(tmp_path):
        pytest.fail("it runs")


def test_each_grant_is_held_against_the_line_that_moved_after_it() -> None:
    found = told([(10.2, 200.0), (20.1, 100.0), (30.3, 300.0)], [10.25, 20.11, 30.32], visits=4)
    assert (found.visits, found.granted) == (4, 3)
    assert found.p50_ms == pytest.approx(250)
    assert found.longest_ms == pytest.approx(320)
    assert found.decided_ms_p50 == pytest.approx(200)


def test_a_grant_that_opened_nothing_has_no_time() -> None:
    assert told([(10.2, 200.0), (20.1, 100.0)], [10.25], visits=2).granted == 1
    with pytest.raises(EvaluationError, match="none of 2"):
        told([(10.2, 200.0)], [], visits=2)

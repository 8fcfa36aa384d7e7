import pytest

from edged.enrolment.levels import levels_for
from edged.errors import EnrolmentError
from tests.unit.enrolment.scene import CALIBRATION


def test_levels_come_from_the_packs_table() -> None:
    levels = levels_for(CALIBRATION)
    assert (levels.similar, levels.consistent, levels.alike) == (0.458, 0.318, 0.392)


def test_the_configured_score_overrides_the_table() -> None:
    assert levels_for(CALIBRATION, 0.4).similar == 0.4
    assert levels_for(CALIBRATION, 0.2).consistent == 0.2


def test_a_short_table_stops_more_people_not_fewer() -> None:
    assert levels_for(CALIBRATION[:2]).similar == 0.392


def test_without_a_table_the_configuration_must_say() -> None:
    with pytest.raises(EnrolmentError, match="max_similar_score"):
        levels_for(())
    levels = levels_for((), 0.5)
    assert 0 < levels.consistent < levels.similar == levels.alike == 0.5

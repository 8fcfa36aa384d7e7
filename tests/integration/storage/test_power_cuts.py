"""A handful of the power cuts of ``make powercuts``, and the proof that they can lose something."""

from tests.chaos.power_cuts import run


def test_no_acknowledged_event_is_lost_and_every_start_works() -> None:
    result = run(30, seed=7)
    assert result.ok, result
    assert result.cuts == 30
    assert result.acknowledged > 500


def test_with_a_weaker_setting_the_same_cuts_lose_events() -> None:
    assert run(6, seed=7, normal=True).lost > 0


def test_a_cut_within_the_very_first_start_does_not_hinder_the_second() -> None:
    result = run(60, seed=3, first_steps=True)
    assert result.ok, result

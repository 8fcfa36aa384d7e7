from edged.domain.cooldown import Cooldowns


def cooled(cooldowns: Cooldowns, now: float) -> bool:
    return cooldowns.gate("ada", now, 10.0).passed


def test_it_takes_the_time_and_an_absence() -> None:
    cooldowns = Cooldowns()
    assert cooled(cooldowns, 0.0)
    cooldowns.seen("ada", 0.0, 2.0)
    cooldowns.granted("ada", 1, 0.0)
    assert not cooled(cooldowns, 20.0)  # never out of view
    for at in (1.0, 2.0, 3.0):
        cooldowns.seen("ada", at, 2.0)
    assert not cooled(cooldowns, 20.0)
    cooldowns.seen("ada", 5.0, 2.0)
    assert not cooled(cooldowns, 9.9)
    assert cooled(cooldowns, 10.0)
    assert cooldowns.gate("ben", 0.0, 10.0).passed


def test_a_grant_taken_back_leaves_the_one_before_it_in_force() -> None:
    cooldowns = Cooldowns()
    cooldowns.granted("ada", 1, 0.0)
    cooldowns.seen("ada", 9.0, 2.0)
    cooldowns.granted("ada", 1, 12.0)
    assert not cooldowns.take_back("ben", 1)
    assert cooldowns.take_back("ada", 1)
    assert not cooldowns.take_back("ada", 1)
    assert not cooled(cooldowns, 9.9)
    assert cooled(cooldowns, 12.0)


def test_only_a_persons_newest_grant_can_be_taken_back() -> None:
    cooldowns = Cooldowns()
    cooldowns.granted("ada", 1, 0.0)
    cooldowns.granted("ben", 2, 1.0)
    cooldowns.granted("ada", 3, 12.0)
    assert not cooldowns.take_back("ada", 1)
    assert not cooled(cooldowns, 13.0)
    assert cooldowns.take_back("ben", 2)
    assert cooldowns.gate("ben", 2.0, 10.0).passed


def test_a_cool_down_is_told_once() -> None:
    cooldowns = Cooldowns()
    cooldowns.granted("ada", 1, 0.0)
    assert [cooldowns.first_report("ada") for _ in range(3)] == [True, False, False]
    cooldowns.granted("ada", 1, 20.0)
    assert cooldowns.first_report("ada")

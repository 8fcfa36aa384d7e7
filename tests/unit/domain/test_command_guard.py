from edged.domain.command_guard import MOST_NONCES, NONCE_SECONDS, CommandGuard


def test_a_nonce_is_good_once_and_for_half_a_minute() -> None:
    guard = CommandGuard()
    for name in ("a", "b", "c", "d"):
        guard.give(name, 100.0)
    assert guard.spend("a", 100.0)
    assert not guard.spend("a", 100.0)
    assert guard.spend("b", 100.0 + NONCE_SECONDS)
    assert not guard.spend("c", 100.1 + NONCE_SECONDS)
    assert not guard.spend("c", 100.0), "one that came late is spent too"
    assert not guard.spend("never given", 100.0)


def test_a_clock_that_runs_backwards_makes_no_nonce_good() -> None:
    guard = CommandGuard()
    guard.give("a", 100.0)
    assert not guard.spend("a", 99.0)


def test_a_flood_of_hellos_pushes_out_the_oldest_and_is_bounded() -> None:
    guard = CommandGuard()
    for number in range(MOST_NONCES + 1):
        guard.give(str(number), 100.0)
    assert len(guard._given) == MOST_NONCES
    assert not guard.spend("0", 100.0)
    assert guard.spend("1", 100.0)


def test_what_a_door_gives_at_its_fastest_stays_good_for_its_time() -> None:
    guard = CommandGuard()
    times = [number * 0.2 for number in range(round(NONCE_SECONDS / 0.2) + 1)]
    for at in times:
        guard.give(str(at), at)
    assert guard.spend(str(times[0]), times[-1])


def test_a_counter_only_grows_and_each_key_has_its_own() -> None:
    guard = CommandGuard({"kept": 7})
    assert guard.is_next("new", 0)
    assert not guard.is_next("kept", 7)
    assert guard.is_next("kept", 8)
    assert guard.counted("kept", 8) == {"kept": 8}
    assert not guard.is_next("kept", 8)
    assert guard.is_next("new", 1)

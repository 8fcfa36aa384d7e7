"""A stop that comes before the daemon answers signals itself is neither lost nor breaks anything."""

import signal
import subprocess
import sys

import pytest

BEGIN = """
import os, signal, sys, time
from edged.cli.run import _EarlyStops
def ask():
    os.kill(os.getpid(), signal.Signals[sys.argv[1]])
    time.sleep(0.01)  # the handler runs between two steps of the main thread
stops = _EarlyStops()
"""
IN_AN_IMPORT = """
with stops.held():
    try:
        ask()
    except BaseException:
        print("broken")
    print("whole")
print("went on")
"""
TWICE = """
with stops.held():
    ask()
    ask()
    print("went on")
"""
WHILE_BUILDING = """
try:
    ask()
finally:
    print("unwound")
print("went on")
"""
SWALLOWED = """
try:
    ask()
except BaseException:
    pass
stops.hand_over(lambda: print("told to stop"))
"""
LATER = """
stops.hand_over(lambda: print("told to stop"))
ask()
print("goes on until it has stopped")
"""


def begun(what: str, number: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + what, number], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("what", "said"), [(IN_AN_IMPORT, ["whole"]), (TWICE, []), (WHILE_BUILDING, ["unwound"])]
)
def test_a_stop_during_the_start_ends_it(what: str, said: list[str], number: str) -> None:
    # Python ends itself by the signal where nobody catches a KeyboardInterrupt.
    assert begun(what, number) == (0 if number == "SIGTERM" else -signal.SIGINT, said)


def test_a_stop_that_something_swallowed_stops_the_daemon() -> None:
    assert begun(SWALLOWED, "SIGTERM") == (0, ["told to stop"])


def test_a_stop_between_the_start_and_the_run_stops_the_daemon() -> None:
    assert begun(LATER, "SIGTERM") == (0, ["told to stop", "goes on until it has stopped"])

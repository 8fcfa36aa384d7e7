"""Which commands there are: the table of contents of the command line.

A module is imported once its command is wanted: ``edged --help`` prints this table and imports none.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import typer


@dataclass(frozen=True, slots=True)
class Entry:
    """A command or a group called ``name``, found as ``attribute`` of ``edged.cli.<module>``.

    ``help`` is the first paragraph of its own help. ``complete`` adds those commands to a group that have
    modules of their own.
    """

    name: str
    help: str
    module: str
    attribute: str = "app"
    complete: Callable[[typer.Typer], None] | None = None

    def add_to(self, app: typer.Typer) -> None:
        """Import it and add it to ``app``."""
        found = getattr(importlib.import_module(f"edged.cli.{self.module}"), self.attribute)
        if not isinstance(found, typer.Typer):
            app.command(self.name)(found)
            return
        if self.complete is not None:
            self.complete(found)
        app.add_typer(found, name=self.name)


def register(app: typer.Typer) -> None:
    """Import every command and add it to ``app``."""
    for entry in ENTRIES:
        entry.add_to(app)


def _fleet(app: typer.Typer) -> None:
    from edged.cli import (
        fleet_collect,
        fleet_command,
        fleet_groups,
        fleet_publish,
        fleet_simulate,
        fleet_status,
    )

    app.command("group")(fleet_groups.group)
    for command in (fleet_publish.publish, fleet_publish.release, fleet_publish.rollback, fleet_publish.deny):
        app.command()(command)
    app.command()(fleet_publish.renew)
    app.command("rotate-keys")(fleet_publish.rotate_keys)
    for shown in (fleet_status.status, fleet_status.forget, fleet_status.receipts):
        app.command()(shown)
    app.command("command-key")(fleet_command.command_key)
    app.command()(fleet_command.command)
    app.command()(fleet_simulate.simulate)
    app.command()(fleet_collect.collect)
    app.command()(fleet_collect.gaps)


def _people(app: typer.Typer) -> None:
    from edged.cli import people_factors, people_photos

    app.command("photos")(people_photos.photos)
    app.command("remove-photo")(people_photos.remove_photo)
    app.command("not-me")(people_photos.not_me)
    app.command("set-pin")(people_factors.set_pin)
    app.command("set-badge")(people_factors.set_badge)
    app.command("remove-pin")(people_factors.remove_pin)
    app.command("remove-badge")(people_factors.remove_badge)


def _events(app: typer.Typer) -> None:
    from edged.cli import events_quarantine, events_replay, events_salvaged

    app.add_typer(events_quarantine.app, name="quarantine")
    app.command("replay")(events_replay.replay)
    app.command("salvaged")(events_salvaged.salvaged)


ENTRIES = (
    Entry(
        "run",
        "Watch the camera, decide, drive the lock, record and publish. Ends on SIGTERM or Ctrl-C.",
        "run",
        "run",
    ),
    Entry(
        "demo",
        "Show the whole way from camera to lock, event and metric, without camera, GPIO or broker.",
        "demo",
        "demo",
    ),
    Entry(
        "doctor",
        "Check everything that the door relies on: models, threshold, lock, camera, disk, clock, keys.",
        "doctor",
        "doctor",
    ),
    Entry(
        "arm",
        "Set decision.armed in the configuration: from now on a match opens the door, or with --off "
        "does not.",
        "shadow",
        "arm",
    ),
    Entry(
        "enrol",
        "Enrol people from photographs. No photograph is kept, only what recognition needs.",
        "enrol",
        "enrol",
    ),
    Entry(
        "identify",
        "Say who is on photographs, by the threshold that the door would use; nothing is recorded.",
        "identify",
        "identify",
    ),
    Entry(
        "bench",
        "Measure every stage from the camera to the journal with the configured models.",
        "bench",
        "bench",
    ),
    Entry(
        "calibrate",
        "Measure the enrolled people against each other, and against the pack's cohort if it has one.",
        "calibrate",
        "calibrate",
    ),
    Entry(
        "explain",
        "Show the best and the second person, and each check behind a decision: value seen, limit, result.",
        "explain",
        "explain",
    ),
    Entry(
        "report",
        "Show entry and exit times and the time between, for each person.",
        "report",
        "report",
    ),
    Entry("shadow", "Compare what recognition would have done with badges.", "shadow"),
    Entry("camera", "List cameras, look at pictures, measure.", "camera"),
    Entry("config", "Check, show or describe the configuration.", "config"),
    Entry("door", "Try the lock, or secure it.", "door"),
    Entry("gallery", "Look after the gallery as a whole.", "gallery"),
    Entry(
        "fleet",
        "A gallery for many doors: signed by you, sealed for them, over any broker.",
        "fleet",
        complete=_fleet,
    ),
    Entry("liveness", "Test the liveness check at the door.", "liveness"),
    Entry("models", "List, fetch, import, verify, compile and quantize model packs.", "models"),
    Entry("mqtt", "Try the broker.", "mqtt"),
    Entry("people", "Look up and change enrolled people.", "people", complete=_people),
    Entry("second-factor", "Watch and answer requests for a second factor.", "second_factor"),
    Entry("eval", "Measure accuracy on labelled photographs.", "eval"),
    Entry("events", "Read, export and verify what happened at the door.", "events", complete=_events),
)

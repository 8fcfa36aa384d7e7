"""The demo from curtain to curtain."""

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edged import logs
from edged.app import Daemon
from edged.config import Config
from edged.demo.broker_watch import BrokerWatch
from edged.demo.bundled import bundled_cast
from edged.demo.console import DemoConsole
from edged.demo.moments import Moments, last_seconds
from edged.demo.pace import Pace
from edged.demo.photographs import digest, people_in
from edged.demo.preparation import (
    CONFIG_NAME,
    SCENE_NAME,
    Options,
    clear,
    enrol,
    install_models,
    write_config,
)
from edged.demo.reel import record
from edged.demo.rendering import Story, check_place, write_picture
from edged.demo.show import Show
from edged.demo.stage import Actor, cast, programme
from edged.demo.summary import sum_up
from edged.demo.tally import Tally
from edged.demo.viewpoint import first_working, sources
from edged.domain.count import counted
from edged.enrolment.checks import PhotoCheck
from edged.errors import NotFoundError
from edged.fleet.local_broker import LocalBroker, start_local_broker
from edged.vision.pipeline import FacePipeline

# More than this would crowd the timeline; a camera may have run for a day.
_PICTURED_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to show: ``photos`` None for the bundled people, ``camera`` None for a replay of them.

    ``seconds`` ends the show early, ``picture`` is where a picture of it is to be written.
    """

    photos: Path | None = None
    camera: str | None = None
    seconds: float | None = None
    picture: Path | None = None


def perform(console: DemoConsole, options: Options, wishes: Wishes) -> dict[str, Any]:
    """Prepare, run until the replay is over (a camera: until Ctrl-C), sum up; return what happened.

    ``ok`` tells whether every enrolled person was let in as themselves and nobody else was. A camera
    shows whoever is there, so there it only tells whether the daemon ran well. Raises ``EdgedError``.
    """
    if wishes.picture is not None:
        check_place(wishes.picture)
    clear(options.folder)
    with ExitStack() as stack:
        broker = start_local_broker()
        if broker is not None:
            stack.callback(broker.stop)
        config = _configure(options, wishes, broker)
        show = _prepare(config, options, wishes, console)
        _introduce(console, config, broker, wishes, show)
        if broker is not None:
            watch = BrokerWatch(broker.port, config.mqtt.topic_prefix, console.arrived)
            watch.start()
            stack.callback(watch.stop)
        code, pace = _run(config, show, wishes.seconds)
    if wishes.picture is not None:
        write_picture(_story(config, show), wishes.picture)
        console.happened("picture", str(wishes.picture))
    if code != 0:
        console.happened("problem", "the daemon failed; its log above says why", "bold red")
    path = options.folder / CONFIG_NAME
    sum_up(console, show.tally, config, path, pulses=show.pulses, pace=pace)
    ok = code == 0 and not show.tally.problems
    return {"ok": ok, "config": str(path), "pictures": pace.as_json(), **show.tally.as_json()}


def _configure(options: Options, wishes: Wishes, broker: LocalBroker | None) -> Config:
    """Write the configuration, with a camera that has given a picture. Raises ``EdgedError``."""
    if wishes.camera is None:
        return write_config(options, broker=broker, source=None)
    found = sources(wishes.camera)
    configs = [write_config(options, broker=broker, source=source) for source in found]
    chosen = first_working([config.camera for config in configs])
    return write_config(options, broker=broker, source=found[chosen])


def _prepare(config: Config, options: Options, wishes: Wishes, console: DemoConsole) -> Show:
    """Enrol the people and write the replay. Raises ``EdgedError``."""
    logs.configure(config.logging)
    install_models(config, options.models, console.say)
    actors = enrol(config, _actors(config, wishes, console), console.say)
    appearances = programme(actors) if wishes.camera is None else []
    reel = record(appearances, options.folder / SCENE_NAME, track=console.track) if appearances else None
    return Show(console, Tally(appearances), Moments(), reel, min_margin=config.decision.min_margin)


def _actors(config: Config, wishes: Wishes, console: DemoConsole) -> list[Actor]:
    try:
        people, strangers = bundled_cast()
    except OSError as exc:
        raise NotFoundError(f"the demo's own photographs are missing: {exc}") from exc
    if wishes.photos is None:
        console.say(
            "people", "the bundled ones; none of them exists: each is blended from several photographs"
        )
    else:
        check = PhotoCheck(FacePipeline.load(config.models, config.quality), digest)
        people = people_in(wishes.photos, check, console.say)
    return cast(people, strangers)


def _introduce(
    console: DemoConsole, config: Config, broker: LocalBroker | None, wishes: Wishes, show: Show
) -> None:
    """Say what stands in for the real thing, one line each."""
    if show.reel is not None:
        console.say("camera", f"a replay: {counted(show.tally.visits, 'visit')} in {show.reel.seconds:.0f} s")
    else:
        console.say(
            "camera", f"{wishes.camera}: stand before it, an arm's length away, and look at it; Ctrl-C ends"
        )
        if wishes.photos is None:
            console.say(
                "", "you are not among the people: expect to be denied, or enrol yourself with --photos DIR"
            )
    console.say("liveness", _guard(config))
    console.say("lock", "no GPIO line is used: a fake lock keeps a record of its pulses")
    if broker is None:
        console.say("broker", "none: neither mosquitto nor amqtt is installed; events stay in the journal")
    else:
        topics = f"{config.mqtt.topic_prefix}/{config.site}/{config.door_id}/#"
        console.say("broker", f"{broker.description}, of the demo's own: 127.0.0.1:{broker.port}, {topics}")


def _guard(config: Config) -> str:
    if config.liveness.mode == "off":
        return "not checked: whoever holds up a photograph may be let in"
    by = config.liveness.pack or "the edge of paper around a face"
    return f"required, by {by}: a deterrent against photographs, no guarantee"


def _run(config: Config, show: Show, seconds: float | None) -> tuple[int, Pace]:
    """Run the daemon to its end, or for ``seconds`` from when it is ready; return its status and its pace."""
    daemon = Daemon(config, until_end=True, listeners=show.listeners)
    if seconds is None:
        return daemon.run(), Pace.of(daemon.metrics)
    timer = threading.Timer(seconds, daemon.supervisor.request_stop)
    timer.daemon = True
    show.when_ready = timer.start
    try:
        return daemon.run(), Pace.of(daemon.metrics)
    finally:
        timer.cancel()


def _story(config: Config, show: Show) -> Story:
    """Return what the picture tells."""
    tally, models = show.tally, dict.fromkeys((config.models.detector, config.models.embedder))
    figures = [(str(tally.granted), "let in"), (str(sum(tally.denied.values())), "denied")]
    if tally.visits:
        figures = [
            (f"{tally.recognised} of {tally.enrolled}", "enrolled people let in"),
            (str(len(tally.mistakes)), "wrong person"),
        ]
    return Story(
        f"{tally.visits or ''} visits at a demo door, models: {' + '.join(models)}".strip(),
        list(show.moments.best.items()),
        last_seconds(show.moments.marks, _PICTURED_SECONDS),
        figures,
    )

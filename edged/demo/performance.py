"""The demo from curtain to curtain."""

from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from edged import logs
from edged.app import Daemon, Listeners
from edged.config import Config
from edged.demo.console import BrokerWatch, DemoConsole
from edged.demo.preparation import CONFIG_NAME, install_models, set_scene, write_config
from edged.errors import NotFoundError
from edged.fleet.local_broker import LocalBroker, start_local_broker


def perform(
    console: Console,
    folder: Path,
    *,
    photos: Path | None,
    weights: Path | None,
    camera: str | None,
    http_port: int,
) -> int:
    """Prepare, run until the replay is over (a camera: until Ctrl-C), sum up; return the exit status.

    Raises ``EdgedError`` where models or photographs are missing.
    """
    show = DemoConsole(console)
    folder.mkdir(parents=True, exist_ok=True)
    config = write_config(folder, broker=None, camera=camera, http_port=http_port)
    logs.configure(config.logging)
    install_models(config, weights, show.say)
    _set_people(config, photos, camera, show)
    with ExitStack() as stack:
        broker = start_local_broker()
        if broker is not None:
            stack.callback(broker.stop)
            config = write_config(folder, broker=broker, camera=camera, http_port=http_port)
            watch = BrokerWatch(broker.port, config.mqtt.topic_prefix, show)
            watch.start()
            stack.callback(watch.stop)
        _introduce(show, broker, camera)
        code = _run(config, show, until_end=camera is None)
    show.say("summary", f"{show.granted} let in, {show.denied} denied")
    show.say(
        "next", f"edged events tail --config {folder / CONFIG_NAME}   (or: explain, report, people list)"
    )
    return code


def _set_people(config: Config, photos: Path | None, camera: str | None, show: DemoConsole) -> None:
    if photos is not None and photos.is_dir():
        set_scene(config, photos, show.say)
    elif camera is None:
        raise NotFoundError(
            "nothing to show: give --photos FOLDER (one folder a person, two or more photographs each) "
            "or --camera 0"
        )


def _introduce(show: DemoConsole, broker: LocalBroker | None, camera: str | None) -> None:
    """Say what stands in for the real thing, one line each."""
    show.say("camera", "none is used: a replay of photographs" if camera is None else f"camera {camera}")
    show.say("lock", "no GPIO line is used: a fake lock records its pulses")
    if broker is None:
        show.say("mqtt", "no broker: neither mosquitto nor amqtt is installed; events stay in the journal")
    else:
        show.say("mqtt", f"a broker of its own: {broker.description}, 127.0.0.1:{broker.port}")


def _run(config: Config, show: DemoConsole, *, until_end: bool) -> int:
    def ready(daemon: Daemon) -> None:
        show.say("metrics", f"http://127.0.0.1:{daemon.monitor.port}/metrics   (also /healthz and /readyz)")

    def camera(state: str) -> None:
        show.say("camera", state)

    listeners = Listeners(on_told=show.told, on_door=show.door, on_camera=camera, on_ready=ready)
    return Daemon(config, until_end=until_end, listeners=listeners).run()

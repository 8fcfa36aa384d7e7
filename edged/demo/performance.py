"""The demo from curtain to curtain."""

from contextlib import ExitStack
from pathlib import Path

import msgspec
from rich.console import Console

from edged import logs
from edged.app import Daemon, Listeners
from edged.config import Config
from edged.demo.console import BrokerWatch, DemoConsole
from edged.demo.preparation import demo_config, install_models, set_scene
from edged.errors import NotFoundError
from edged.fleet.local_broker import start_local_broker


def perform(
    console: Console,
    folder: Path,
    *,
    photos: Path | None,
    weights: Path | None,
    camera: str | None,
    http_port: int,
) -> int:
    """Prepare, run until the replay is over (a camera: until Ctrl-C), sum up; return the exit status."""
    show = DemoConsole(console)
    folder.mkdir(parents=True, exist_ok=True)
    config = demo_config(folder.resolve(), broker_port=None, camera=camera, http_port=http_port)
    logs.configure(config.logging)
    install_models(config, weights, show.say)
    if camera is None and (photos is None or not photos.is_dir()):
        raise NotFoundError(
            "nothing to show: give --photos FOLDER (one folder a person, two or more photographs each) "
            "or --camera 0"
        )
    if photos is not None and photos.is_dir():
        set_scene(config, photos, show.say)
    with ExitStack() as stack:
        broker = start_local_broker()
        if broker is None:
            show.say(
                "mqtt", "no broker: neither mosquitto nor amqtt is installed; events stay in the journal"
            )
        else:
            stack.callback(broker.stop)
            show.say("mqtt", f"{broker.description} on 127.0.0.1:{broker.port}")
            config = msgspec.structs.replace(
                config,
                mqtt=msgspec.structs.replace(
                    config.mqtt, enabled=True, port=broker.port, protocol=broker.protocol
                ),
            )
            watch = BrokerWatch(broker.port, config.mqtt.topic_prefix, show)
            watch.start()
            stack.callback(watch.stop)
        show.say("camera", "a replay of photographs" if camera is None else f"camera {camera}")
        show.say("lock", "no GPIO line is used: a fake lock records its pulses")
        code = _run(config, show, until_end=camera is None)
    show.say("summary", f"{show.granted} let in, {show.denied} denied")
    return code


def _run(config: Config, show: DemoConsole, *, until_end: bool) -> int:
    daemon = Daemon(
        config,
        until_end=until_end,
        listeners=Listeners(
            on_told=show.told,
            on_door=show.door,
            on_ready=lambda ready: show.say(
                "metrics", f"http://127.0.0.1:{ready.monitor.port}/metrics  (also /healthz and /readyz)"
            ),
        ),
    )
    return daemon.run()

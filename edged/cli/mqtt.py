"""``edged mqtt``: try the broker."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

if TYPE_CHECKING:
    from edged.fleet.trial import Trial

app = typer.Typer(help="Try the broker.", no_args_is_help=True)

_EVENT = {
    "heard": "taken, and somebody listens",
    "unheard": "taken, but nobody listens: edged keeps its events until somebody does",
    "unknown": "acknowledged, which says nothing on MQTT 3.1.1",
    "refused": "refused: edged keeps its events until the broker takes them",
    "unanswered": "not acknowledged",
}


@app.command()
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Connect as the daemon would, publish one test message on event/check, and say what the broker is worth.

    May be run beside the daemon: it uses a client id of its own. Exit status 1 where events would not
    be taken.
    """
    from edged.config.loading import load
    from edged.fleet.topics import Topics
    from edged.fleet.trial import try_broker

    settings = load(config)
    topics = Topics(settings.mqtt.topic_prefix, settings.site, settings.door_id)
    trial = try_broker(settings.mqtt, topics, f"edged-{settings.site}-{settings.door_id}")
    if as_json:
        typer.echo(json.dumps(asdict(trial) | {"ok": trial.ok}, indent=2))
    else:
        _show(trial)
    if not trial.ok:
        raise typer.Exit(1)


def _show(trial: "Trial") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    rows = [("broker", trial.address), ("connection", trial.trouble or "accepted")]
    if trial.trouble is None:
        rows += [
            ("protocol", f"MQTT {trial.version}"),
            ("largest packet", f"{trial.max_packet_bytes:,} bytes"),
            ("in flight at most", f"{trial.receive_maximum:,}"),
            ("test event", f"{_EVENT[trial.event or 'unanswered']} ({trial.event_detail})"),
        ]
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    for sentence in trial.weaker:
        table.add_row(Text("weaker"), Text(sentence))
    Console().print(table)

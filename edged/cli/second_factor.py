"""``edged second-factor``: what a keypad does, at a desk or over MQTT."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonLinesOption, JsonOption
from edged.cli.secret_input import secret_text

if TYPE_CHECKING:
    from edged.config.sections import Config
    from edged.fleet.factor_messages import FromDoor

app = typer.Typer(help="Watch and answer requests for a second factor.", no_args_is_help=True)

# The door answers a watcher at once; a hash takes some 50 ms, on a busy small board ten times that.
_REPLY_SECONDS = 10.0
# Over MQTT whoever is asked is said once a second, and a broker takes its time.
_MQTT_HEARD_SECONDS = 3.0

MqttOption = Annotated[
    bool, typer.Option("--mqtt", help="Over the broker instead of the local socket; needs the door's key.")
]


class Keypad(Protocol):
    """A way to the door: ``devices.factor_keypad`` or ``fleet.factor_client``."""

    def send(self, line: bytes) -> None:
        """Send one line."""

    def line(self, timeout: float | None) -> bytes | None:
        """Return the next line, None where none came in time."""


@app.command()
def key(
    path: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where; second_factor.mqtt_key_file without it.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make the key for answers over MQTT: 32 random bytes that only their owner may read.

    The door and its keypads need the same file: carry it over, never through the broker. Whoever has it can
    read the PINs that are typed, and answer. An existing file is left alone.
    """
    from edged.config.loading import load
    from edged.errors import StoreError
    from edged.storage.key_file import create_key

    path = load(config).second_factor.mqtt_key_file if path is None else path
    if path is None:
        raise typer.BadParameter("name a file, or set second_factor.mqtt_key_file", param_hint="FILE")
    if not create_key(path):
        raise StoreError(f"{path}: exists already; to replace it, remove it at the door and its keypads")
    typer.echo(json.dumps({"key_file": str(path)}) if as_json else f"made {path}")


@app.command()
def watch(
    seconds: Annotated[float | None, typer.Option(help="How long; until Ctrl-C without it.")] = None,
    mqtt: MqttOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonLinesOption = False,
) -> None:
    """Print every request, and how it ends."""
    import time

    from edged.config.loading import load
    from edged.fleet.factor_messages import Asked, heard_from_door

    until = None if seconds is None else time.monotonic() + seconds
    known: set[str] = set()
    with _keypad(load(config), mqtt=mqtt) as keypad:
        while (line := keypad.line(None if until is None else until - time.monotonic())) is not None:
            message = heard_from_door(line)
            if isinstance(message, Asked) and message.request_id in known:
                continue  # over MQTT it is said again and again
            known.add(message.request_id)
            typer.echo(line.decode() if as_json else _told(message))


@app.command()
def answer(
    request: Annotated[
        str | None, typer.Argument(metavar="REQUEST", help="The request's id; the only one without it.")
    ] = None,
    *,
    kind: Annotated[Literal["pin", "badge"], typer.Option(help="What you answer with.")] = "pin",
    secret_file: Annotated[
        Path | None, typer.Option(help="Read it from this file's first line instead of asking.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for a request.")] = 0.0,
    mqtt: MqttOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Answer a request. The exit status is 0 if the answer was right, 1 otherwise."""
    from edged.config.loading import load
    from edged.domain.second_factor import FactorKind
    from edged.errors import NotFoundError
    from edged.fleet.factor_messages import AnswerGiven, line_of

    secret = secret_text(secret_file, kind, "--secret-file", twice=False)
    with _keypad(load(config), mqtt=mqtt) as keypad:
        request_id = request or _only_request(keypad, max(wait, _MQTT_HEARD_SECONDS if mqtt else 0.5))
        keypad.send(line_of(AnswerGiven(request_id=request_id, kind=FactorKind(kind), secret=secret)))
        result = _result(keypad, request_id)
    if result == "unknown":
        raise NotFoundError(f"nothing is awaited under the id {request_id[:80]!r}")
    typer.echo(json.dumps({"request_id": request_id, "result": result}) if as_json else result)
    if result != "confirmed":
        raise typer.Exit(1)


@contextmanager
def _keypad(config: "Config", *, mqtt: bool) -> "Iterator[Keypad]":
    """Yield a way to the door that hears of requests. Raises ``EdgedError`` where there is none."""
    from edged.devices.factor_keypad import FactorKeypad
    from edged.errors import ConfigError
    from edged.fleet.factor_client import MqttKeypad
    from edged.fleet.factor_messages import Watch, line_of
    from edged.fleet.topics import Topics
    from edged.storage.key_file import is_credential, read_key

    if not mqtt:
        with FactorKeypad(config.second_factor.socket_path) as local:
            local.send(line_of(Watch()))
            yield local
        return
    path = config.second_factor.mqtt_key_file
    if path is None:
        raise ConfigError(["second_factor.mqtt_key_file: missing, and --mqtt needs it"])
    key = read_key(path, "copy the door's", supervised=is_credential(path))
    topics = Topics(config.mqtt.topic_prefix, config.site, config.door_id)
    with MqttKeypad(config.mqtt, topics, key) as remote:
        yield remote


def _only_request(keypad: Keypad, wait: float) -> str:
    """Return the id of the request that is awaited. Raises ``NotFoundError``, ``FleetError``."""
    from edged.errors import FleetError, NotFoundError
    from edged.fleet.factor_messages import Asked, Ended, heard_from_door

    found: list[str] = []
    # What is awaited already comes in one go: a moment without a line is the end of it.
    while (line := keypad.line(0.3 if found else wait)) is not None:
        message = heard_from_door(line)
        if isinstance(message, Asked) and message.request_id not in found:
            found.append(message.request_id)
        if isinstance(message, Ended) and message.request_id in found:
            found.remove(message.request_id)
    if not found:
        raise NotFoundError(f"nobody was asked for a second factor within {wait:g} s; --wait waits longer")
    if len(found) > 1:
        raise FleetError(f"{len(found)} people are asked: name one of {', '.join(found)}")
    return found[0]


def _result(keypad: Keypad, request_id: str) -> str:
    """Return what the door says of the answer. Raises ``FleetError``."""
    from edged.errors import FleetError
    from edged.fleet.factor_messages import Result, heard_from_door

    while (line := keypad.line(_REPLY_SECONDS)) is not None:
        message = heard_from_door(line)
        if isinstance(message, Result) and message.request_id == request_id:
            return message.result.value
    raise FleetError("the door does not answer")


def _told(message: "FromDoor") -> str:
    from edged.fleet.factor_messages import Asked, Ended

    if isinstance(message, Asked):
        kinds = " or ".join(message.kinds)
        return (
            f"{message.request_id}  asked for {kinds} ({message.cause.value}), {message.seconds:.0f} s left"
        )
    word = message.outcome if isinstance(message, Ended) else message.result
    return f"{message.request_id}  {word.value.replace('_', ' ')}"

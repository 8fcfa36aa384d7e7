"""``edged second-factor``: what a keypad does, at a desk."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonLinesOption, JsonOption
from edged.cli.secret_input import secret_text

if TYPE_CHECKING:
    from edged.devices.factor_keypad import FactorKeypad
    from edged.fleet.factor_messages import FromDoor

app = typer.Typer(help="Watch and answer requests for a second factor.", no_args_is_help=True)

# The door answers a watcher at once; a hash takes some 50 ms, on a busy small board ten times that.
_REPLY_SECONDS = 10.0


@app.command()
def watch(
    seconds: Annotated[float | None, typer.Option(help="How long; until Ctrl-C without it.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonLinesOption = False,
) -> None:
    """Print every request, and how it ends."""
    import time

    from edged.config.loading import load
    from edged.devices.factor_keypad import FactorKeypad
    from edged.fleet.factor_messages import Watch, heard_from_door, line_of

    until = None if seconds is None else time.monotonic() + seconds
    with FactorKeypad(load(config).second_factor.socket_path) as keypad:
        keypad.send(line_of(Watch()))
        while (line := keypad.line(None if until is None else until - time.monotonic())) is not None:
            message = heard_from_door(line)
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
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Answer a request. The exit status is 0 if the answer was right, 1 otherwise."""
    from edged.config.loading import load
    from edged.devices.factor_keypad import FactorKeypad
    from edged.domain.second_factor import FactorKind
    from edged.errors import NotFoundError
    from edged.fleet.factor_messages import AnswerGiven, line_of

    secret = secret_text(secret_file, kind, "--secret-file", twice=False)
    with FactorKeypad(load(config).second_factor.socket_path) as keypad:
        request_id = request or _only_request(keypad, wait)
        keypad.send(line_of(AnswerGiven(request_id=request_id, kind=FactorKind(kind), secret=secret)))
        result = _result(keypad, request_id)
    if result == "unknown":
        raise NotFoundError(f"nothing is awaited under the id {request_id[:80]!r}")
    typer.echo(json.dumps({"request_id": request_id, "result": result}) if as_json else result)
    if result != "confirmed":
        raise typer.Exit(1)


def _only_request(keypad: "FactorKeypad", wait: float) -> str:
    """Return the id of the request that is awaited. Raises ``NotFoundError``, ``FleetError``."""
    from edged.errors import FleetError, NotFoundError
    from edged.fleet.factor_messages import Asked, Watch, heard_from_door, line_of

    keypad.send(line_of(Watch()))
    found: list[str] = []
    # What is awaited already comes in one go: a moment without a line is the end of it.
    while (line := keypad.line(0.3 if found else max(wait, 0.5))) is not None:
        message = heard_from_door(line)
        if isinstance(message, Asked):
            found.append(message.request_id)
    if not found:
        raise NotFoundError("nobody is asked for a second factor now; --wait waits for somebody")
    if len(found) > 1:
        raise FleetError(f"{len(found)} people are asked: name one of {', '.join(found)}")
    return found[0]


def _result(keypad: "FactorKeypad", request_id: str) -> str:
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

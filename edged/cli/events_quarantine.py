"""``edged events quarantine``: events that could not be delivered as they are."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonObjectOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.config.sections import JournalConfig

app = typer.Typer(no_args_is_help=True, help="List and retry events that could not be delivered as they are.")

# The daemon looks for requests every other second.
_DAEMON_SECONDS = 10.0
_POLL_SECONDS = 0.1


@app.command("list")
def list_(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the events in quarantine and why they are there. May be run beside the daemon."""
    from edged.config.loading import load
    from edged.enrolment.moments import zone_of
    from edged.storage import quarantine
    from edged.storage.journal_export import local_time

    settings = load(config)
    found = quarantine.rows(settings.journal.path)
    if as_json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    if not found:
        print("No event is in quarantine.")
        return
    zone = zone_of(settings.access.time_zone)
    for one in found:
        time_text = local_time(one.occurred_at, zone)
        print(f"{one.seq:>8} {time_text} {one.kind:<10} id={one.event_id} {one.reason}")


@app.command()
def retry(
    numbers: Annotated[
        list[int] | None, typer.Argument(min=1, help="Numbers of events as listed; all if none is given.")
    ] = None,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonObjectOption = False,
) -> None:
    """Put events back in their place in the outbox, to be sent again.

    A running daemon is asked to do it. Exit status 1 where it does not answer, or where a number is not
    in quarantine.
    """
    from edged.config.loading import load
    from edged.errors import NotFoundError
    from edged.storage import quarantine

    settings = load(config)
    there = [one.seq for one in quarantine.rows(settings.journal.path)]
    wanted = there if not numbers else sorted(set(numbers))
    unknown = sorted(set(wanted) - set(there))
    if unknown:
        raise NotFoundError(f"not in quarantine: {', '.join(map(str, unknown))}")
    done = not wanted or _put_back(settings.journal, wanted)
    if as_json:
        print(json.dumps({"events": wanted, "put_back": done}))
    elif done:
        print(f"{counted(len(wanted), 'event')} put back in the outbox.")
    else:
        print(
            f"The daemon has not taken the request up within {_DAEMON_SECONDS:g} s; it stays for it to find."
        )
    if not done:
        raise typer.Exit(1)


def _put_back(config: "JournalConfig", wanted: list[int]) -> bool:
    """Do it, or have the daemon do it; False where that has not answered in time."""
    from edged.errors import StoreBusyError
    from edged.storage import quarantine
    from edged.storage.journal import Journal

    try:
        journal = Journal.open(config, wait_seconds=0.0)
    except StoreBusyError:
        quarantine.ask(config.path, wanted)
        return _taken_up(quarantine.request_path(config.path))
    try:
        journal.put_back(wanted)
    finally:
        journal.close()
    return True


def _taken_up(request: Path) -> bool:
    deadline = time.monotonic() + _DAEMON_SECONDS
    while request.exists():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True

"""``edged people set-pin``, ``set-badge`` and their removal: what a person answers a second factor with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, Who
from edged.cli.people_view import print_done
from edged.cli.secret_input import secret_text

if TYPE_CHECKING:
    from edged.domain.second_factor import FactorKind


def set_pin(
    who: Who,
    pin_file: Annotated[
        Path | None, typer.Option(help="Read it from this file's first line instead of asking.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Give a person a PIN of 4 to 12 digits, in place of the one before. It is asked for unseen."""
    from edged.domain.second_factor import FactorKind

    _give(
        who, FactorKind.PIN, secret_text(pin_file, "PIN", "--pin-file", twice=True), config, as_json=as_json
    )


def set_badge(
    who: Who,
    badge_file: Annotated[
        Path | None, typer.Option(help="Read it from this file's first line instead of asking.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Give a person a badge, by what the reader says of it, in place of the one before."""
    from edged.domain.second_factor import FactorKind

    text = secret_text(badge_file, "badge", "--badge-file", twice=False)
    _give(who, FactorKind.BADGE, text, config, as_json=as_json)


def remove_pin(who: Who, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Take a person's PIN away. Where a second factor is asked and they have none, they are denied."""
    from edged.domain.second_factor import FactorKind

    _take(who, FactorKind.PIN, config, as_json=as_json)


def remove_badge(who: Who, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Take a person's badge away, a lost one say."""
    from edged.domain.second_factor import FactorKind

    _take(who, FactorKind.BADGE, config, as_json=as_json)


def _give(who: str, kind: "FactorKind", text: str, config: Path, *, as_json: bool) -> None:
    from edged.config.loading import load
    from edged.enrolment.second_factors import open_second_factors

    with open_second_factors(load(config).gallery) as factors:
        person = factors.give(who, kind, text)
    print_done(f"{kind.value} set", person, as_json=as_json)


def _take(who: str, kind: "FactorKind", config: Path, *, as_json: bool) -> None:
    from edged.config.loading import load
    from edged.enrolment.second_factors import open_second_factors

    with open_second_factors(load(config).gallery) as factors:
        person = factors.take(who, kind)
    print_done(f"{kind.value} removed", person, as_json=as_json)

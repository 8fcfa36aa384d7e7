"""``edged people photos``, ``remove-photo`` and ``not-me``: which faces are a person's, and which are not."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, Who
from edged.cli.people_view import confirm, iso, print_done

if TYPE_CHECKING:
    from edged.enrolment.directory import Photo


def photos(who: Who, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List what is enrolled of a person: no pictures are kept, only what the model made of them."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    with open_directory(load(config).gallery, writable=False) as directory:
        facts = [_photo_json(photo) for photo in directory.photos(who)]
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    table = Table("id", "enrolled", "model", "quality", "cosine to the others", box=None)
    for fact in facts:
        closeness = "" if fact["cosine"] is None else f"{fact['cosine']:.3f}"
        enrolled = (fact["created_at"] or "")[:10]
        table.add_row(
            *map(Text, (fact["template_id"], enrolled, fact["space"], f"{fact['quality']:.2f}", closeness))
        )
    Console().print(table)


def remove_photo(
    template: Annotated[
        str, typer.Argument(metavar="ID", help="As `edged people photos` and `edged gallery audit` say.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Remove one photograph of a person; never the only one."""
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    with open_directory(load(config).gallery, writable=True) as directory:
        confirm(f"Remove the photograph {template} for good?", yes=yes)
        record, _ = directory.remove_photo(template)
    print_done(
        "photograph removed", record.person, as_json=as_json, photographs=sum(record.templates.values())
    )


def not_me(
    event_id: Annotated[str, typer.Argument(help="The id of an access event, or the beginning of one.")],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Take the veto of this event back.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Although the face is like the person's own photographs.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say that in this visit somebody else was taken for the person; a face like it is refused as them.

    One picture of a visit is kept, for gallery.probe_hours. A later visit in which any picture is about as
    near to that one as to the person is refused as a whole; where all pictures stay away from it, it is not.
    `edged events tail` and `edged people show` name events.
    """
    from edged.config.loading import load
    from edged.enrolment.vetoes import open_vetoes
    from edged.storage.journal_reader import JournalReader

    settings = load(config)
    with open_vetoes(settings.gallery) as vetoes:
        if undo:
            done = vetoes.undo(event_id)
        else:
            with JournalReader.open(settings.journal.path) as reader:
                stored = reader.find(event_id)
            done = vetoes.add(stored, force=force)
    print_done("veto removed" if undo else "vetoed", done.person, as_json=as_json, cosine=done.cosine)


def _photo_json(photo: "Photo") -> dict[str, Any]:
    template = photo.template
    return {
        "template_id": template.template_id,
        "created_at": iso(template.created_at),
        "space": template.space,
        "quality": round(template.quality, 3),
        "cosine": None if photo.cosine is None else round(photo.cosine, 4),
    }

"""``edged enrol``: photographs, folders, tables or the camera to enrolled people."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption
from edged.cli.people_view import tell_of_fleet

if TYPE_CHECKING:
    from datetime import tzinfo

    from edged.config.sections import CameraConfig, Config
    from edged.enrolment.entries import Entry
    from edged.enrolment.fetching import Fetcher
    from edged.enrolment.opening import Tools
    from edged.enrolment.ports import PhotoSource
    from edged.enrolment.reports import PersonReport
    from edged.enrolment.service import Enrolment
    from edged.enrolment.terms import Terms

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME] [PHOTO]...", help="The person's name, then files or addresses; with --add-to no name."
    ),
]
Folder = Annotated[Path | None, typer.Option(help="A folder with one folder a person, named after them.")]
Table = Annotated[Path | None, typer.Option(help="A CSV or XLSX table, one person a row.")]
NameColumn = Annotated[str, typer.Option(help="The table's heading of names.")]
PhotoColumn = Annotated[
    str, typer.Option(help="The table's heading of photographs: paths or addresses, separated by commas.")
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        help="The table's heading of groups, separated by commas. Not read unless named: who fills in a form "
        "would choose their own."
    ),
]
ValidUntilColumn = Annotated[
    str | None, typer.Option(help="The table's heading of last days. Not read unless named.")
]
CameraFlag = Annotated[
    bool, typer.Option("--camera", help="Take the photographs with the configured camera.")
]
AddTo = Annotated[
    str | None,
    typer.Option(
        help="Add photographs to this person, by id or name; groups, validity and consent are changed by "
        "`edged people set`."
    ),
]
Groups = Annotated[list[str] | None, typer.Option("--group", help="A group of the person; repeatable.")]
ValidFrom = Annotated[str | None, typer.Option(help="First day or time, such as 2026-01-31.")]
ValidUntil = Annotated[str | None, typer.Option(help="Last day, such as 2026-12-31, or the time of the end.")]
ConsentBasis = Annotated[
    str | None, typer.Option(help="Legal basis to record, such as 'consent'; with --consent-policy.")
]
ConsentPolicy = Annotated[
    str | None, typer.Option(help="Version of the policy that was agreed to; with --consent-basis.")
]
ConsentUntil = Annotated[str | None, typer.Option(help="Last day of the consent; with both of these.")]
AllowSimilar = Annotated[
    bool, typer.Option("--allow-similar", help="Enrol in spite of a face like another's.")
]
AllowSameName = Annotated[
    bool, typer.Option("--allow-same-name", help="Enrol another person of the same name.")
]
LargestFace = Annotated[
    bool, typer.Option("--largest-face", help="Take the largest of several faces, however close in size.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")]
Report = Annotated[Path | None, typer.Option(help="Write one line a photograph to this CSV file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a person.")]


def enrol(
    words: Words = None,
    *,
    folder: Folder = None,
    table: Table = None,
    name_column: NameColumn = "name",
    photo_column: PhotoColumn = "photo",
    group_column: GroupColumn = None,
    valid_until_column: ValidUntilColumn = None,
    camera: CameraFlag = False,
    add_to: AddTo = None,
    group: Groups = None,
    valid_from: ValidFrom = None,
    valid_until: ValidUntil = None,
    consent_basis: ConsentBasis = None,
    consent_policy: ConsentPolicy = None,
    consent_until: ConsentUntil = None,
    allow_similar: AllowSimilar = False,
    allow_same_name: AllowSameName = False,
    largest_face: LargestFace = False,
    dry_run: DryRun = False,
    report: Report = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Enrol people from photographs. No photograph is kept, only what recognition needs.

    A photograph that cannot be used is left out and named; who has none left, or is too much like somebody
    enrolled, is refused as a whole. Exit status 1 if anybody was refused.
    """
    from edged.config.loading import load
    from edged.enrolment.fetching import Fetcher
    from edged.enrolment.moments import zone_of
    from edged.enrolment.opening import open_enrolment
    from edged.enrolment.service import Policy
    from edged.enrolment.terms import make_terms

    columns = (name_column, photo_column, group_column, valid_until_column)
    way = _WayIn(words or [], folder, table, columns, add_to, camera)
    way.check()
    given = (group or None, valid_from, valid_until, consent_basis, consent_policy, consent_until)
    way.check_options(given)
    settings = load(config)
    tell_of_fleet(settings)
    zone = zone_of(settings.access.time_zone)
    terms = make_terms(
        groups=group or (), valid_from=valid_from, valid_until=valid_until, consent_basis=consent_basis,
        consent_policy=consent_policy, consent_until=consent_until, zone=zone, now=datetime.now(UTC),
    )  # fmt: skip
    policy = Policy(allow_similar, allow_same_name, dry_run, frozenset(settings.access.groups))
    models = settings.models, settings.quality, settings.gallery
    opening = open_enrolment(*models, policy, largest_face=largest_face)
    with Fetcher() as fetcher, opening as tools:
        entries = way.entries(terms, zone, tools, fetcher, settings.camera)
        refused = _run(tools.enrolment, entries, report, as_json=as_json, dry_run=dry_run)
        _tell_overfull(tools, settings)
    if refused:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _WayIn:
    """Where the photographs come from: words, a folder, a table with ``columns``, or the camera."""

    words: list[str]
    folder: Path | None
    table: Path | None
    columns: tuple[str, str, str | None, str | None]
    add_to: str | None
    camera: bool

    def check(self) -> None:
        """Exactly one way in. Raises ``typer.BadParameter``."""
        both = self.folder is not None and self.table is not None
        bulk = self.folder is not None or self.table is not None
        if bulk and (self.words or self.camera or self.add_to is not None or both):
            raise typer.BadParameter("--folder and --table stand alone: names and photographs are theirs")
        if bulk:
            return
        names = 0 if self.add_to is not None else 1
        if len(self.words) < names:
            raise typer.BadParameter("whom? Give NAME PHOTO..., NAME --camera, --folder, --table or --add-to")
        if self.camera and len(self.words) > names:
            raise typer.BadParameter("photographs are given, or taken with --camera; not both")
        if not self.camera and len(self.words) == names:
            raise typer.BadParameter("no photograph is given; --camera takes some")

    def check_options(self, terms: tuple[object, ...]) -> None:
        """No option is ignored. Raises ``typer.BadParameter``."""
        if self.add_to is not None and any(one is not None for one in terms):
            raise typer.BadParameter(
                "--add-to adds photographs only; `edged people set` changes groups, validity and consent"
            )
        if self.table is None and self.columns[2:] != (None, None):
            raise typer.BadParameter("--group-column and --valid-until-column are for a --table")

    def entries(
        self,
        terms: "Terms",
        zone: "tzinfo | None",
        tools: "Tools",
        fetcher: "Fetcher",
        camera: "CameraConfig",
    ) -> "list[Entry]":
        """Return who is to be enrolled. Raises ``EdgedError``."""
        from edged.enrolment.entries import folder_entries

        if self.table is not None:
            from edged.enrolment.tables import Columns, table_entries

            sheet = table_entries(self.table, Columns(*self.columns), terms, zone, fetcher)
            _tell_passed_over(sheet.passed_over)
            return sheet.entries
        if self.folder is not None:
            return folder_entries(self.folder, terms)
        return [self._one(terms, tools, fetcher, camera)]

    def _one(self, terms: "Terms", tools: "Tools", fetcher: "Fetcher", camera: "CameraConfig") -> "Entry":
        from edged.enrolment.entries import Entry
        from edged.enrolment.sources import photo_at

        existing = None if self.add_to is None else tools.directory.find(self.add_to)
        photos: tuple[PhotoSource, ...]
        if self.camera:
            photos = _film(camera, tools)
        else:
            given = self.words[0 if existing else 1 :]
            photos = tuple(photo_at(text, Path(), fetcher) for text in given)
        name = self.words[0] if existing is None else existing.name
        return Entry(name, photos, "", terms, add_to=None if existing is None else existing.person_id)


def _tell_overfull(tools: "Tools", settings: "Config") -> None:
    """Warn where nobody will be let in, since the calibration carries fewer people at the stated risk."""
    from edged.config.risk import stated_risk
    from edged.domain.capacity import overfull
    from edged.errors import StoreError

    risk = stated_risk(settings.security, settings.decision)
    try:
        full = overfull(tools.calibration.points(), tools.enrolment.recognisable(), risk)
    except StoreError as exc:  # the people are enrolled all the same
        full = str(exc)
    if full is not None:
        typer.echo(f"edged: {full}", err=True)


def _tell_passed_over(headings: list[str]) -> None:
    if headings:
        names = ", ".join(plain(heading) for heading in headings)
        typer.echo(
            f"edged: passed over in the table, since nobody asked for it: {names}; "
            "--group-column and --valid-until-column read such a column",
            err=True,
        )


def _film(camera: "CameraConfig", tools: "Tools") -> "tuple[PhotoSource, ...]":
    """Take photographs at the camera, with advice on standard error."""
    from edged.devices.camera_factory import open_camera
    from edged.enrolment.guided import Guidance, capture, frames_of

    def say(guidance: Guidance) -> None:
        typer.echo(f"[{guidance.taken}/{guidance.wanted}] {guidance.text}", err=True)

    return capture(tools.guide, frames_of(open_camera(camera)), say)


def _run(
    enrolment: "Enrolment", entries: "list[Entry]", report: Path | None, *, as_json: bool, dry_run: bool
) -> int:
    """Enrol, print each person as they are done, and return how many were refused."""
    from rich.console import Console
    from rich.progress import Progress

    from edged.enrolment.reports import Status, csv_report

    console = Console(stderr=True)
    tally = dict.fromkeys(Status, 0)
    photos = accepted = 0
    with csv_report(report) as write, Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("photographs", total=sum(len(entry.photos) for entry in entries))
        for person in enrolment.run(entries, lambda _source: progress.advance(task)):
            write(person)
            _show(person, as_json=as_json, alone=len(entries) == 1)
            tally[person.status] += 1
            photos += len(person.photos)
            accepted += person.accepted
    counts = ", ".join(f"{count} {status}" for status, count in tally.items() if count)
    rehearsal = " (dry run: nothing was changed)" if dry_run else ""
    typer.echo(f"{counts}; {accepted} of {photos} photographs accepted{rehearsal}", err=as_json)
    return tally[Status.REFUSED]


def _show(person: "PersonReport", *, as_json: bool, alone: bool) -> None:
    """Print a person; the accepted photographs of many people only where they are poor."""
    from edged.enrolment.checks import quality_text
    from edged.enrolment.photo_audit import LOW_QUALITY

    if as_json:
        typer.echo(json.dumps(person.as_json(), ensure_ascii=False))
        return
    head = [person.status.value, person.name or person.origin]
    head += [person.person_id] if person.person_id else []
    head += [f"{person.reason}: {person.text}"] if person.reason else []
    head += [f"{person.accepted} of {len(person.photos)} photographs"] if person.person_id else []
    head += [f"groups: {', '.join(person.groups)}"] if person.groups else []
    head += [f"valid until before {person.valid_until:%Y-%m-%d %H:%M}"] if person.valid_until else []
    typer.echo(plain("  ".join(head)))
    for note in person.notes:
        typer.echo(plain(f"    note: {note}"))
    for photo in person.photos:
        if photo.accepted and photo.quality is not None:
            if alone or photo.quality < LOW_QUALITY:
                typer.echo(plain(f"    accepted  {photo.label}: {quality_text(photo.quality, photo.flaw)}"))
        elif photo.reason != person.reason:
            typer.echo(plain(f"    {photo.reason}  {photo.label}: {photo.text}"))


def plain(text: str) -> str:
    """Return ``text`` without control characters: names and paths of a table were written by others."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)

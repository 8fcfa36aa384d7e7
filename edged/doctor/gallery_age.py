"""How old the list of who may enter is."""

from pathlib import Path

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.domain.count import counted

_DAY = 86_400
# Somebody leaves or comes within half a year wherever a door needs a list of people.
_OLD_DAYS = 180


def gallery_age(patient: Patient) -> Finding:
    """Look when the people last changed, and how long those in memory outlive a disk that cannot be read."""
    gallery = patient.config.gallery
    if patient.config.fleet.enabled:
        return Finding(State.NOT_APPLICABLE, "the fleet says who may enter: see the line fleet")
    changed = _changed_at(gallery.path)
    facts: dict[str, object] = {"changed_at": changed, "max_unread_seconds": gallery.max_unread_seconds}
    ok, told = patient.daemon.checks.get("gallery", (True, ""))
    if not ok:
        return Finding(State.FAILED, f"edged run cannot use it: {told}", facts)
    if changed is None:
        return Finding(State.NOT_APPLICABLE, "nobody was enrolled yet", facts)
    days = max(0.0, patient.now - changed) / _DAY
    facts["days"] = round(days, 1)
    seen = "changed today" if days < 1 else f"changed {counted(days, 'day')} ago"
    if gallery.max_unread_seconds is None:
        detail = (
            f"{seen}; gallery.max_unread_seconds is null: where the disk fails, a removal waits for a restart"
        )
        return Finding(State.WARNING, detail, facts)
    if days > _OLD_DAYS:
        return Finding(
            State.WARNING, f"{seen}: does everybody of `edged people list` still belong here?", facts
        )
    return Finding(State.OK, seen, facts)


def _changed_at(path: Path) -> float | None:
    """Return when the database or its log was last written, in Unix seconds. Raises ``OSError``."""
    times = []
    for name in (path, path.with_name(f"{path.name}-wal")):
        try:
            found = name.stat()
        except FileNotFoundError:
            continue
        if found.st_size:  # a reader makes an empty log
            times.append(found.st_mtime)
    return max(times, default=None)

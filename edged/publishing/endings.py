"""What ends although the desk renews every day: the root keys' word, and the galleries'."""

from datetime import datetime

from tuf.api.metadata import Root, Snapshot, Targets

from edged.domain.count import counted
from edged.publishing.release import FleetFolder
from edged.publishing.repository import DENIED

# The root keys lie in several safes: whoever has to bring two of them together wants weeks.
_ROOT_SOON_DAYS = 60
# As the doors' own alert has it (EdgedFleetSignaturesEnding).
_SOON_DAYS = 30
_PUBLISH = "`edged fleet publish` signs it anew"
_ROLES = (
    (Root.type, "the root keys' word", _ROOT_SOON_DAYS, "`edged fleet rotate-keys daily` has them sign anew"),
    (Targets.type, "the gallery's signature", _SOON_DAYS, _PUBLISH),
    (Snapshot.type, "the list of what is published", _SOON_DAYS, _PUBLISH),
    (DENIED, "the deny list's signature", _SOON_DAYS, f"{_PUBLISH} where the revoker's key is at hand"),
)


def endings(folder: FleetFolder, now: datetime) -> list[str]:
    """Return a line for everything that ends soon; ``now`` is aware. Raises ``StoreError``."""
    found = []
    for group in folder.register.read().groups:
        repository = folder.repository(group)
        for role, what, soon, advice in _ROLES:
            days = (repository.expires(role) - now).total_seconds() / 86_400
            if days < soon:
                when = (
                    f"ends in {counted(days, 'day')}" if days > 0 else "has ended: no door takes anything new"
                )
                found.append(f"group {group}: {what} {when}; {advice}")
    return found

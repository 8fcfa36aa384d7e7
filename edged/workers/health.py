"""What a probe is told: named checks, each fine or not, with a few words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``detail`` is for people and holds no name of a person."""

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """All checks of one probe; fine where every check is."""

    checks: Mapping[str, Check]

    @property
    def ok(self) -> bool:
        """Whether every check is fine. No check at all is not fine."""
        return bool(self.checks) and all(check.ok for check in self.checks.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "status": "ok" if self.ok else "failing",
            "checks": {name: {"ok": check.ok, "detail": check.detail} for name, check in self.checks.items()},
        }

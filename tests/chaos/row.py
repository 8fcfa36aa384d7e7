"""One line of the table: a fault, how often it was made, and what it did."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """``lost``, ``duplicated`` count events; ``unsafe_ms`` is how long a lock stood open beyond its pulse
    and 50 ms, None where the fault has no lock beside it. ``breaches`` name what must not have happened.
    """

    fault: str
    injected: int
    expected: str
    observed: str
    lost: int = 0
    duplicated: int = 0
    unsafe_ms: int | None = None
    breaches: tuple[str, ...] = ()


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table()
    for heading in ("fault", "injected", "expected", "observed", "lost", "duplicated", "unsafe lock ms"):
        table.add_column(heading)
    for row in rows:
        unsafe = "not watched" if row.unsafe_ms is None else str(row.unsafe_ms)
        observed = "; ".join((row.observed, *row.breaches))
        numbers = (str(row.lost), str(row.duplicated), unsafe)
        table.add_row(row.fault, str(row.injected), row.expected, observed, *numbers)
    Console(width=150).print(table)

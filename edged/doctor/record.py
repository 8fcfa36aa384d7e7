"""The journal: do its pages hold together, and does every row still say what was written."""

from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.domain.count import counted
from edged.storage import connections
from edged.storage.files import is_there
from edged.storage.journal_check import EXPLANATIONS
from edged.storage.journal_reader import JournalReader
from edged.storage.journal_schema import SCHEMA


def record(patient: Patient) -> Finding:
    """Let SQLite check its pages, then walk the chain; both only read."""
    path = patient.config.journal.path
    if not is_there(path):
        return Finding(State.NOT_APPLICABLE, "no journal yet: edged run makes it")
    connections.check(path, SCHEMA)
    with JournalReader.open(path) as reader:
        found = reader.verify()
    facts: dict[str, object] = {"rows": found.rows, "last_seq": found.last_seq, "faults": found.fault_count}
    if not found.ok:
        first = found.faults[0]
        detail = f"event {first.seq}: {EXPLANATIONS[first.kind]}; `edged events verify` lists all"
        return Finding(State.FAILED, detail, facts)
    return Finding(State.OK, f"{counted(found.rows, 'event')}, whole and unaltered", facts)

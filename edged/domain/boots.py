"""Names of starts that tell of which boot of the machine they are, whose monotonic clock they share."""

# 48 bits: no machine has as many boots as would make two of them alike.
_DIGITS = 12


def boot_name(machine_boot: str, own: str) -> str:
    """Return the name of a start; ``machine_boot`` is the kernel's name of the boot, "" where it has none."""
    prefix = _prefix(machine_boot)
    return f"{prefix}-{own}" if prefix else own


def is_of_boot(name: str, machine_boot: str) -> bool:
    """Whether a start named by ``boot_name`` was in this boot of the machine; False where it is not said."""
    prefix = _prefix(machine_boot)
    return bool(prefix) and name.startswith(f"{prefix}-")


def _prefix(machine_boot: str) -> str:
    found = machine_boot.replace("-", "").lower()[:_DIGITS]
    return found if len(found) == _DIGITS and found.isalnum() and found.isascii() else ""

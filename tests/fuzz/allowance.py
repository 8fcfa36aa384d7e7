"""How much memory a reader may take for one input."""

import resource
from pathlib import Path

# Above what the process has once the target ran. The largest picture that may be decoded takes 370 MB.
ALLOWANCE_BYTES = 512 << 20


def bound_memory() -> None:
    """Make whatever this process asks for beyond the allowance, from now on, a ``MemoryError``."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    allowed = pages * resource.getpagesize() + ALLOWANCE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))

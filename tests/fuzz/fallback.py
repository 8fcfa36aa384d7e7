"""``python -m tests.fuzz.fallback TARGET PREFIX SECONDS``: one target where there is no atheris.

Sound inputs are changed at random, see ``mutations``; nothing tells which change led anywhere new.
"""

import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.allowance import bound_memory
from tests.fuzz.mutations import hostile
from tests.fuzz.target import Target, endure
from tests.fuzz.targets import TARGETS

_BATCH = 500


def main() -> None:
    name, prefix, seconds = sys.argv[1:]
    target, folder = TARGETS[name], Path(tempfile.mkdtemp())
    seeds = list(target.seeds(folder))
    for one in seeds:
        endure(target, one, folder)
    bound_memory()
    tried = _Tried(target, folder)
    end, batch = time.monotonic() + float(seconds), 0
    try:
        while time.monotonic() < end:
            batch += 1
            _run(tried, seeds, batch)
    except Exception:
        Path(f"{prefix}crash").write_bytes(tried.last)
        raise
    finally:
        # As libFuzzer says it.
        sys.stderr.write(f"stat::number_of_executed_units: {tried.count}\n")


class _Tried:
    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        self.folder = folder
        self.last = b""
        self.count = 0

    def __call__(self, data: bytes) -> None:
        self.last = data
        self.count += 1
        endure(self.target, data, self.folder)


def _run(tried: _Tried, seeds: list[bytes], batch: int) -> None:
    checks = list(HealthCheck)
    inputs = hostile(seeds, tried.target.max_bytes)
    quiet = settings(max_examples=_BATCH, deadline=None, database=None, suppress_health_check=checks)

    def one(data: bytes) -> None:
        tried(data)

    seed(batch)(quiet(given(inputs)(one)))()


if __name__ == "__main__":
    main()

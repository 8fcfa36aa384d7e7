"""``python -m tests.fuzz.child TARGET HOME CORPUS PREFIX MODULES [OPTIONS]``: one target under atheris.

HOME is the module that has it: marking the branches of what the others need takes longer than most runs.
MODULES, with commas, are those whose branches guide it, OPTIONS are libFuzzer's. It ends at the first
breach, which libFuzzer writes to a file that begins with PREFIX. Memory beyond the allowance is an exception,
and so a breach; time is libFuzzer's to watch.
"""

import hashlib
import importlib
import sys
import tempfile
from pathlib import Path

import atheris

from tests.fuzz.allowance import bound_memory


def main() -> None:
    name, home, corpus, prefix, modules, *options = sys.argv[1:]
    with atheris.instrument_imports(include=modules.split(",")):
        from tests.fuzz.target import endure

        targets = importlib.import_module(home).TARGETS
    target, folder = next(one for one in targets if one.name == name), Path(tempfile.mkdtemp())
    for seed in target.seeds(folder):
        (Path(corpus) / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
        endure(target, seed, folder)
    bound_memory()
    arguments = [sys.argv[0], corpus, f"-artifact_prefix={prefix}", f"-max_len={target.max_bytes}", *options]
    atheris.Setup(arguments, lambda data: endure(target, data, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()

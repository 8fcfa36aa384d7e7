"""Memory of networks that run on the CPU: one arena for all of them, and nothing that no run will ask for.

YuNet and an ArcFace of 4 MB together held 42 MB beyond the library: 5 of them because each
session has an arena of its own that grows by doubling, 4 because activations lie in one block that is kept
beside what the first run took, 4 are the file itself. Numbers and run times stay the same.
"""

from functools import cache
from typing import Any

import onnxruntime

_CPU = "CPUExecutionProvider"


def on_cpu_alone(providers: list[str]) -> bool:
    """Tell whether nothing but this machine's own memory is worked in."""
    return providers == [_CPU]


def share_arena(options: Any) -> None:
    """Let a session, by its ``options``, take memory from the arena that all sessions have together."""
    _register_arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.enable_mem_pattern = False


def forget_file(session: Any) -> None:
    """Drop the file's bytes, which onnxruntime keeps to start ``session`` anew with other providers."""
    session.disable_fallback()
    if hasattr(session, "_model_bytes"):
        session._model_bytes = None  # noqa: SLF001 - there is no other way to let go of it


@cache
def _register_arena() -> None:
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, None)

"""Freed memory goes back to the system."""

import ctypes
from types import SimpleNamespace

import pytest

from edged.devices.memory import release_freed_memory


def test_glibc_is_asked_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace(malloc_trim=asked.append))
    release_freed_memory()
    assert asked == [0]


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    release_freed_memory()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace())
    release_freed_memory()

"""Faults on purpose, in real processes, and one table of what came of them: ``python -m tests.chaos``."""

"""edged: face recognition at an office door."""

__version__ = "0.1.0"

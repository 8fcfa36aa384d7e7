"""Configuration: a checked, frozen picture of ``config.yaml``."""

from edged.config.effective import adopted, changes, digest, effective
from edged.config.loading import load, load_lock, parse
from edged.config.schema import json_schema
from edged.config.sections import Config

__all__ = ["Config", "adopted", "changes", "digest", "effective", "json_schema", "load", "load_lock", "parse"]

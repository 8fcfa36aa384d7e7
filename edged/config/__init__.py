"""Configuration: a checked, frozen picture of ``config.yaml``."""

from edged.config.loading import load, parse
from edged.config.schema import json_schema
from edged.config.sections import Config

__all__ = ["Config", "json_schema", "load", "parse"]

"""The JSON Schema of the configuration, for editors and for people."""

from typing import Any

import msgspec

from edged.config.sections import Config


def json_schema() -> dict[str, Any]:
    """Return JSON Schema 2020-12 for ``config.yaml``."""
    schema: dict[str, Any] = msgspec.json.schema(Config)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "edged config", **schema}

"""Values of the command line without pydantic, where nothing is to be checked that it knows better.

typer converts every value with pydantic, a path as well as a default that nobody has given. That takes a
tenth of a second of each command, and seven megabytes that stay in the memory of a daemon.
"""

from pathlib import Path
from typing import Any

from typer import core

try:  # of typer 0.29; where it is built in another way, it converts everything itself
    from typer._coercion import RuntimeParam, build_runtime_param
    from typer._param_types import coerce_cli_path
except ImportError:
    _KNOWN = False
else:
    _KNOWN = True

    class _LightParam(RuntimeParam):
        """Converts paths, texts and what is there already; asks typer for the rest, with pydantic."""

        def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:
            if self.annotation in (str, Path) and isinstance(value, str) and _is_text(value):
                if self.annotation is str:
                    return value
                value = Path(value)
            if self.annotation is Path and isinstance(value, Path):
                # typer's own checks: whether it exists, is a file, may be read.
                return coerce_cli_path(value, self.parameter_info, path_type=Path, param=param, ctx=ctx)
            if type(value) is self.annotation and value == param.default:
                return value
            return build_runtime_param(param.type_descriptor).coerce(value, param=param, ctx=ctx)


def lighten() -> None:
    """Let all parameters convert their values in this way."""
    if _KNOWN:
        core.build_runtime_param = _light  # type: ignore[attr-defined]


def _light(descriptor: Any) -> Any:
    if descriptor.parameter_info.parser is not None or descriptor.file_annotation is not None:
        return build_runtime_param(descriptor)
    return _LightParam(descriptor.parameter_info, descriptor.annotation)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a byte of the command line that is none
        return False
    return True

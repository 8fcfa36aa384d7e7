"""How a problem is put: what was expected, what was got, what may have been meant."""

import difflib
import math
import re
import types
import typing
from collections.abc import Iterable
from typing import Any, get_args, get_origin

import msgspec

_PLAIN = {"`array`": "list", "`object`": "mapping", "`str`": "text"}
_CREDENTIALS_IN_URL = re.compile(r"//[^/@]*@")


def said(raw: object) -> str:
    """Return what was got, short, without the password of a URL."""
    if raw is None:
        return "nothing"
    text = _CREDENTIALS_IN_URL.sub("//***@", repr(raw))
    return text if len(text) <= 60 else f"{text[:57]}..."


def did_you_mean(word: str, known: Iterable[str], *, always: bool = True) -> str:
    """Return ``; did you mean ...?``; where nothing is close, what is known, or nothing."""
    words = sorted(known)
    close = difflib.get_close_matches(word[:60], words, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(words)}" if always else ""


def why(hint: Any, raw: object) -> str:
    """Return what keeps ``raw`` from being a ``hint``, as the tail of a path; empty if nothing does."""
    if isinstance(raw, float) and not math.isfinite(raw):
        return f": expected a finite number, got {raw}"
    try:
        msgspec.convert(raw, hint, strict=True)
    except msgspec.ValidationError as exc:
        value, words = _value_or_words(hint)
        if words and (told := why(value, raw)):
            return told.replace(", got ", f" or {words}, got ", 1)
        return _explain(str(exc), hint, raw)
    if isinstance(raw, str) and not raw.isprintable():
        return f": expected printable text, got {said(raw)}"
    return ""


def _explain(text: str, hint: Any, raw: Any) -> str:
    text, _, where = text.partition(" - at `$")
    if index := re.fullmatch(r"\[(\d+)\]`", where):
        raw, where = raw[int(index[1])], f"[{index[1]}]"
    else:
        where = ""
    choices = _choices(hint)
    if choices and (
        text.startswith("Invalid enum value") or not isinstance(raw, (list, dict, type(choices[0])))
    ):
        shown = ", ".join(_as_written(choice) for choice in choices)
        meant = did_you_mean(str(raw), [str(choice) for choice in choices], always=False)
        return f"{where}: expected one of {shown}, got {said(raw)}{meant}"
    expected = text.partition(", got `")[0].replace("Expected", "expected", 1)
    for theirs, ours in _PLAIN.items():
        expected = expected.replace(theirs, ours)
    hint_text = "; write true or false" if expected == "expected `bool`" else ""
    return f"{where}: {expected.replace('`', '')}, got {said(raw)}{hint_text}"


def _value_or_words(hint: Any) -> tuple[Any, str]:
    """Split what is a value or one of some words, such as ``int | Literal["auto"]``; "" where it is not."""
    words = [
        choice for part in get_args(hint) if get_origin(part) is typing.Literal for choice in get_args(part)
    ]
    values = [
        part for part in get_args(hint) if get_origin(part) is not typing.Literal and part is not type(None)
    ]
    union = get_origin(hint) in (typing.Union, types.UnionType)
    return (values[0], ", ".join(map(_as_written, words))) if union and words and values else (None, "")


def _as_written(choice: object) -> str:
    """Return a choice as it has to stand in YAML: text that looks like a number needs quotes."""
    return f'"{choice}"' if isinstance(choice, str) and choice[:1].isdigit() else str(choice)


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the values of the first ``Literal`` within ``hint``."""
    if get_origin(hint) is typing.Literal:
        return get_args(hint)
    return next((found for arg in get_args(hint) if (found := _choices(arg))), ())

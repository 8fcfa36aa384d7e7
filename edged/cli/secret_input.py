"""How a PIN or badge comes in: typed unseen or out of a file, never as an argument that others can list."""

import sys
from pathlib import Path

import typer

# Longer than any PIN or badge; a file that is more was named by mistake.
_MAX_BYTES = 256


def secret_text(file: Path | None, question: str, option: str, *, twice: bool) -> str:
    """Return what the first line of ``file`` says, or what is typed at ``question``.

    Raises ``typer.BadParameter`` where there is no terminal to ask on, or the file cannot be used.
    """
    if file is None:
        if not sys.stdin.isatty():
            raise typer.BadParameter(f"there is no terminal to ask on: give {option}", param_hint=option)
        typed: str = typer.prompt(question, hide_input=True, confirmation_prompt=twice, err=True)
        return typed.strip()
    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not text"
        raise typer.BadParameter(f"{file}: cannot be read: {reason}", param_hint=option) from exc
    lines = text.splitlines()
    if len(text) > _MAX_BYTES or not lines or not lines[0].strip():
        raise typer.BadParameter(f"{file}: expected one short line", param_hint=option)
    return lines[0].strip()

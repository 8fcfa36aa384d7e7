"""How many there are of something, in words for people."""


def counted(number: float, one: str, many: str | None = None) -> str:
    """Return ``number``, rounded, with its noun; ``many`` is ``one`` and an s unless it is given."""
    whole = round(number)
    return f"{whole:,} {one if whole == 1 else many or f'{one}s'}"

"""The people that come with the demo. None of them exists."""

from importlib.resources import files
from pathlib import Path

# Below this package: people/NAME_SURNAME/1.jpg … of those to enrol, strangers/LETTER/1.jpg … of the others.
_FOLDER = "cast"


def bundled_cast() -> tuple[dict[str, list[Path]], list[list[Path]]]:
    """Return the photographs of the people to enrol by display name, and those of each stranger.

    Both in the order of their names. edged is installed as plain files, so that the paths can be opened.
    """
    root = Path(str(files("edged.demo"))) / _FOLDER
    people = {
        folder.name.replace("_", " "): sorted(folder.glob("*.jpg"))
        for folder in sorted((root / "people").iterdir())
    }
    strangers = [sorted(folder.glob("*.jpg")) for folder in sorted((root / "strangers").iterdir())]
    return people, strangers

"""What is in stock: which packs are installed, which can be had, and whether the files are sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edged.errors import ModelError
from edged.vision.packs import DESCRIPTOR, Catalogue, Pack, Precision, verify_pack

State = Literal["installed", "pull", "import"]


@dataclass(frozen=True, slots=True)
class Stock:
    """One pack of the catalogue.

    ``present`` are the precisions whose files are there; ``sizes`` the bytes of each precision;
    ``state`` is how to come by it where nothing is there: from an address, or from files.
    """

    pack: Pack
    state: State
    present: tuple[Precision, ...]
    sizes: dict[Precision, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of an installed pack gave: ``problem`` is None where all is well.

    ``outdated`` tells that edged now ships another descriptor of it, with other calibration perhaps.
    """

    pack: Pack
    precisions: tuple[Precision, ...]
    problem: str | None
    outdated: bool


def take_stock(catalogue: Catalogue) -> tuple[list[Stock], list[str]]:
    """Return every pack by name, and what is wrong with descriptors that could not be read."""
    packs, problems = catalogue.scan()
    return [stock_of(pack) for pack in packs], [str(problem) for problem in problems]


def stock_of(pack: Pack) -> Stock:
    """Look which files of ``pack`` are there; nothing is opened."""
    present = pack.present()
    sizes: dict[Precision, int] = {
        one: sum(spec.files[one].size for spec in pack.models if one in spec.files) for one in pack.precisions
    }
    can_pull = any(file.url for spec in pack.models for file in spec.files.values())
    return Stock(pack, "installed" if present else "pull" if can_pull else "import", present, sizes)


def check_stock(catalogue: Catalogue, names: Sequence[str]) -> list[Verdict]:
    """Check size and SHA-256 of the files of ``names``; none named: of every installed pack.

    Raises ``ModelError`` for an unknown name, and where nothing is installed at all.
    """
    if names:
        packs = [catalogue.find(name) for name in names]
    else:
        found, problems = catalogue.scan()
        if problems:
            raise problems[0]
        packs = [pack for pack in found if pack.present() or pack.directory.parent == catalogue.installed]
        if not packs:
            raise ModelError(
                f"no model is installed in {catalogue.installed}; `edged models list` shows what there is"
            )
    return [_check(catalogue, pack) for pack in packs]


def _check(catalogue: Catalogue, pack: Pack) -> Verdict:
    try:
        verify_pack(pack)
        problem = None
    except ModelError as exc:
        problem = str(exc)
    return Verdict(pack, pack.present(), problem, _outdated(catalogue, pack))


def _outdated(catalogue: Catalogue, pack: Pack) -> bool:
    if not catalogue.ships(pack.name):
        return False
    shipped = catalogue.origin(pack.name)
    if (shipped.directory / DESCRIPTOR).read_bytes() == (pack.directory / DESCRIPTOR).read_bytes():
        return False
    # One with a precision that was made here is another text, and still says the same.
    made_here = pack.precisions != shipped.precisions
    return not made_here or catalogue.in_force(pack.name).models != pack.models

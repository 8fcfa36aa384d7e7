"""``edged models compile``: faster files of the same numbers, for this machine."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.measuring_options import ConfigOption, DirectoryOption
from edged.cli.models_quantize import task_bars
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from edged.config.sections import ModelsConfig
    from edged.domain.types import Image
    from edged.vision.compilation.run import Compilation
    from edged.vision.packs import Pack

# A file that large takes minutes to compare on a small board: nobody waits for that unasked.
_UNASKED_BYTES = 50_000_000
# Faces of the demo and drawn pictures decide; photographs are for those who wish to see it with their own.
_BUNDLED = 2
_MAX_PHOTOS = 32


def compile_packs(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PACK]...", help="Installed packs.  [default: those that are configured]"),
    ] = None,
    *,
    photos: Annotated[
        Path | None, typer.Option(help="Compare on the first photographs below this folder as well.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make those anew that are there.")] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time those that are there too, in turns with the originals.")
    ] = False,
    config: ConfigOption = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rewrite packs' networks to be faster here, and use them where they give the same numbers.

    BatchNorm, normalisation and the order of colours go into the convolutions, PRelu into operators that
    onnxruntime is fast at, a detector's heads become one, and pictures go in as they are. Each file is
    compared with the original on faces and drawn pictures, refused where it differs, left out where it is no
    faster, and used from the daemon's next start on, until the original, onnxruntime or the processor
    changes. Files lie in `compiled` below the models directory; they are used unless `models.compile` is
    off. Exit code 1 where one was refused.
    """
    from edged.cli.measuring import models_section
    from edged.vision.compilation.run import compile_pack
    from edged.vision.packs import Catalogue

    models = models_section(config, directory=directory)
    catalogue = Catalogue(models.directory)
    packs = [catalogue.in_force(name) for name in dict.fromkeys(names or _configured(config, models))]
    pictures = _pictures(photos)
    done: list[Compilation] = []
    with task_bars() as progress:
        for pack in packs:
            done += compile_pack(
                pack, models, force=force, measure=measure, pictures=pictures, progress=progress
            )
    if as_json:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode([_as_json(one) for one in done]), indent=2))
    else:
        _show(done)
    if any(one.refused for one in done):
        raise typer.Exit(1)


def compile_installed(
    packs: "Sequence[Pack]", config: Path | None, directory: Path | None, *, quiet: bool
) -> None:
    """Compile what was just installed, where ``models.compile`` is auto and the package ``onnx`` is there.

    Prints what came of it unless ``quiet``. Nothing here fails an installation: the packs run as they are.
    """
    from edged.cli.measuring import models_section
    from edged.config.sections import ModelsConfig
    from edged.errors import EdgedError

    if find_spec("onnx") is None:
        return
    models = models_section(config) if directory is None else ModelsConfig(directory=directory.absolute())
    if models.compile == "off":
        return
    from edged.vision.compilation.run import compile_pack

    for pack in packs:
        if any(file.size > _UNASKED_BYTES for spec in pack.models for file in spec.files.values()):
            continue
        try:
            with task_bars() as progress:
                done = compile_pack(pack, models, pictures=_pictures(None), progress=progress)
        except EdgedError as exc:
            typer.echo(f"{pack.name}: runs as it is, not compiled: {exc}", err=True)
            continue
        for one in done:
            faster = f"compiled, {one.record.ratio:.2f} of the original's time" if one.record else None
            if not quiet:
                typer.echo(f"{pack.name} {one.task}: {faster or f'runs as it is, {one.reason}'}")


def _configured(config: Path | None, models: "ModelsConfig") -> list[str]:
    from edged.cli.measuring import liveness_section
    from edged.config.packs import configured_packs

    return configured_packs(models, liveness_section(config))


def _pictures(photos: Path | None) -> "list[Image]":
    """Return the faces to compare on: some that come with the demo, and those asked for."""
    from edged.demo.bundled import bundled_cast
    from edged.evaluation.embedding import read_image
    from edged.evaluation.protocols import images_below

    bundled = [photographs[0] for photographs in bundled_cast()[1][:_BUNDLED]]
    given = [] if photos is None else images_below(photos)[:_MAX_PHOTOS]
    return [read_image(path) for path in (*bundled, *given)]


def _as_json(one: "Compilation") -> dict[str, Any]:
    from dataclasses import asdict

    import msgspec

    measured = None if one.measured is None else asdict(one.measured)
    return {
        "pack": one.pack,
        "task": one.task,
        "file": one.file,
        "compiled": one.record is not None,
        "reason": one.reason,
        "fresh": one.fresh,
        "measured": measured,
        "record": msgspec.to_builtins(one.record) if one.record else None,
    }


def _show(done: "list[Compilation]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("pack", "model", "original ms", "compiled ms", "ratio", "deviation")
    for one in done:
        record = one.record
        times: tuple[float, ...] = ()
        if one.measured is not None:
            times = (*one.measured.ms, one.measured.ratios[1])
        elif record is not None:
            times = (record.original_ms, record.compiled_ms, record.ratio)
        cells = [f"{number:.2f}" for number in times] or [""] * 3
        table.add_row(one.pack, one.task, *cells, f"{record.deviation:.0e}" if record else "")
    console = Console()
    console.print(table)
    for one in done:
        console.print(f"{one.file}: {_told(one)}", soft_wrap=True, highlight=False)


def _told(one: "Compilation") -> str:
    record = one.record
    if record is None:
        return f"the original runs: {one.reason}"
    there = "" if one.fresh else "there already; "
    return f"{there}{record.form}; on {record.samples} pictures cosine {record.cosine:.7f} to the original"

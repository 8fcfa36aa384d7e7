"""``edged models``: which packs there are, and how they come onto this machine."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli import models_view
from edged.cli.models_compile import compile_installed, compile_packs
from edged.cli.models_quantize import quantize
from edged.cli.options import DEFAULT_CONFIG, JsonOption

if TYPE_CHECKING:
    from edged.vision.packs import Catalogue

app = typer.Typer(no_args_is_help=True, help="List, fetch, import, verify, compile and quantize model packs.")


class Precision(StrEnum):
    """What ``--precision`` takes."""

    FLOAT32 = "float32"
    INT8 = "int8"
    ALL = "all"


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="EDGED_CONFIG",
        help="Configuration that names models.directory.  [default: config.yaml, where there is one]",
    ),
]
Directory = Annotated[
    Path | None, typer.Option("--directory", help="Models directory; no configuration is read then.")
]
Variants = Annotated[
    Precision | None,
    typer.Option("--precision", help="Which files of a pack.  [default: all that are to be had]"),
]
Compile = Annotated[
    bool,
    typer.Option(" /--no-compile", help="Leave out compiling, which `edged models compile` can do later."),
]


@app.command("list")
def list_packs(*, config: Config = None, directory: Directory = None, as_json: JsonOption = False) -> None:
    """Show every pack: installed, to be pulled from its address, or to be imported from files."""
    from edged.vision.inventory import take_stock

    catalogue = _catalogue(config, directory)
    stocks, problems = take_stock(catalogue)
    if as_json:
        packs = [models_view.summary(stock) for stock in stocks]
        models_view.print_json({"directory": str(catalogue.installed), "packs": packs, "problems": problems})
        return
    models_view.print_list(stocks)
    typer.echo(f"Models directory: {catalogue.installed}")
    for problem in problems:
        typer.echo(f"edged: {problem}", err=True)


@app.command()
def info(
    name: str, *, config: Config = None, directory: Directory = None, as_json: JsonOption = False
) -> None:
    """Show everything that is known about a pack."""
    from edged.vision.inventory import stock_of

    stock = stock_of(_catalogue(config, directory).find(name))
    if as_json:
        models_view.print_json(models_view.details(stock))
    else:
        models_view.print_info(stock)


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="One pack; default: all that are installed.")] = None,
    *,
    config: Config = None,
    directory: Directory = None,
    as_json: JsonOption = False,
) -> None:
    """Check size and SHA-256 of the installed files. Exit code 1 where one is wrong."""
    from edged.vision.inventory import check_stock

    verdicts = check_stock(_catalogue(config, directory), [name] if name else [])
    if as_json:
        models_view.print_json([models_view.verdict_json(one) for one in verdicts])
    else:
        models_view.print_verdicts(verdicts)
    if any(one.problem for one in verdicts):
        raise typer.Exit(1)


@app.command()
def pull(
    name: str,
    *,
    precision: Variants = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="A folder, file:///path, or the address of a mirror (https://host/models)."
        ),
    ] = None,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Accept a licence that forbids commercial use.")
    ] = False,
    compiling: Compile = True,
    config: Config = None,
    directory: Directory = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch a pack, check it against its pinned hashes, run it once, and install it."""
    from edged.vision.installation import Installer, terms

    catalogue = _catalogue(config, directory)
    text = terms(catalogue.origin(name))
    if text and not accept_license and not as_json and sys.stdin.isatty():
        accept_license = typer.confirm(f"{text}\nDo you accept this licence?", err=True)
    with models_view.progress_bars() as progress:
        installed = Installer(catalogue, progress=progress).pull(
            name,
            precision=precision.value if precision else None,
            source=source,
            accept_licence=accept_license,
        )
    if as_json:
        models_view.print_json(models_view.installed_json(installed))
    else:
        models_view.print_installed([installed])
    if compiling:
        compile_installed([installed.pack], config, directory, quiet=as_json)


@app.command("import")
def import_files(
    paths: Annotated[list[Path], typer.Argument(help="Folders or .onnx files, on a USB stick for instance.")],
    *,
    precision: Variants = None,
    compiling: Compile = True,
    config: Config = None,
    directory: Directory = None,
    as_json: JsonOption = False,
) -> None:
    """Install the packs whose files are among PATHS; they are known by their SHA-256, not by name."""
    from edged.vision.installation import Installer

    catalogue = _catalogue(config, directory)
    with models_view.progress_bars() as progress:
        done = Installer(catalogue, progress=progress).import_from(
            paths, precision=precision.value if precision else None
        )
    if as_json:
        installed = [models_view.installed_json(one) for one in done.installed]
        unknown = [str(path) for path in done.unknown]
        models_view.print_json({"installed": installed, "unknown": unknown, "incomplete": done.incomplete})
    else:
        models_view.print_installed(done.installed)
        for line in done.incomplete:
            typer.echo(f"left out, incomplete: {line}", err=True)
        for path in done.unknown:
            typer.echo(f"left out, of no known pack: {path}", err=True)
    if compiling:
        compile_installed([one.pack for one in done.installed], config, directory, quiet=as_json)


app.command("compile")(compile_packs)
app.command()(quantize)


def _catalogue(config: Path | None, directory: Path | None) -> "Catalogue":
    """Models come before the configuration: without one the default directory is used."""
    from edged.config import load
    from edged.config.sections import ModelsConfig
    from edged.vision.packs import Catalogue

    if directory is None and (config is not None or DEFAULT_CONFIG.exists()):
        directory = load(config or DEFAULT_CONFIG).models.directory
    return Catalogue((directory or ModelsConfig().directory).absolute())

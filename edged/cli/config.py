"""``edged config``: check, show, describe the configuration."""

import json

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

app = typer.Typer(help="Check, show or describe the configuration.", no_args_is_help=True)


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Report every problem at once; exit status 78 if there is one.

    A warning, and no problem, is what another configuration beside this one, of the same door, has as well; a
    lock or a wire that is no hardware; and a fire input that is heard and reset by edged run alone.
    """
    from edged.config.advice import advice
    from edged.config.loading import load
    from edged.config.siblings import clashes
    from edged.errors import ConfigError

    try:
        loaded = load(config)
        warnings = [*clashes(config, loaded), *advice(loaded)]
    except ConfigError as exc:
        if not as_json:
            raise
        typer.echo(json.dumps({"ok": False, "config": str(config), "problems": list(exc.problems)}))
        raise typer.Exit(exc.exit_code) from exc
    if as_json:
        typer.echo(json.dumps({"ok": True, "config": str(config), "problems": [], "warnings": warnings}))
        return
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{config}: ok")


@app.command()
def show(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Print all values in force, defaults and absolute paths included; keys that are not set are left out.

    It holds no secret, only the paths of their files. A comment at the end says which profile `auto` goes by.
    """
    from edged.config.document import write_document
    from edged.config.effective import effective
    from edged.config.loading import load
    from edged.vision.profile import standing

    loaded = load(config)
    values = effective(loaded)
    if as_json:
        typer.echo(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        typer.echo(f"{write_document(values)}# {standing(loaded.models).text}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from edged.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))

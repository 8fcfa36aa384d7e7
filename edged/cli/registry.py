"""Which commands there are: the table of contents of the command line."""

import typer


def register(app: typer.Typer) -> None:
    """Add every command group to ``app``."""
    from edged.cli import (
        bench,
        calibrate,
        camera,
        config,
        demo,
        doctor,
        door,
        enrol,
        events,
        explain,
        fleet,
        fleet_collect,
        fleet_command,
        fleet_groups,
        fleet_publish,
        fleet_simulate,
        fleet_status,
        gallery,
        identify,
        liveness,
        models,
        mqtt,
        people,
        report,
        run,
        second_factor,
        shadow,
    )  # fmt: skip
    from edged.cli import eval as evaluation

    app.command("run")(run.run)
    app.command("demo")(demo.demo)
    app.command("doctor")(doctor.doctor)

    app.command("arm")(shadow.arm)
    app.add_typer(shadow.app, name="shadow")
    app.add_typer(camera.app, name="camera")
    app.add_typer(config.app, name="config")
    app.add_typer(door.app, name="door")
    app.command("enrol")(enrol.enrol)
    app.add_typer(gallery.app, name="gallery")
    fleet.app.command("group")(fleet_groups.group)
    for command in (fleet_publish.publish, fleet_publish.release, fleet_publish.rollback, fleet_publish.deny):
        fleet.app.command()(command)
    fleet.app.command()(fleet_publish.renew)
    fleet.app.command("rotate-keys")(fleet_publish.rotate_keys)
    for shown in (fleet_status.status, fleet_status.forget, fleet_status.receipts):
        fleet.app.command()(shown)
    fleet.app.command("command-key")(fleet_command.command_key)
    fleet.app.command()(fleet_command.command)
    fleet.app.command()(fleet_simulate.simulate)
    fleet.app.command()(fleet_collect.collect)
    fleet.app.command()(fleet_collect.gaps)
    app.add_typer(fleet.app, name="fleet")
    app.command("identify")(identify.identify)
    app.add_typer(liveness.app, name="liveness")
    app.add_typer(models.app, name="models")
    app.add_typer(mqtt.app, name="mqtt")
    _people()
    app.add_typer(people.app, name="people")
    app.add_typer(second_factor.app, name="second-factor")
    app.add_typer(evaluation.app, name="eval")
    app.command("bench")(bench.bench)
    app.command("calibrate")(calibrate.calibrate)
    _events()
    app.add_typer(events.app, name="events")
    app.command("explain")(explain.explain)
    app.command("report")(report.report)


def _people() -> None:
    """Add the commands of ``edged people`` that have modules of their own."""
    from edged.cli import people, people_factors, people_photos

    people.app.command("photos")(people_photos.photos)
    people.app.command("remove-photo")(people_photos.remove_photo)
    people.app.command("not-me")(people_photos.not_me)
    people.app.command("set-pin")(people_factors.set_pin)
    people.app.command("set-badge")(people_factors.set_badge)
    people.app.command("remove-pin")(people_factors.remove_pin)
    people.app.command("remove-badge")(people_factors.remove_badge)


def _events() -> None:
    """Add the commands of ``edged events`` that have modules of their own."""
    from edged.cli import events, events_quarantine, events_replay, events_salvaged

    events.app.add_typer(events_quarantine.app, name="quarantine")
    events.app.command("replay")(events_replay.replay)
    events.app.command("salvaged")(events_salvaged.salvaged)

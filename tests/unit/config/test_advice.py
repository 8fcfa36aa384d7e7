"""What ``edged config check`` warns of."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edged.cli.config import check
from edged.config import load
from edged.config.advice import advice
from edged.devices.folder_gpio import PREFIX

CONFIG = """
site: hq
door_id: front
camera: {{source: {{type: v4l2, device: /dev/video0}}}}
door: {{lock: {{{lock}}}, {rest}}}
"""
REAL = "driver: gpiod, chip: pinctrl-bcm2711, line: 17, active: high, power: fail_secure"
FOLDER = REAL.replace("pinctrl-bcm2711", f"'{PREFIX}/x'")
FIRE = "fire: {chip: pinctrl-bcm2711, line: 5, active: high}"
RESET = "reset: {chip: pinctrl-bcm2711, line: 6, active: high}"


@pytest.mark.parametrize(
    ("lock", "rest", "warned"),
    [
        (REAL, "socket: door.sock, inputs: {%s}" % FIRE, []),  # noqa: UP031 - braces are YAML here
        (REAL, "inputs: {%s}" % RESET, []),  # noqa: UP031
        ("driver: fake", "", ["door.lock.driver"]),
        (FOLDER, "", ["door.lock.chip"]),
        (FOLDER, "socket: door.sock", ["door.lock.chip"]),
        (REAL, "inputs: {%s}" % FIRE.replace("pinctrl-bcm2711", "'folder:x'"),  # noqa: UP031
         ["door.inputs.fire.chip", "door.inputs.fire", "door.inputs.reset"]),
        (REAL, "inputs: {%s, %s}" % (FIRE, RESET), ["door.inputs.fire"]),  # noqa: UP031
        (REAL, "inputs: {%s}" % FIRE, ["door.inputs.fire", "door.inputs.reset"]),  # noqa: UP031
    ],
)  # fmt: skip
def test_it_names_what_drives_no_door_and_a_fire_input_that_depends_on_the_daemon(
    tmp_path: Path, lock: str, rest: str, warned: list[str]
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(lock=lock, rest=rest))
    assert [text.partition(":")[0] for text in advice(load(tmp_path / "config.yaml", {}))] == warned


def test_the_check_says_so_and_goes_well(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(lock="driver: fake", rest=""))
    app = typer.Typer()
    app.command()(check)
    told = CliRunner().invoke(app, ["--config", str(tmp_path / "config.yaml")])
    assert (told.exit_code, "warning: door.lock.driver: fake" in told.stderr) == (0, True)
    told = CliRunner().invoke(app, ["--json", "--config", str(tmp_path / "config.yaml")])
    assert (told.exit_code, len(json.loads(told.stdout)["warnings"])) == (0, 1)

"""A real Prometheus watches a real door: every panel and every alert finds what it asks for."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from edged.config import load
from edged.demo.bundled import bundled_cast
from edged.doctor.finding import State
from edged.doctor.patient import Patient
from edged.doctor.running import running
from tests.e2e.door import OfficeDoor, environment
from tests.fakes.mosquitto import free_port
from tests.fakes.prometheus import Prometheus, prometheus

FOLDER = Path(__file__).parents[2] / "monitoring"
NEEDED = """door_id: desk
camera: {source: {type: folder, path: scene}}
door: {lock: {driver: fake}}
"""
# Whose series a door has only as a member of a fleet; its alert is held to its limits by promtool.
FLEET_ONLY = frozenset({"edged_fleet_group_info"})
# Every metric name in an expression, with the matchers behind it but not the range.
_SELECTOR = re.compile(r"\b((?:edged|process)_[a-z_]+|up)\b(\{[^}]*\})?")

pytestmark = pytest.mark.timeout(300)


def panels() -> dict[str, list[str]]:
    """The dashboard's queries by panel, its variables filled in as Grafana would."""
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    return {
        panel["title"]: [
            target["expr"].replace("$door", ".+").replace("$__rate_interval", "1m")
            for target in panel["targets"]
        ]
        for panel in dashboard["panels"]
        if panel["type"] != "row"
    }


def alerts() -> dict[str, str]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


@contextmanager
def collector(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A collector without a broker: every series is there from the start."""
    folder.mkdir()
    (folder / "config.yaml").write_text(f"site: test\nmqtt: {{port: {free_port()}}}\n" + NEEDED)
    command = ["fleet", "collect", "--to", "sqlite:events.db", "--metrics-port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "edged", *command], cwd=folder, stderr=log, env=environment()
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def unresolved(server: Prometheus, queries: list[str]) -> list[str]:
    return [query for query in queries if not server.query(query)]


def test_every_panel_and_every_alert_finds_its_series(tmp_path: Path) -> None:
    door = OfficeDoor(tmp_path / "door", None)
    door.configure(1)  # nobody listens there: a door without a broker has every series as well
    door.scene([photos[:2] for photos in bundled_cast()[1]])
    port = free_port()
    config = f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{FOLDER}/alerts.yml"]
scrape_configs:
  - {{job_name: edged, static_configs: [{{targets: ["127.0.0.1:{door.http_port}"]}}]}}
  - {{job_name: edged-collect, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""
    asked = [query for queries in panels().values() for query in queries]
    selectors = {
        "".join(found) for expression in alerts().values() for found in _SELECTOR.findall(expression)
    } - FLEET_ONLY
    assert len(asked) > 30
    assert len(selectors) > 20
    with (
        prometheus(tmp_path / "prometheus", config) as server,
        collector(tmp_path / "collector", port),
        door.start() as daemon,
    ):
        deadline = time.monotonic() + 120
        while missing := unresolved(server, [*asked, *sorted(selectors)]):
            assert daemon.process.poll() is None, daemon.log
            assert time.monotonic() < deadline, missing
            time.sleep(1)
        # A rule that was not evaluated yet has no health.
        daemon.until(lambda: all(rule["health"] != "unknown" for rule in server.rules().values()))
        rules = server.rules()
        assert set(rules) == set(alerts())
        assert {name: rule.get("lastError") for name, rule in rules.items() if rule["health"] != "ok"} == {}
        firing = {name for name, rule in rules.items() if rule["state"] == "firing"}
        assert firing <= {"EdgedThrottled"}
        examined = running(Patient(load(door.folder / "config.yaml", {}), time.time()))
        assert examined.facts["pid"] == daemon.process.pid
        assert examined.state is State.FAILED  # nobody is enrolled, so nobody is let in
        assert "gallery: " in examined.detail
        assert daemon.end() == 0

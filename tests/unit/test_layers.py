"""Imports run downward only; the domain is pure."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "edged"

# A name is a module or package below edged; each may import those of lower rank, and itself.
RANKS = {
    "errors": 0,
    "domain": 1,
    "config": 2,
    "fleet.topics": 2,
    "fleet.messages": 2,
    "doorway.messages": 2,
    "doorway.owner": 2,
    "metric_labels": 2,
    "doorway.channel": 3,
    "doorway.latch": 3,
    "doorway.tenant": 3,
    "vision": 3,
    "devices": 3,
    "storage": 3,
    "fleet": 3,
    "metrics": 3,
    "logs": 3,
    "systemd": 3,
    "membership": 4,
    "doorway": 5,
    "workers": 5,
    "evaluation": 5,
    "enrolment": 5,
    "publishing": 5,
    "app": 6,
    "collecting": 6,
    "doctor": 6,
    "simulation": 7,
    "demo": 7,
    "cli": 8,
}
IMPURE = {
    "threading", "time", "socket", "sqlite3", "subprocess", "os", "pathlib", "random", "secrets", "logging",
    "cv2", "onnxruntime", "paho", "gpiozero", "gpiod", "requests", "urllib3", "prometheus_client",
}  # fmt: skip


def part_of(module: str) -> str:
    """The ranked part that a dotted name below ``edged`` belongs to."""
    words = module.split(".")
    return ".".join(words[:2]) if ".".join(words[:2]) in RANKS else words[0]


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their direction"
            found.append(node.module or "")
            found += [f"{node.module}.{alias.name}" for alias in node.names if node.module == "edged.fleet"]
    return found


def violations(path: Path, module: str) -> list[str]:
    own = part_of(module)
    problems = []
    for name in imports_of(path):
        if name.split(".")[0] != "edged":
            if own == "domain" and name.split(".")[0] in IMPURE:
                problems.append(f"{module} imports {name}: the domain is pure")
            continue
        other = part_of(name.removeprefix("edged.").removeprefix("edged") or "errors")
        if other != own and RANKS[other] >= RANKS[own]:
            problems.append(f"{module} imports {name}: {own} may not know {other}")
    return problems


MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in RANKS)


def test_imports_run_downward() -> None:
    found = []
    for path in MODULES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found += violations(path, module)
    assert found == []


def test_every_part_has_its_rank() -> None:
    parts = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")}
    assert parts - set(RANKS) == {"__init__", "__main__"}


def test_an_upward_import_is_caught(tmp_path: Path) -> None:
    toy = tmp_path / "toy.py"
    toy.write_text("import time\nfrom edged.vision import detector\nfrom edged.workers.door import x\n")
    assert len(violations(toy, "domain.toy")) == 3
    assert len(violations(toy, "devices.toy")) == 2
    assert violations(toy, "cli.toy") == []


def test_modules_stay_readable() -> None:
    assert [str(path) for path in MODULES if len(path.read_text().splitlines()) > 400] == []

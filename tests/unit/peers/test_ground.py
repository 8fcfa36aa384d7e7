"""What is laid out, and what a clone without the research weights can still do."""

from pathlib import Path

import pytest

from tests.peers.ground import REFERENCE, STARTER, Ground, compiled, contenders


def test_without_weights_only_those_run_who_bring_their_own(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "work", tmp_path / "no weights", Path("/bin/sh"))
    assert ground.prepare() == []
    everybody = {one.name: one.lacking() for one in contenders(ground, [])}
    ready = {name for name, lacks in everybody.items() if lacks is None}
    assert ready == {STARTER, f"{STARTER}, at a door", "face_recognition"}
    assert everybody["InsightFace, 320"] == "no det_500m.onnx, w_y1.onnx on this machine"


def test_each_library_finds_the_weights_where_it_looks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in ("scrfd_det_500m.onnx", "mobilefacenet_arcface_y1.onnx"):
        (weights / name).write_text(name)
    ground = Ground(tmp_path / "work", weights, tmp_path / "python")
    monkeypatch.setattr(Ground, "_edged", lambda *_arguments: "[]")
    for _ in range(2):
        ground.prepare()
    found = {
        path.relative_to(ground.work).as_posix(): path.read_text() for path in ground.work.rglob("*.onnx")
    }
    assert found == {
        "insightface/models/door/det_500m.onnx": "scrfd_det_500m.onnx",
        "insightface/models/door/w_y1.onnx": "mobilefacenet_arcface_y1.onnx",
        "uniface/scrfd_500m.onnx": "scrfd_det_500m.onnx",
    }


def test_everybody_has_a_name_of_their_own_and_edged_is_marked(tmp_path: Path) -> None:
    everybody = contenders(Ground(tmp_path, tmp_path, tmp_path), [])
    names = [one.name for one in everybody]
    assert len(set(names)) == len(names)
    assert all(one.own == one.name.startswith("edged") for one in everybody)
    assert names[0] == REFERENCE


def test_what_runs_compiled_is_told_and_a_failure_too() -> None:
    told = (
        '[{"pack": "yunet", "task": "detector", "compiled": true, "reason": ""},'
        ' {"pack": "arcface-y1", "task": "embedder", "compiled": false, "reason": "no faster here"}]'
    )
    assert compiled(told) == ["yunet detector: compiled", "arcface-y1 embedder: as it is, no faster here"]
    assert compiled("") == ["nothing is compiled: see preparation.log"]

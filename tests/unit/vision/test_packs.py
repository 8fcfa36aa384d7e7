"""Descriptors, the catalogue, and the check of files against their pins."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edged.domain.calibration import rate_bound, threshold_for
from edged.domain.risk import Risk
from edged.errors import ModelError
from edged.vision.packs import Catalogue, load_pack, parse_pack, shipped_directory, verify_pack
from tests.fakes.model_packs import DIMENSION, descriptor, flattening_model, write_pack

FLOAT32 = {"float32": flattening_model()}
BOTH = FLOAT32 | {"int8": flattening_model(note="int8")}


def test_a_descriptor_is_read(tmp_path: Path) -> None:
    pack = load_pack(write_pack(tmp_path, descriptor("toy", BOTH, licence_url="https://example.org/l")))
    spec = pack.model("embedder")
    assert (pack.name, pack.tasks, pack.precisions, pack.commercial) == (
        "toy",
        ("embedder",),
        ("float32", "int8"),
        True,
    )
    assert (spec.input, spec.space, spec.dimension) == ((16, 16), "toy/1", DIMENSION)
    assert pack.file_path(spec, "int8") == tmp_path / "toy" / "int8.onnx"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": 2}, "schema"),
        ({"name": "Upper"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"commercial": "yes"}, "commercial"),
        ({"colour": 1}, "colour"),
        ({"models": []}, "models"),
        ({"decoder": "yunet"}, "does not belong to a embedder"),
        ({"space": None}, "space: missing"),
        ({"dimension": None}, "dimension: missing"),
        ({"templates": {}}, "templates: missing"),
        ({"templates": {"arcface": [[1, 2]]}}, "templates"),
        ({"input": [0, 16]}, "input"),
        ({"scale": 0}, "scale"),
        ({"files": {}}, "files"),
        ({"files": {"float16": {}}}, "files"),
        ({"calibration": [{"fmr": 0.001, "threshold": 0.3, "comparisons": 9}]}, "measured_with: missing"),
        ({"calibration": [{"fmr": 0, "threshold": 0.3, "comparisons": 9}]}, "fmr"),
        (
            {
                "measured_with": "faces",
                "calibration": [
                    {"fmr": 0.001, "threshold": 0.3, "comparisons": 9},
                    {"fmr": 0.0001, "threshold": 0.04, "comparisons": 9},
                ],
            },
            "calibration: expected a threshold that falls",
        ),
        ({"task": "detector", "decoder": "yunet"}, "landmarks: missing"),
        ({"task": "liveness", "decoder": "minifasnet"}, "crop_scale: missing"),
    ],
)
def test_a_bad_descriptor_is_refused_with_its_key(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    document = descriptor(**changes)
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "pack.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ModelError, match=re.escape(told)):
        load_pack(folder)


@pytest.mark.parametrize(
    "name", ["../x.onnx", "a/b.onnx", "/etc/x.onnx", ".x.onnx", "x.yaml", "pack.yaml", "x.onnx\n", "..", ""]
)
def test_a_file_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    document = descriptor()
    document["models"][0]["files"]["float32"]["name"] = name
    with pytest.raises(ModelError, match="name"):
        load_pack(write_pack(tmp_path, document))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sha256", "0" * 63),
        ("sha256", "A" * 64),
        ("size", 0),
        ("size", "12"),
        ("url", "http://example.org/x.onnx"),
        ("url", "file:///x.onnx"),
        ("mirror", "x"),
    ],
)
def test_a_pin_is_exact(tmp_path: Path, key: str, value: object) -> None:
    document = descriptor()
    document["models"][0]["files"]["float32"][key] = value
    with pytest.raises(ModelError, match=key):
        load_pack(write_pack(tmp_path, document))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    document = descriptor("toy", BOTH)
    document["models"][0]["files"]["int8"]["name"] = "float32.onnx"
    with pytest.raises(ModelError, match="two files have one name"):
        load_pack(write_pack(tmp_path, document))


@pytest.mark.parametrize("text", ["", "[]", "a: [", "\x00", "schema: 1", "x: " + "y" * 70_000])
def test_what_is_no_descriptor_is_an_error_of_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "pack.yaml").write_text(text)
    with pytest.raises(ModelError, match=r"pack\.yaml"):
        load_pack(tmp_path)


def test_a_missing_descriptor_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_pack(tmp_path)


def test_the_template_of_a_landmark_convention_comes_before_the_standard_one(tmp_path: Path) -> None:
    special = [[float(at), 1.0] for at in range(5)]
    standard = descriptor()["models"][0]["templates"]["arcface"]
    document = descriptor(templates={"arcface": standard, "yunet": special})
    spec = load_pack(write_pack(tmp_path, document)).model("embedder")
    np.testing.assert_array_equal(spec.template_for("yunet"), np.array(special, np.float32))
    np.testing.assert_array_equal(spec.template_for("scrfd"), np.array(standard, np.float32))


def test_without_a_template_there_is_no_guess(tmp_path: Path) -> None:
    document = descriptor(templates={"yunet": [[float(at), 1.0] for at in range(5)]})
    spec = load_pack(write_pack(tmp_path, document)).model("embedder")
    with pytest.raises(ModelError, match="no template for landmarks 'scrfd'"):
        spec.template_for("scrfd")


def test_a_file_may_have_a_space_of_its_own(tmp_path: Path) -> None:
    document = descriptor("toy", BOTH)
    document["models"][0]["files"]["int8"]["space"] = "toy-int8/1"
    spec = load_pack(write_pack(tmp_path, document)).model("embedder")
    assert (spec.space_of("float32"), spec.space_of("int8")) == ("toy/1", "toy-int8/1")


def test_a_task_or_precision_that_is_not_there_is_named(tmp_path: Path) -> None:
    pack = load_pack(write_pack(tmp_path, descriptor()))
    with pytest.raises(ModelError, match="0 models are a detector"):
        pack.model("detector")
    with pytest.raises(ModelError, match="no int8 file"):
        pack.file_path(pack.model("embedder"), "int8")


def test_sound_files_pass_and_absent_ones_do_not(tmp_path: Path) -> None:
    pack = load_pack(write_pack(tmp_path, descriptor("toy", BOTH), FLOAT32))
    assert pack.present() == ("float32",)
    verify_pack(pack)
    verify_pack(pack, "float32")
    with pytest.raises(ModelError, match=r"int8\.onnx: missing"):
        verify_pack(pack, "int8")


def test_an_empty_pack_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file is installed"):
        verify_pack(load_pack(write_pack(tmp_path, descriptor())))


def test_an_altered_or_cut_file_does_not_pass(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, descriptor(), FLOAT32)
    path = folder / "float32.onnx"
    path.write_bytes(FLOAT32["float32"].replace(b"tiny", b"tinY"))
    with pytest.raises(ModelError, match="SHA-256 is"):
        verify_pack(load_pack(folder))
    path.write_bytes(FLOAT32["float32"][:-1])
    with pytest.raises(ModelError, match="bytes, expected"):
        verify_pack(load_pack(folder))


def test_a_linked_file_does_not_pass(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, descriptor(), FLOAT32)
    moved = tmp_path / "elsewhere.onnx"
    (folder / "float32.onnx").rename(moved)
    (folder / "float32.onnx").symlink_to(moved)
    with pytest.raises(ModelError, match="a link"):
        verify_pack(load_pack(folder))


def test_an_installed_pack_comes_before_the_shipped_descriptor(tmp_path: Path) -> None:
    write_pack(tmp_path / "shipped", descriptor("toy", title="shipped"))
    write_pack(tmp_path / "shipped", descriptor("other"))
    write_pack(tmp_path / "installed", descriptor("toy", title="installed"))
    catalogue = Catalogue(tmp_path / "installed", tmp_path / "shipped")
    assert [(pack.name, pack.title) for pack in catalogue.packs()] == [
        ("other", "A toy"),
        ("toy", "installed"),
    ]
    assert catalogue.find("toy").title == "installed"
    assert catalogue.origin("toy").title == "shipped"


def test_a_shipped_pack_with_its_files_beside_it_runs_without_being_installed(tmp_path: Path) -> None:
    write_pack(tmp_path / "shipped", descriptor("toy", FLOAT32), FLOAT32)
    catalogue = Catalogue(tmp_path / "installed", tmp_path / "shipped")
    pack = catalogue.in_force("toy")
    assert pack.present() == ("float32",)
    assert pack.file_path(pack.model("embedder"), "float32").parent == tmp_path / "shipped" / "toy"
    verify_pack(pack)


@pytest.mark.parametrize("name", ["nobody", "../installed/toy", "", ".", "toy/"])
def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path, name: str) -> None:
    write_pack(tmp_path / "installed", descriptor("toy"))
    with pytest.raises(ModelError, match="known: toy"):
        Catalogue(tmp_path / "installed", tmp_path / "shipped").find(name)


def test_one_bad_descriptor_does_not_hide_the_others(tmp_path: Path) -> None:
    write_pack(tmp_path / "installed", descriptor("good"))
    bad = write_pack(tmp_path / "installed", descriptor("bad"))
    (bad / "pack.yaml").write_text("schema: 9")
    packs, problems = Catalogue(tmp_path / "installed", tmp_path / "none").scan()
    assert [pack.name for pack in packs] == ["good"]
    assert len(problems) == 1


def test_a_folder_cannot_pose_as_another_pack(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, descriptor("toy"))
    folder.rename(tmp_path / "yunet")
    with pytest.raises(ModelError, match="names itself 'toy'"):
        Catalogue(tmp_path, tmp_path / "none").find("yunet")


def test_every_shipped_descriptor_is_sound() -> None:
    packs, problems = Catalogue(Path("nowhere")).scan()
    assert problems == []
    assert {"yunet", "arcface-y1"} <= {pack.name for pack in packs}
    assert len(packs) == len(list(shipped_directory().glob("*/pack.yaml")))


def test_shipped_embedders_of_different_weights_have_different_spaces() -> None:
    spaces: dict[str, str] = {}
    for pack in Catalogue(Path("nowhere")).packs():
        for spec in pack.specs("embedder"):
            for precision in spec.files:
                space = spec.space_of(precision)
                assert space is not None
                # The published file and its exact rewriting are one network.
                network = pack.name.removesuffix("-published")
                assert spaces.setdefault(space, network) == network
    assert len(spaces) >= 4


def test_shipped_calibrations_fall_and_rest_on_enough_comparisons() -> None:
    for pack in Catalogue(Path("nowhere")).packs():
        for spec in pack.specs("embedder"):
            table = sorted(spec.calibration, key=lambda point: point.fmr)
            cosines = [point.threshold for point in table]
            assert cosines == sorted(cosines, reverse=True)
            assert all(point.fmr * point.comparisons >= 3 for point in table), "the rule of three"
            bounds = [rate_bound(point) for point in table]
            assert bounds == sorted(bounds)
            for point, bound in zip(table, bounds, strict=True):
                # What a row is worth is what it says, but for what its errors leave open.
                assert bound <= 2 * point.fmr, f"{pack.name}: {point} vouches for {bound:.2g} only"
                found = threshold_for(table, 1, Risk(bound)).cosine
                assert found == point.threshold


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 30_000,
        "- " * 30_000,
        "title: 2026-99-99",
        f"title: 1:{'59:' * 900}1.5",
        f"title: {'9' * 5000}",
        f"schema: 0x{'f' * 60_000}",
        "title: !!timestamp x",
        "title: !!int ''",
        "a: &a [*a]",
        "a: 0x_",
        "mean: .nan",
        "scale: 1.0e+999",
        '"\\e[31m": 1',
    ],
)
def test_a_hostile_descriptor_is_refused_like_any_other(text: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"pack\.yaml: ") as caught:
        parse_pack(text.encode(), tmp_path)
    assert str(caught.value).isprintable()

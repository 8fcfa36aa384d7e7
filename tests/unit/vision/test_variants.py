"""Another precision for an installed pack."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from edged.errors import ModelError
from edged.vision.inventory import check_stock
from edged.vision.packs import Catalogue, Pack, load_pack, verify_pack
from edged.vision.variants import Variant, add_variant
from tests.fakes.model_packs import DIMENSION, descriptor, flattening_model, write_pack

FLOAT32 = flattening_model()
INT8 = flattening_model(note="eight bits")
POINT = {"fmr": 1e-3, "threshold": 0.4, "comparisons": 100_000}


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return load_pack(
        write_pack(tmp_path / "models", descriptor(content={"float32": FLOAT32}), {"float32": FLOAT32})
    )


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    (tmp_path / "made.onnx").write_bytes(INT8)
    return Variant("embedder", "int8", tmp_path / "made.onnx", "Made here.")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_variant_joins_the_pack(pack: Pack, variant: Variant) -> None:
    made = add_variant(pack, variant, pack.directory.parent)
    spec = made.model("embedder")
    assert made.file_path(spec, "int8").read_bytes() == INT8
    assert made.file_path(spec, "float32").read_bytes() == FLOAT32
    assert made.provenance == f"{pack.provenance} Made here."
    assert (spec.space_of("float32"), spec.space_of("int8")) == ("toy/1", "toy/1")
    assert replace(made, provenance="", models=()) == replace(pack, provenance="", models=())
    verify_pack(made)
    assert sorted(content(made.directory)) == ["float32.int8.onnx", "float32.onnx", "pack.yaml"]


def test_a_variant_may_have_a_space_of_its_own(pack: Pack, variant: Variant) -> None:
    made = add_variant(pack, replace(variant, space="toy/1.int8"), pack.directory.parent)
    spec = made.model("embedder")
    assert (spec.space_of("float32"), spec.space_of("int8")) == ("toy/1", "toy/1.int8")


def test_a_variant_takes_the_place_of_an_older_one(pack: Pack, variant: Variant) -> None:
    root = pack.directory.parent
    once = add_variant(pack, variant, root)
    newer = flattening_model(note="eight other bits")
    variant.path.write_bytes(newer)
    twice = add_variant(once, replace(variant, provenance="Again."), root)
    assert twice.file_path(twice.model("embedder"), "int8").read_bytes() == newer
    verify_pack(twice)


def test_the_other_folder_is_written_and_the_first_stays(
    pack: Pack, variant: Variant, tmp_path: Path
) -> None:
    before = content(pack.directory)
    made = add_variant(pack, variant, tmp_path / "elsewhere")
    assert made.directory == tmp_path / "elsewhere" / "toy"
    verify_pack(made, "int8")
    verify_pack(made, "float32")
    assert content(pack.directory) == before


@pytest.mark.parametrize("data", [b"no model", flattening_model(8)])
def test_a_file_that_does_not_fit_leaves_the_pack_as_it_was(
    pack: Pack, variant: Variant, data: bytes
) -> None:
    before = content(pack.directory)
    variant.path.write_bytes(data)
    with pytest.raises(ModelError, match="does not fit its descriptor"):
        add_variant(pack, variant, pack.directory.parent)
    assert content(pack.directory) == before
    assert not list(pack.directory.parent.glob(".install-*"))


def test_a_damaged_float32_file_is_noticed(pack: Pack, variant: Variant) -> None:
    (pack.directory / "float32.onnx").write_bytes(FLOAT32[:-1])
    with pytest.raises(ModelError, match=r"float32\.onnx: \d+ bytes, expected \d+"):
        add_variant(pack, variant, pack.directory.parent)


def test_an_upgrade_keeps_what_was_made_here(pack: Pack, variant: Variant, tmp_path: Path) -> None:
    add_variant(pack, variant, pack.directory.parent)
    newer = descriptor(content={"float32": FLOAT32}, calibration=[POINT], measured_with="Tests.")
    write_pack(tmp_path / "shipped", newer)
    spec = Catalogue(pack.directory.parent, tmp_path / "shipped").in_force("toy").model("embedder")
    assert list(spec.files) == ["float32", "int8"]
    assert [point.threshold for point in spec.calibration] == [0.4]


def test_an_upgrade_of_the_weights_takes_nothing_from_the_old_ones(
    pack: Pack, variant: Variant, tmp_path: Path
) -> None:
    made = add_variant(pack, variant, pack.directory.parent)
    newer = descriptor(
        content={"float32": flattening_model(note="retrained")}, calibration=[POINT], measured_with="Tests."
    )
    write_pack(tmp_path / "shipped", newer)
    assert Catalogue(pack.directory.parent, tmp_path / "shipped").in_force("toy") == made


def test_a_pack_with_a_variant_is_not_outdated(pack: Pack, variant: Variant, tmp_path: Path) -> None:
    shipped = write_pack(tmp_path / "shipped", descriptor(content={"float32": FLOAT32}))
    catalogue = Catalogue(pack.directory.parent, tmp_path / "shipped")
    add_variant(pack, variant, pack.directory.parent)
    (verdict,) = check_stock(catalogue, ["toy"])
    assert (verdict.problem, verdict.precisions, verdict.outdated) == (None, ("float32", "int8"), False)
    document = yaml.safe_load((shipped / "pack.yaml").read_bytes())
    document["models"][0]["dimension"] = DIMENSION + 1
    (shipped / "pack.yaml").write_text(yaml.safe_dump(document))
    (verdict,) = check_stock(catalogue, ["toy"])
    assert verdict.outdated

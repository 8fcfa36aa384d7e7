"""Importing packs from files: all that is right is installed, and nothing else changes."""

import hashlib
from pathlib import Path

import pytest

from edged.errors import ModelError
from edged.vision.installation import Installer
from edged.vision.inventory import check_stock, take_stock
from edged.vision.packs import Catalogue
from edged.vision.staging import _replace, installing
from tests.fakes.model_packs import descriptor, flattening_model, write_pack
from tests.unit.vision import tiny_onnx

FLOAT32 = flattening_model()
INT8 = flattening_model(note="int8")
BOTH = {"float32": FLOAT32, "int8": INT8}


class Ground:
    """A models directory, shipped descriptors, and a stick to import from."""

    def __init__(self, root: Path) -> None:
        self.models, self.shipped, self.stick = root / "models", root / "shipped", root / "stick"
        self.stick.mkdir()
        write_pack(self.shipped, descriptor("toy", BOTH))
        self.catalogue = Catalogue(self.models, self.shipped)
        self.installer = Installer(self.catalogue)

    def put(self, name: str, data: bytes) -> Path:
        path = self.stick / name
        path.write_bytes(data)
        return path

    def snapshot(self) -> dict[str, bytes]:
        """What is installed: every file that is not hidden, with its content."""
        return {
            str(path.relative_to(self.models)): path.read_bytes()
            for path in sorted(self.models.rglob("*"))
            if path.is_file() and not path.relative_to(self.models).parts[0].startswith(".")
        }

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.models.glob(".*") if path.name != ".lock")


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_files_are_known_by_content_whatever_their_name(ground: Ground) -> None:
    ground.put("one.onnx", FLOAT32)
    ground.put("two.onnx", INT8)
    stranger = ground.put("stranger.onnx", b"something else")
    done = ground.installer.import_from([ground.stick])
    assert [(one.pack.name, one.added) for one in done.installed] == [("toy", ("float32", "int8"))]
    assert done.unknown == (stranger,)
    assert ground.snapshot() == {
        "toy/float32.onnx": FLOAT32,
        "toy/int8.onnx": INT8,
        "toy/pack.yaml": (ground.shipped / "toy" / "pack.yaml").read_bytes(),
    }
    assert ground.leftovers() == []


def test_one_precision_can_be_chosen_and_the_other_added_later(ground: Ground) -> None:
    ground.put("one.onnx", FLOAT32)
    ground.put("two.onnx", INT8)
    ground.installer.import_from([ground.stick], precision="int8")
    assert ground.catalogue.find("toy").present() == ("int8",)
    done = ground.installer.import_from([ground.stick])
    assert done.installed[0].added == ("float32",)
    assert ground.catalogue.find("toy").present() == ("float32", "int8")


def test_importing_again_changes_nothing(ground: Ground) -> None:
    ground.put("one.onnx", FLOAT32)
    ground.installer.import_from([ground.stick])
    before = (ground.models / "toy").stat().st_ino
    assert ground.installer.import_from([ground.stick]).installed[0].added == ()
    assert (ground.models / "toy").stat().st_ino == before


def test_importing_again_mends_an_altered_file_and_an_old_descriptor(ground: Ground) -> None:
    path = ground.put("one.onnx", FLOAT32)
    ground.installer.import_from([path])
    (ground.models / "toy" / "float32.onnx").write_bytes(b"flipped")
    write_pack(ground.shipped, descriptor("toy", BOTH, title="newer"))
    assert check_stock(ground.catalogue, ["toy"])[0].outdated
    ground.installer.import_from([path])
    assert ground.catalogue.find("toy").title == "newer"
    (verdict,) = check_stock(ground.catalogue, [])
    assert (verdict.problem, verdict.outdated) == (None, False)


def test_a_newer_descriptor_comes_without_fetching_the_files_again(ground: Ground) -> None:
    path = ground.put("one.onnx", FLOAT32)
    ground.installer.import_from([path])
    write_pack(ground.shipped, descriptor("toy", BOTH, title="newer"))
    (done,) = ground.installer.import_from([path]).installed
    assert (done.added, done.pack.title) == ((), "newer")
    assert ground.snapshot()["toy/float32.onnx"] == FLOAT32


def test_a_folder_with_its_own_descriptor_is_installed_as_it_says(ground: Ground) -> None:
    mine = flattening_model(note="mine")
    write_pack(ground.stick, descriptor("mine", {"float32": mine}), {"float32": mine})
    for source in (ground.stick, ground.stick / "mine"):
        done = ground.installer.import_from([source])
        assert [one.pack.name for one in done.installed] == ["mine"]
    assert ground.catalogue.find("mine").present() == ("float32",)


def test_a_copied_models_directory_is_a_source(ground: Ground, tmp_path: Path) -> None:
    ground.put("one.onnx", FLOAT32)
    ground.installer.import_from([ground.stick])
    other = Catalogue(tmp_path / "other", ground.shipped)
    Installer(other).import_from([ground.models])
    assert other.find("toy").present() == ("float32",)


def refused(ground: Ground, told: str, *sources: Path, before: dict[str, bytes] | None = None) -> None:
    with pytest.raises(ModelError, match=told):
        ground.installer.import_from(list(sources) or [ground.stick])
    assert ground.snapshot() == (before or {})
    assert ground.leftovers() == []


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (FLOAT32[:-1], "bytes, but pack toy expects"),
        (FLOAT32.replace(b"tiny", b"tinY"), "SHA-256 is"),
        (b"", "0 bytes"),
    ],
)
def test_a_damaged_copy_is_named_and_nothing_installed(ground: Ground, data: bytes, told: str) -> None:
    ground.put("float32.onnx", data)
    ground.put("two.onnx", INT8)
    refused(ground, told)


def test_files_of_no_pack_are_an_error(ground: Ground) -> None:
    ground.put("stranger.onnx", b"x")
    refused(ground, r"no file of a known pack; .*stranger\.onnx")


def test_a_missing_path_is_an_error(ground: Ground) -> None:
    refused(ground, "does not exist", ground.stick / "nothing")


def test_links_are_refused(ground: Ground, tmp_path: Path) -> None:
    (ground.stick / "one.onnx").symlink_to(tmp_path / "secret")
    refused(ground, "symbolic link")
    refused(ground, "symbolic link", ground.stick / "one.onnx")


def test_a_linked_descriptor_or_folder_is_refused(ground: Ground, tmp_path: Path) -> None:
    mine = write_pack(tmp_path / "far", descriptor("mine"), {"float32": FLOAT32})
    (ground.stick / "mine").symlink_to(mine)
    refused(ground, "symbolic link")
    (ground.stick / "mine").unlink()
    (ground.stick / "pack.yaml").symlink_to(mine / "pack.yaml")
    refused(ground, "symbolic link")


def test_a_name_that_edged_ships_cannot_be_taken_over(ground: Ground) -> None:
    evil = flattening_model(note="evil")
    write_pack(ground.stick, descriptor("toy", {"float32": evil}), {"float32": evil})
    refused(ground, "but pack toy expects")


def embedder_pack(ground: Ground, data: bytes, **changes: object) -> None:
    write_pack(ground.stick, descriptor("mine", {"float32": data}, **changes), {"float32": data})


@pytest.mark.parametrize(
    ("data", "changes", "told"),
    [
        (b"not an ONNX file", {}, "not a model that onnxruntime can load"),
        (flattening_model(32), {}, "expected a model with input"),
        (FLOAT32, {"dimension": 128}, "expected one output"),
        (
            tiny_onnx.model(("N", 3, 16, 16), operator="Add", inputs=("x", "z")),
            {},
            "expected one float32 input",
        ),
        (tiny_onnx.model(("N", 3, 16, 16), element=tiny_onnx.INT64, operator="Abs"), {}, "float32 input"),
        (
            flattening_model(32),
            {"task": "detector", "decoder": "yunet", "landmarks": "yunet", "input": [32, 32]},
            "does not fit",
        ),
        (
            flattening_model(32),
            {"task": "detector", "decoder": "scrfd", "landmarks": "scrfd", "input": [32, 32]},
            "does not fit",
        ),
        (
            tiny_onnx.model((1, 3, 80, 80)),
            {"task": "liveness", "decoder": "minifasnet", "crop_scale": 2.7, "input": [80, 80]},
            r"expected one output \(1, classes\)",
        ),
    ],
)
def test_a_model_that_does_not_do_what_it_says_is_refused(
    ground: Ground, data: bytes, changes: dict[str, object], told: str
) -> None:
    embedder_pack(ground, data, **changes)
    refused(ground, told)


def test_one_unfit_pack_of_two_keeps_both_out(ground: Ground) -> None:
    ground.put("one.onnx", FLOAT32)
    embedder_pack(ground, b"not an ONNX file")
    refused(ground, "not a model")


def test_a_failed_replacement_leaves_the_old_pack(ground: Ground) -> None:
    first = flattening_model(note="first")
    embedder_pack(ground, first)
    ground.installer.import_from([ground.stick])
    before = ground.snapshot()
    embedder_pack(ground, b"not an ONNX file")
    refused(ground, "not a model", before=before)


def test_a_replacement_takes_the_place_of_the_old_pack(ground: Ground) -> None:
    for note in ("first", "second"):
        embedder_pack(ground, flattening_model(note=note))
        ground.installer.import_from([ground.stick])
    assert ground.snapshot()["mine/float32.onnx"] == flattening_model(note="second")
    assert ground.leftovers() == []


def test_what_a_power_cut_left_is_cleared_and_the_old_pack_comes_back(ground: Ground) -> None:
    path = ground.put("one.onnx", FLOAT32)
    ground.installer.import_from([path])
    before = ground.snapshot()
    (ground.models / "toy").rename(ground.models / ".replaced-toy")
    (ground.models / ".install-half").mkdir()
    with installing(ground.models):
        pass
    assert ground.snapshot() == before
    assert ground.leftovers() == []


def test_without_an_exchange_in_the_file_system_two_renames_do(tmp_path: Path) -> None:
    old, new = tmp_path / "toy", tmp_path / ".install-x"
    for folder in (old, new):
        folder.mkdir()
        (folder / "name").write_text(folder.name)
    _replace(new, old)
    assert (old / "name").read_text() == ".install-x"
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_two_renames_put_the_old_folder_back_when_the_second_fails(tmp_path: Path) -> None:
    old = tmp_path / "toy"
    old.mkdir()
    with pytest.raises(FileNotFoundError):
        _replace(tmp_path / "not there", old)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_two_installations_do_not_mix(ground: Ground) -> None:
    ground.put("one.onnx", FLOAT32)
    with installing(ground.models), pytest.raises(ModelError, match="another installation is running"):
        ground.installer.import_from([ground.stick])


def test_a_model_of_two_files_needs_both(ground: Ground) -> None:
    document = descriptor("pair")
    spec = document["models"][0]
    other = flattening_model(note="other")
    second = {"name": "other.onnx", "sha256": hashlib.sha256(other).hexdigest(), "size": len(other)}
    liveness = {key: spec[key] for key in ("input", "channels")} | {
        "task": "liveness",
        "decoder": "minifasnet",
        "crop_scale": 2.7,
        "files": {"float32": second},
    }
    document["models"].append(liveness)
    write_pack(ground.shipped, document)
    ground.put("other.onnx", other)
    refused(ground, r"incomplete: pair float32: no float32\.onnx")
    ground.put("one.onnx", FLOAT32)
    done = ground.installer.import_from([ground.stick])
    assert {one.pack.name for one in done.installed} == {"pair", "toy"}


def test_progress_is_told(ground: Ground) -> None:
    told: list[tuple[str, int, int]] = []
    ground.put("one.onnx", FLOAT32)
    Installer(ground.catalogue, progress=lambda *step: told.append(step)).import_from([ground.stick])
    assert told == [("float32.onnx", 0, len(FLOAT32)), ("float32.onnx", len(FLOAT32), len(FLOAT32))]


def test_the_stock_tells_how_to_come_by_a_pack(ground: Ground) -> None:
    write_pack(ground.shipped, descriptor("far", {"float32": INT8}, url="https://example.org"))
    ground.put("one.onnx", FLOAT32)
    assert [(one.pack.name, one.state) for one in take_stock(ground.catalogue)[0]] == [
        ("far", "pull"),
        ("toy", "import"),
    ]
    ground.installer.import_from([ground.stick], precision="float32")
    stock = {one.pack.name: one for one in take_stock(ground.catalogue)[0]}["toy"]
    assert (stock.state, stock.present) == ("installed", ("float32",))
    assert stock.sizes == {"float32": len(FLOAT32), "int8": len(INT8)}


def test_verification_without_anything_installed_is_an_error(ground: Ground) -> None:
    with pytest.raises(ModelError, match="no model is installed"):
        check_stock(ground.catalogue, [])


def test_a_gutted_pack_fails_its_verification(ground: Ground) -> None:
    ground.put("one.onnx", FLOAT32)
    ground.installer.import_from([ground.stick])
    (ground.models / "toy" / "float32.onnx").unlink()
    (verdict,) = check_stock(ground.catalogue, [])
    assert verdict.problem is not None
    assert "no model file is installed" in verdict.problem


def test_a_newer_description_of_the_same_files_is_in_force_at_once(ground: Ground) -> None:
    ground.installer.import_from([ground.put("one.onnx", FLOAT32)])
    write_pack(ground.shipped, descriptor("toy", BOTH, title="newer"))
    pack = ground.catalogue.in_force("toy")
    assert (pack.title, pack.directory) == ("newer", ground.models / "toy")
    other = flattening_model(note="other weights")
    write_pack(ground.shipped, descriptor("toy", {"float32": other}, title="newest"))
    assert ground.catalogue.in_force("toy").title != "newest"

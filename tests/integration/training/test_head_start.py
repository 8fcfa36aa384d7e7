"""A published embedder is taken up again as it is."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from embedder_net import Embedder  # noqa: E402 - needs both
from export_embedder import graph_of  # noqa: E402
from head_start import adopt  # noqa: E402
from torch.nn import functional  # noqa: E402
from train_embedder import Student  # noqa: E402

STARTER = Path(__file__).parents[3] / "models" / "starter" / "embedder-int8.onnx"
# torch's and onnx's own code warns about Python's future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def lived_in(seed: int) -> Embedder:
    """A net whose normalisations have seen something."""
    torch.manual_seed(seed)
    net = Embedder((8, 8, 16, 16), (0, 1, 2, 1), 24)
    with torch.no_grad():
        for _ in range(3):
            net.train()(torch.rand(4, 3, 112, 112) * 2 - 1)
    return net.eval()


def test_an_adopted_file_embeds_as_before(tmp_path: Path) -> None:
    path, views = tmp_path / "embedder.onnx", torch.rand(8, 3, 112, 112) * 2 - 1
    donor, heir = lived_in(1), lived_in(2)
    onnx.save(graph_of(donor), str(path))
    adopt(heir, path, views)
    with torch.no_grad():
        expected, got = functional.normalize(donor(views)), functional.normalize(heir(views))
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "embedder.onnx"
    onnx.save(graph_of(Embedder((8, 8, 16, 24), (0, 1, 2, 1), 24).eval()), str(path))
    with pytest.raises(ValueError, match="expected a layer of shape"):
        adopt(lived_in(1), path, torch.zeros(1, 3, 112, 112))


def test_the_shipped_file_can_be_taken_up() -> None:
    student = Student()
    adopt(student.embedder, STARTER, torch.rand(2, 3, 112, 112) * 2 - 1)
    assert student.embedder.training


def test_who_stands_where_the_teacher_says_has_nothing_to_learn() -> None:
    torch.manual_seed(1)
    student = Student()
    student.bank = functional.normalize(torch.randn(50, 128))
    wanted, other = (functional.normalize(torch.randn(4, 128)) for _ in range(2))
    assert abs(float(student.neighbours(wanted, wanted))) < 1e-6
    assert float(student.neighbours(other, wanted)) > 0.1

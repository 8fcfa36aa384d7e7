import pytest

from edged.collecting.gaps import Span, without


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ([], [(10, 20)]),
        ([(1, 9), (21, 30)], [(10, 20)]),
        ([(10, 20)], []),
        ([(1, 99)], []),
        ([(1, 12)], [(13, 20)]),
        ([(18, 30)], [(10, 17)]),
        ([(12, 13), (15, 15)], [(10, 11), (14, 14), (16, 20)]),
        ([(12, 15), (14, 17)], [(10, 11), (18, 20)]),
    ],
)
def test_what_is_gone_is_not_missing(taken: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    assert without(Span(10, 20), [Span(*one) for one in taken]) == [Span(*one) for one in left]

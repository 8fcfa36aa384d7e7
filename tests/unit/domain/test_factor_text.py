"""What may be a PIN or a badge."""

import pytest

from edged.domain.factor_text import normal, shortcoming
from edged.domain.second_factor import FactorKind


@pytest.mark.parametrize(
    "text", ["123", "1111", "1234", "987654", "7890", "12a4", "", "1234567890123", "١٢٣٥", "48 29"]
)
def test_what_is_no_pin_or_tried_first_is_refused(text: str) -> None:
    problem = shortcoming(FactorKind.PIN, normal(FactorKind.PIN, text))
    assert problem is not None
    assert not text or text not in problem


def test_a_pin_is_compared_as_typed_and_a_badge_as_readers_differ() -> None:
    assert shortcoming(FactorKind.PIN, normal(FactorKind.PIN, " 4829\n")) is None
    assert normal(FactorKind.BADGE, "04:a1:b2-c3 ") == normal(FactorKind.BADGE, "04A1B2C3") == "04A1B2C3"
    assert shortcoming(FactorKind.BADGE, "04A1B2C3") is None
    assert shortcoming(FactorKind.BADGE, "04A") is not None
    assert shortcoming(FactorKind.BADGE, "A" * 65) is not None

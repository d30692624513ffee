import pytest
from pydantic import TypeAdapter, ValidationError

from cardcore.model import AMOUNT_FEN_MAX, AmountFen, Instant

INSTANT = TypeAdapter(Instant)
AMOUNT = TypeAdapter(AmountFen)


@pytest.mark.parametrize(
    "text", ["2026-06-01T02:00:00Z", "2026-06-01T10:00:00.5+08:00", "2024-02-29t00:00:00z"]
)
def test_an_instant_is_rfc_3339(text: str) -> None:
    assert INSTANT.validate_python(text).tzinfo is not None


@pytest.mark.parametrize(
    "text", ["1700000000", "2026-06-01 02:00:00Z", "2026-06-01T02:00:00", "2026-06-01", "now", ""]
)
def test_anything_else_is_no_instant(text: str) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(text)
    with pytest.raises(ValidationError):
        INSTANT.validate_json("1700000000", strict=True)


@pytest.mark.parametrize(
    "amount", ["0", "-1", "1.5", '"1e2"', '"100"', "9007199254740992", "9223372036854775808",
               "true", "null", "1e3", str(AMOUNT_FEN_MAX + 1)]
)  # fmt: skip
def test_an_amount_is_an_integer_of_fen_within_bounds(amount: str) -> None:
    """Row 12 of the faults."""
    with pytest.raises(ValidationError):
        AMOUNT.validate_json(amount)
    assert AMOUNT.validate_json("1") == 1

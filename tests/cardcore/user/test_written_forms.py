from datetime import date

import pytest

from cardcore.errors import RequestInvalidError
from cardcore.user.written_forms import normalise_id_no, normalise_phone, normalise_plate
from tests.city_life import id_no

TODAY = date(2026, 6, 1)
GOOD = id_no("19900307", 12)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GOOD, GOOD),
        (f"  {GOOD} ", GOOD),
        (id_no("19550101", 1), id_no("19550101", 1)),  # born before 山亭区 was founded in 1983
        (id_no("19550101", 1).lower(), id_no("19550101", 1)),
        ("370406550101001", id_no("19550101", 1)),  # 15 digits
    ],
)
def test_a_number_is_brought_into_its_one_form(given: str, expected: str) -> None:
    """Row 36 of the faults: 15 digits and lower-case x are normalised."""
    assert normalise_id_no(given, TODAY) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"), "check character"),
        (id_no("20260602", 1), "future"),
        (id_no("20250229", 1), "birth date"),
        (id_no("19900307", 1, place="990406"), "place"),
        (id_no("19900307", 1, place="370499"), "place"),
        ("37040619900307001A", "check character"),
        ("3704061990030700AX", "17 digits"),
        ("1234567", "17 digits"),
        ("37040619900307001\uff18", "check character"),
        ("", "17 digits"),
    ],
)
def test_a_wrong_number_is_refused_with_the_reason_and_without_the_number(
    given: str, reason: str
) -> None:
    """Row 36 of the faults."""
    with pytest.raises(RequestInvalidError) as refused:
        normalise_id_no(given, TODAY)
    assert reason in refused.value.detail
    assert not given or given not in str(refused.value)
    assert refused.value.field == "id_no"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("13800138000", "+8613800138000"),
        ("138-0013-8000", "+8613800138000"),
        ("+86 138 0013 8000", "+8613800138000"),
        ("0086 13800138000", "+8613800138000"),
        ("86 13800138000", "+8613800138000"),
        ("+852 9123 4567", "+85291234567"),
    ],
)
def test_a_phone_number_has_one_written_form(given: str, expected: str) -> None:
    assert normalise_phone(given) == expected
    assert normalise_phone(expected) == expected


@pytest.mark.parametrize(
    "given",
    [
        "12800138000",
        "1380013800",
        "+8612345678901",
        "+86138",
        "0632-8811111",
        "１３８００１３８０００",
        "+0123456789",
    ],
)
def test_what_is_no_phone_number_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(RequestInvalidError) as refused:
        normalise_phone(given)
    assert refused.value.field == "phone"
    assert given not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("鲁D12345", "鲁D12345"),
        ("鲁d·1a345", "鲁D1A345"),
        ("鲁 D D12345", "鲁DD12345"),  # a small new-energy car
        ("鲁DF1234K", None),
        ("鲁D12345F", "鲁D12345F"),  # a large one
        ("鲁D1234挂", "鲁D1234挂"),
        ("鲁DI2345", None),  # I is never given out
        ("鲁D1234", None),
        ("X12345678", None),
        ("鲁D１２３４５", None),
    ],
)
def test_a_plate_follows_the_standard_or_is_refused(given: str, expected: str | None) -> None:
    if expected is not None:
        assert normalise_plate(given) == expected
        return
    with pytest.raises(RequestInvalidError) as refused:
        normalise_plate(given)
    assert refused.value.field == "plate"
    assert given not in str(refused.value)

from datetime import date
from uuid import uuid4

import pytest

from adapters.wiring import City
from cardcore.errors import RequestInvalidError
from cardcore.user.personal_data import PersonalData, mask_id_no, mask_name, normalise_id_no
from hsm_sim.interface import WrappedDataInvalidError
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


def test_masking_hides_all_but_the_ends() -> None:
    assert mask_name("欧阳娜娜") == "欧***"
    assert mask_name("王") == "王*"
    assert mask_name("\U0002000b") == "\U0002000b*"
    assert mask_id_no(GOOD) == f"3{'*' * 16}{GOOD[-1]}"


async def test_sealed_data_opens_only_for_its_person_and_column(city: City) -> None:
    data = PersonalData(city.hsm)
    user_id, other_id = uuid4(), uuid4()
    sealed = await data.seal(user_id, name="𠀋测试", id_no=GOOD)
    name, number = await data.open(
        user_id,
        data_key_wrapped=sealed.data_key_wrapped,
        name_sealed=sealed.name_sealed,
        id_no_sealed=sealed.id_no_sealed,
    )
    assert (name, number) == ("𠀋测试", GOOD)
    with pytest.raises(WrappedDataInvalidError):
        await data.open(
            other_id,
            data_key_wrapped=sealed.data_key_wrapped,
            name_sealed=sealed.name_sealed,
            id_no_sealed=sealed.id_no_sealed,
        )
    assert GOOD.encode() not in sealed.id_no_sealed
    assert await data.index(GOOD) == sealed.id_no_index

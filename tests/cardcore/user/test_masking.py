import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.user.masking import (
    mask_address,
    mask_id_no,
    mask_name,
    mask_payee,
    mask_phone,
    mask_plate,
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("张三", "张*"),
        ("欧阳娜娜", "欧***"),
        ("王", "王*"),
        ("\U0002000b", "\U0002000b*"),
        ("\U0002000b明", "\U0002000b*"),
        ("葛\U000e0100城", "葛\U000e0100*"),  # a variation selector belongs to its character
        ("阿不都·艾力", "阿*****"),
    ],
)
def test_a_name_shows_its_first_character(name: str, shown: str) -> None:
    """Row 34 of the faults: a rare character beyond the basic plane is one character."""
    assert mask_name(name) == shown


@given(st.text(min_size=2, max_size=20))
def test_a_masked_name_never_tells_its_end(name: str) -> None:
    assert set(mask_name(name)[1:].lstrip("*")) <= set(name[1:])
    assert mask_name(name).endswith("*")


def test_numbers_show_their_ends_and_no_more() -> None:
    assert mask_id_no("370406199003070012") == "3704**********0012"
    assert mask_phone("+8613800138000") == "+86138****8000"
    assert mask_plate("鲁D12345") == "鲁D***45"
    assert mask_plate("鲁DD12345") == "鲁D****45"
    assert mask_address("枣庄市山亭区府前路1号") == "枣庄市山亭区****"
    assert mask_payee("6222000011112222") == "****2222"

"""RFC 9285: its own examples, and one text for each byte string."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import base45
from codes.base45 import Base45Error


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"AB", "BB8"),
        (b"Hello!!", "%69 VD92EX0"),
        (b"base-45", "UJCLQE7W581"),
        (b"ietf!", "QED8WEX0"),
        (b"\xff\xff", "FGW"),
        (b"\xff", "U5"),
    ],
)
def test_the_examples_of_the_standard_hold(data: bytes, text: str) -> None:
    assert base45.encode(data) == text
    assert base45.decode(text) == data


@given(st.binary(max_size=400))
def test_decoding_undoes_encoding(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


@given(st.text(alphabet=base45.ALPHABET, max_size=12) | st.text(max_size=12))
def test_a_text_is_refused_or_the_only_one_of_its_bytes(text: str) -> None:
    """Why: two texts for one code would slip past anything keyed by text."""
    try:
        data = base45.decode(text)
    except Base45Error:
        return
    assert base45.encode(data) == text


@pytest.mark.parametrize(
    "text", ["GGW", ":::", "V5", "::", "A", "ABCD", "ab", "A😀", "\ud800AB", "Ａ０", "A\nB"]
)
def test_what_no_bytes_encode_to_is_refused(text: str) -> None:
    with pytest.raises(Base45Error):
        base45.decode(text)

"""Activation codes: random, readable, found again however a technician types them."""

import hashlib
import os
import re

from hypothesis import given
from hypothesis import strategies as st

from cardcore.terminals.activation_code import (
    activation_digest,
    enrolment_message,
    make_activation_code,
)


def test_a_code_is_four_groups_of_five_of_crockfords_letters() -> None:
    code = make_activation_code(os.urandom)
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}", code)


@given(st.binary(min_size=13, max_size=13), st.integers(0, 99))
def test_each_of_the_100_bits_counts(random: bytes, bit: int) -> None:
    """Why: a bit that changes nothing is a bit less to guess."""
    other = (int.from_bytes(random, "big") ^ 1 << bit).to_bytes(13, "big")
    assert make_activation_code(lambda _: random) != make_activation_code(lambda _: other)


def test_a_code_is_read_as_people_read_it_out() -> None:
    meant = "01110-ABCDE-FGHJK-MNPQR"
    for typed in ("oIl10abcdefghjkmnpqr", " 0111o abcde fghjk mnpqr", meant.lower()):
        assert activation_digest(typed) == activation_digest(meant)
    assert activation_digest(meant) != activation_digest("01110-ABCDE-FGHJK-MNPQS")


def test_the_digest_is_sha_256_of_the_twenty_characters() -> None:
    code = make_activation_code(os.urandom)
    assert activation_digest(code) == hashlib.sha256(code.replace("-", "").encode()).digest()


def test_the_message_names_terminal_and_code_apart() -> None:
    assert enrolment_message("bus-1", "AB") == b"CC1-Ebus-1\0AB"
    assert enrolment_message("bus-1A", "B") != enrolment_message("bus-1", "AB")

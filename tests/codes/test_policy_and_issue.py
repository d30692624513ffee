"""Policies that make no sense cannot be made; issuing rounds caps down and picks short lives."""

import hashlib
from typing import Any

import pytest

from codes import Algorithm, ClassS, Policy, Purpose, Scope, context_of, decode
from codes.errors import CodeMalformedError
from tests.codes import city


@pytest.mark.parametrize(
    "changes",
    [{"skew_s": 31}, {"skew_s": -1}, {"scope": Scope.BUS | Scope.VENUE}, {"scope": Scope(0)}],
)
def test_a_policy_that_makes_no_sense_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Policy(**{"scope": Scope.BUS, **changes})


def test_a_context_is_the_start_of_the_digest_of_the_id() -> None:
    assert context_of("公交-30", Algorithm.ES256) == hashlib.sha256("公交-30".encode()).digest()[:4]
    # SM3 of "abc", GB/T 32905 annex A.
    assert context_of("abc", Algorithm.SM2_SM3) == bytes.fromhex("66c7f0f4")


@pytest.mark.parametrize(
    ("changes", "ttl_s"),
    [
        ({}, 30),
        ({"purpose": Purpose.IDENTITY}, 60),
        ({"context": b"CTX."}, 60),
        ({"ttl_s": 15}, 15),
    ],
)
def test_a_paying_code_without_context_lives_30_s(changes: dict[str, Any], ttl_s: int) -> None:
    code = decode(city.code_s(**changes))
    assert isinstance(code, ClassS)
    assert code.ttl_s == ttl_s


def test_a_cap_is_never_widened_by_rounding() -> None:
    code = decode(city.code_s(cap_fen=1999))
    assert isinstance(code, ClassS)
    assert code.cap_10fen == 199


def test_what_breaks_a_table_is_not_issued() -> None:
    with pytest.raises(CodeMalformedError):
        city.code_s(cap_fen=1_000_000)
    with pytest.raises(CodeMalformedError):
        city.code_d(made_at_s=city.NOW_S - 4000)

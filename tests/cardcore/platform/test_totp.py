"""One-time passwords: the standard's own examples, and that each is good once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.platform.totp import (
    STEP_S,
    matching_step,
    one_time_password,
    provisioning_uri,
    step_of,
)

SECRET = b"12345678901234567890"
NOW = datetime(2026, 11, 23, 8, 0, 3, tzinfo=UTC)


# RFC 6238, appendix B, SHA-1; the last six of its eight digits.
@pytest.mark.parametrize(
    ("seconds", "password"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_the_passwords_are_those_of_the_standard(seconds: int, password: str) -> None:
    at = datetime.fromtimestamp(seconds, tz=UTC)
    assert one_time_password(SECRET, step_of(at)) == password
    assert matching_step(SECRET, password, at=at, last_step=0) == step_of(at)


@given(st.integers(-4, 4), st.binary(min_size=20, max_size=20))
def test_a_password_is_good_one_step_around_and_once(offset: int, secret: bytes) -> None:
    step = step_of(NOW) + offset
    password = one_time_password(secret, step)
    near = {one_time_password(secret, step_of(NOW) + one) for one in (-1, 0, 1)}
    found = matching_step(secret, password, at=NOW, last_step=0)
    assert (found is not None) == (password in near)
    if found is not None:
        assert matching_step(secret, password, at=NOW, last_step=found) in (None, found + 1)


def test_a_password_of_a_spent_step_is_refused_and_the_next_is_not() -> None:
    now = step_of(NOW)
    later = NOW + timedelta(seconds=STEP_S)
    assert matching_step(SECRET, one_time_password(SECRET, now), at=NOW, last_step=now) is None
    following = one_time_password(SECRET, now + 1)
    assert matching_step(SECRET, following, at=later, last_step=now) == now + 1


def test_the_authenticator_reads_name_issuer_and_secret() -> None:
    uri = provisioning_uri(SECRET, operator_id="zhang.wei", issuer="cardcore")
    assert uri == (
        "otpauth://totp/cardcore%3Azhang.wei"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=cardcore"
    )

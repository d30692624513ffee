"""Showing a code to a verifier in a test: accept it, or name the reason of its refusal."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

import codes
from codes import Accepted, CodeError, Policy, Status, base45
from tests.codes import city
from tests.codes.city import BUS, NOW_S, RING

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass
class OneStatus:
    """A status list that says the same of every index."""

    answer: Status = Status.VALID
    issued_at_s: int = NOW_S - 60
    expires_at_s: int = NOW_S + 86_400

    def for_issuer(self, issuer_id: int) -> "OneStatus | None":
        return self if issuer_id == city.ISSUER_ID else None

    def status(self, index: int) -> Status:
        return self.answer


VALID = OneStatus()


def accept(
    text: str,
    policy: Policy = BUS,
    now: datetime | int = NOW_S,
    **more: Any,  # noqa: ANN401  (any argument of verify)
) -> Accepted:
    ring = more.pop("ring", RING)
    status_list = more.pop("status_list", VALID)
    replay = more.pop("replay", None)
    return codes.verify(text, ring, status_list, policy, now, replay, **more)


def refusal(
    text: str,
    policy: Policy = BUS,
    now: datetime | int = NOW_S,
    **more: Any,  # noqa: ANN401  (any argument of verify)
) -> str:
    with pytest.raises(CodeError) as caught:
        accept(text, policy, now, **more)
    assert caught.value.detail, "the operator's log needs a reason"
    assert caught.value.detail not in str(caught.value)
    return caught.value.code


def flip(text: str, place: int, bit: int = 1) -> str:
    """``text`` with one bit of one byte flipped."""
    data = bytearray(base45.decode(text[3:]))
    data[place] ^= bit
    return "M1:" + base45.encode(bytes(data))

"""Short ways of saying what a test does to people's records."""

import itertools
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from cardcore.caller import Caller
from cardcore.errors import CardcoreError
from cardcore.user.people_request import (
    Act,
    BindPlateRequest,
    CloseRequest,
    FundAct,
    MergeRequest,
    SettleClaimRequest,
)
from cardcore.user.people_views import LifeEventView
from cardcore.user.request import OpenUserRequest
from tests.city_life import CENTRE, VALIDATOR, Life

PHONE = "13800138000"
PLATE = "鲁D12345"
_keys = itertools.count(1)


def key() -> str:
    """An idempotency key never used before."""
    return f"act-{next(_keys)}"


def act(reason: str = "risk", **fields: object) -> Act:
    """A reason, and what else is said."""
    return Act.model_validate({"reason": reason} | fields)


def fund_act(fund: str) -> FundAct:
    """A reason, and the fund it is about."""
    return FundAct(fund=fund, reason="risk")


async def do(
    verb: Callable[[Caller, UUID, Act, str], Awaitable[tuple[LifeEventView, bool]]],
    subject: UUID,
    request: Act | None = None,
) -> LifeEventView:
    """Call a verb of the form (caller, id, act, key)."""
    event, replayed = await verb(CENTRE, subject, request or act(), key())
    assert not replayed
    return event


async def opened(life: Life, **fields: object) -> UUID:
    """Register somebody."""
    request = OpenUserRequest.model_validate(fields)
    user, _ = await life.city.core.open_user(CENTRE, request, key())
    return user.user_id


async def merge(life: Life, survivor: UUID, duplicate: UUID, **fields: object) -> LifeEventView:
    """Merge a duplicate into the one that survives."""
    request = MergeRequest.model_validate(
        {"duplicate_id": duplicate, "reason": "duplicate"} | fields
    )
    event, _ = await life.city.core.merge_users(CENTRE, survivor, request, key())
    return event


async def close(life: Life, user_id: UUID, payee: str | None = None) -> UUID | None:
    """Close somebody; the claim's id, where there was a balance."""
    request = CloseRequest(reason="user_request", payee=payee)
    event, _ = await life.city.core.close_user(CENTRE, user_id, request, key())
    return None if event.object is None else UUID(event.object)


async def settle(life: Life, claim_id: UUID, channel_no: str = "P1") -> LifeEventView:
    """Say that the bank has paid a claim out."""
    request = SettleClaimRequest(channel="bank", channel_no=channel_no)
    event, _ = await life.city.core.settle_claim(CENTRE, claim_id, request, key())
    return event


async def duplicate(life: Life, *, balance_fen: int = 300) -> UUID:
    """Somebody known by a phone alone, with a car."""
    user_id = await opened(life, level="phone", phone=PHONE, funds=["transit"])
    await life.top_up(user_id, balance_fen)
    plate = BindPlateRequest(plate=PLATE)
    await life.city.core.bind_plate(CENTRE, user_id, plate, key())
    return user_id


async def refused_code(life: Life, code: str) -> str:
    """Why a ride with this code is refused."""
    with pytest.raises(CardcoreError) as refused:
        await life.city.core.order(VALIDATOR, life.ride(code), key())
    return refused.value.code

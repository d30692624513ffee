"""Delegations: the pure rule of who pays, and the register."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.errors import (
    FundUnknownError,
    LimitExceededError,
    NotFoundError,
    PersonStateError,
    UserFrozenError,
)
from cardcore.user.delegation import Delegation, DelegationUse, payers_of
from cardcore.user.people_request import (
    GrantDelegationRequest,
)
from tests.cardcore.user.people_acts import close, do, key, merge, opened
from tests.city_life import CENTRE, Life

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)


# -- delegations: the pure rule ------------------------------------------------------------------


def delegation(**changes: object) -> Delegation:
    fields: dict[str, object] = {
        "delegation_id": uuid4(),
        "user_id": uuid4(),
        "payer_id": uuid4(),
        "kind": "guardian",
        "use": DelegationUse.WHEN_SHORT,
        "fund": "auto",
        "scenes": frozenset({"bus"}),
        "order_fen_max": 500,
        "day_fen_max": 1_000,
        "month_fen_max": None,
        "valid_from": NOW - DAY,
        "valid_to": NOW + DAY,
        "payer_active": True,
        "payer_funds": (),
    }
    return Delegation(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"scenes": frozenset({"hospital"})},
        {"valid_from": NOW + timedelta(seconds=1)},
        {"valid_to": NOW},
    ],
)
def test_a_delegation_pays_only_where_and_while_it_holds(changes: dict[str, object]) -> None:
    with pytest.raises(FundUnknownError):
        payers_of([delegation(**changes)], scene="bus", at=NOW)


def test_a_payer_who_is_frozen_pays_nothing_and_the_next_one_does() -> None:
    frozen, able = delegation(payer_active=False), delegation()
    with pytest.raises(UserFrozenError):
        payers_of([frozen], scene="bus", at=NOW)
    assert payers_of([frozen, able], scene="bus", at=NOW) == [able]


def test_a_payer_is_named_by_todays_id_and_by_those_from_before_a_merge() -> None:
    former = uuid4()
    one = delegation(payer_former_ids=frozenset({former}))
    assert one.is_of(one.payer_id)
    assert one.is_of(former)
    assert not one.is_of(uuid4())


@given(st.integers(1, 1_000), st.integers(1, 1_000))
def test_one_order_is_admitted_up_to_the_limit_and_not_a_fen_beyond(
    amount_fen: int, order_fen_max: int
) -> None:
    one = delegation(order_fen_max=order_fen_max)
    if amount_fen <= order_fen_max:
        one.admit(amount_fen)
        return
    with pytest.raises(LimitExceededError) as refused:
        one.admit(amount_fen)
    assert refused.value.facts == {
        "limit": "delegation_order",
        "limit_fen": order_fen_max,
        "asked_fen": amount_fen,
        "delegation_id": str(one.delegation_id),
    }


# -- delegations: the register -------------------------------------------------------------------


def granting(life: Life, payer_id: UUID, **changes: object) -> GrantDelegationRequest:
    fields: dict[str, object] = {
        "payer_id": payer_id,
        "kind": "guardian",
        "scenes": ["bus"],
        "order_fen_max": 500,
        "day_fen_max": 1_000,
        "valid_from": life.clock.now,
        "valid_to": life.clock.now + 30 * DAY,
        "evidence": "出生证明 1",
    }
    return GrantDelegationRequest.model_validate(fields | changes)


async def test_a_delegation_is_read_by_both_and_revoked_once(life: Life) -> None:
    child, guardian = await life.person(balance_fen=0), await life.person()
    core = life.city.core
    granted = granting(life, guardian, use="first", fund="transit", month_fen_max=9_000)
    event, _ = await core.grant_delegation(CENTRE, child, granted, key())
    assert event.object is not None
    for whose in (child, guardian):
        (view,) = (await core.list_delegations(CENTRE, whose)).delegations
        assert (view.user_id, view.payer_id, view.scenes) == (child, guardian, ["bus"])
        assert (view.use, view.fund, view.month_fen_max) == ("first", "transit", 9_000)
    await do(core.revoke_delegation, UUID(event.object))
    with pytest.raises(NotFoundError):
        await do(core.revoke_delegation, UUID(event.object))


async def test_a_delegation_needs_two_active_people_and_time_left(life: Life) -> None:
    child, guardian = await life.person(), await life.person()
    core = life.city.core
    ended = {"valid_from": life.clock.now - 2 * DAY, "valid_to": life.clock.now - DAY}
    for request in (granting(life, child), granting(life, guardian, **ended)):
        with pytest.raises(PersonStateError):
            await core.grant_delegation(CENTRE, child, request, key())
    await do(core.freeze_user, guardian)
    with pytest.raises(PersonStateError):
        await core.grant_delegation(CENTRE, child, granting(life, guardian), key())
    with pytest.raises(PersonStateError):
        await core.grant_delegation(CENTRE, guardian, granting(life, child), key())


async def test_delegations_follow_a_merge_and_end_with_a_closure(life: Life) -> None:
    child, guardian = await life.person(balance_fen=0), await life.person(balance_fen=0)
    twin = await opened(life, level="phone", phone="13800138000")
    core = life.city.core
    await core.grant_delegation(CENTRE, child, granting(life, twin), key())
    await core.grant_delegation(CENTRE, guardian, granting(life, twin), key())
    await merge(life, guardian, twin)
    for_child = (await core.list_delegations(CENTRE, child)).delegations
    assert [(one.payer_id, one.revoked_at) for one in for_child] == [(guardian, None)]
    of_both = (await core.list_delegations(CENTRE, twin)).delegations
    (between,) = (one for one in of_both if one.user_id == guardian)
    assert between.revoked_at == life.clock.now
    await close(life, guardian)
    for_child = (await core.list_delegations(CENTRE, child)).delegations
    assert for_child[0].revoked_at == life.clock.now


@pytest.mark.parametrize(
    "changes",
    [
        {"day_fen_max": 1, "order_fen_max": 2},
        {"day_fen_max": 10, "month_fen_max": 9},
        {"valid_to": NOW, "valid_from": NOW},
    ],
)
def test_a_delegation_that_contradicts_itself_is_refused(changes: dict[str, object]) -> None:
    fields: dict[str, object] = {
        "payer_id": uuid4(),
        "kind": "agent",
        "scenes": ["bus"],
        "order_fen_max": 1,
        "day_fen_max": 1,
        "valid_from": NOW,
        "valid_to": NOW + DAY,
    }
    with pytest.raises(ValueError, match="GrantDelegationRequest"):
        GrantDelegationRequest.model_validate(fields | changes)

"""Merging two records of one person."""

from datetime import date
from uuid import UUID, uuid4

import pytest

from cardcore.books import transaction
from cardcore.business.request import RefundRequest
from cardcore.errors import (
    LimitExceededError,
    ObligationsOpenError,
    PersonStateError,
    UserUnknownError,
)
from cardcore.user.card_request import IssueCardRequest
from cardcore.user.merging import check_merge
from cardcore.user.people_request import (
    FindUserRequest,
    OrdersQuery,
)
from tests.cardcore.user.people_acts import (
    PHONE,
    PLATE,
    close,
    do,
    duplicate,
    fund_act,
    key,
    merge,
    opened,
    refused_code,
)
from tests.cardcore.user.test_authorisations import Phone
from tests.city_life import BUS_OFFICE, CENTRE, FLAT_FARE_FEN, VALIDATOR, Life, id_no
from tests.virtual_card import card_number


async def test_a_merged_person_is_another_name_of_the_survivor(life: Life) -> None:
    survivor, other = await life.person(balance_fen=1_000), await duplicate(life)
    core = life.city.core
    mine, theirs = await life.pay(survivor), await life.pay(other)
    event = await merge(life, survivor, other)
    assert (event.user_id, event.object) == (survivor, str(other))
    for name in (survivor, other):
        user = await core.read_user(CENTRE, name)
        assert (user.user_id, user.status, user.merged_ids) == (survivor, "active", [other])
        assert user.funds[0].balance_fen == 1_000 + 300 - 2 * FLAT_FARE_FEN
        orders = await core.list_orders(CENTRE, name, OrdersQuery())
        assert {one.order_id for one in orders.orders} == {mine.order_id, theirs.order_id}
        credentials = (await core.list_credentials(CENTRE, name)).credentials
        assert [(one.kind, one.user_id, one.label_masked) for one in credentials] == [
            ("plate", survivor, "鲁D***45")
        ]
    for asked in ({"phone": PHONE}, {"plate": PLATE}):
        found = await core.find_user(CENTRE, FindUserRequest.model_validate(asked))
        assert found.user_id == survivor
    assert (await core.read_order(CENTRE, theirs.order_id)).order_id == theirs.order_id
    assert await life.books_are_right()


async def test_row_23_a_code_of_the_merged_is_refused_at_once(life: Life) -> None:
    survivor, other = await life.person(), await duplicate(life)
    code = await life.code(other)
    await merge(life, survivor, other)
    assert await refused_code(life, code) == "user_frozen"


async def test_money_given_back_to_the_merged_reaches_the_survivor(life: Life) -> None:
    survivor, other = await life.person(balance_fen=0), await duplicate(life)
    order = await life.pay(other)
    await merge(life, survivor, other)
    third = await opened(life, name="最终", id_no=id_no("19900101", 900), funds=["transit"])
    await merge(life, third, survivor, reason="mistake")
    request = RefundRequest(out_refund_no="R1", reason="重复扣款")
    await life.city.core.refund(BUS_OFFICE, order.order_id, request, key())
    assert await life.balance_fen(third) == 300
    for name in (survivor, other):
        assert (await life.city.core.read_user(CENTRE, name)).user_id == third
    assert await life.books_are_right()


async def test_rights_move_with_the_person(life: Life) -> None:
    survivor = await life.person()
    other = await life.person(concession="senior")
    await merge(life, survivor, other, reason="mistake")
    assert (await life.city.core.read_user(CENTRE, survivor)).concessions == ["senior"]
    rights = (await life.city.core.list_entitlements(CENTRE, other)).entitlements
    assert [(one.concession, one.user_id, one.has_evidence) for one in rights] == [
        ("senior", survivor, True)
    ]
    order = await life.pay(survivor)
    assert order.citizen_fen < order.nominal_fen


async def test_a_merge_waits_for_holds_and_frozen_funds(life: Life) -> None:
    survivor, other = await life.person(), await duplicate(life)
    order = await life.hold(other)
    with pytest.raises(ObligationsOpenError) as refused:
        await merge(life, survivor, other)
    assert refused.value.facts["open"] == [f"order_held:{order.order_id}", "fund_held:transit"]
    await life.city.core.void(VALIDATOR, order.order_id, key())
    for whose in (survivor, other):
        await life.city.core.freeze_fund(CENTRE, whose, fund_act("transit"), key())
        with pytest.raises(ObligationsOpenError) as refused:
            await merge(life, survivor, other)
        assert refused.value.facts["open"] == ["fund_frozen:transit"]
        await life.city.core.unfreeze_fund(CENTRE, whose, fund_act("transit"), key())
    await merge(life, survivor, other)


async def test_what_may_not_become_one_stays_two(life: Life) -> None:
    survivor, other = await life.person(), await duplicate(life)
    real = await life.person()
    for one, two, reason in (
        (other, survivor, "duplicate"),  # less is known of the one that would survive
        (survivor, real, "duplicate"),  # two identity numbers
        (survivor, survivor, "duplicate"),
    ):
        with pytest.raises(PersonStateError):
            await merge(life, one, two, reason=reason)
    await do(life.city.core.freeze_user, other)
    with pytest.raises(PersonStateError):
        await merge(life, survivor, other)
    await do(life.city.core.unfreeze_user, other)
    await do(life.city.core.freeze_user, survivor)
    with pytest.raises(PersonStateError):
        await merge(life, survivor, other)
    await do(life.city.core.unfreeze_user, survivor)
    with pytest.raises(UserUnknownError):
        await merge(life, survivor, uuid4())
    assert await life.balance_fen(other) == 300
    await merge(life, survivor, other)
    with pytest.raises(PersonStateError):
        await merge(life, survivor, other)


async def test_a_merge_keeps_within_what_a_fund_may_hold(life: Life) -> None:
    survivor, other = await life.person(balance_fen=99_900), await duplicate(life)
    with pytest.raises(LimitExceededError) as refused:
        await merge(life, survivor, other)
    assert refused.value.facts["limit"] == "fund_balance:transit"
    assert await life.balance_fen(other) == 300


def test_a_merge_of_one_with_itself_is_none() -> None:
    class Row:
        user_id = uuid4()
        level = "phone"
        id_no_index = None

    with pytest.raises(PersonStateError):
        check_merge(Row(), Row(), "duplicate")  # type: ignore[arg-type]


async def card_of(life: Life, user_id: UUID) -> UUID:
    """A card that was issued to somebody."""
    request = IssueCardRequest(
        number=card_number(next(life.numbers)),
        kind="cpu",
        valid_from=date(2026, 1, 1),
        valid_to=date(2030, 12, 31),
    )
    view, _ = await life.city.core.issue_card(CENTRE, user_id, request, key())
    return view.card_id


async def test_cards_follow_a_merge_and_end_with_a_closure(life: Life) -> None:
    survivor, other = await life.person(balance_fen=0), await duplicate(life, balance_fen=1)
    card_id = await card_of(life, other)
    await merge(life, survivor, other)
    (card,) = (await life.city.core.user_cards(CENTRE, survivor)).cards
    assert (card.card_id, card.status) == (card_id, "active")
    await close(life, survivor)
    async with transaction(life.city.engine) as (connection, _):
        found = await connection.exec_driver_sql("SELECT status FROM cardcore.card")
        assert list(found.scalars()) == ["closed"]


async def test_whoever_asks_for_a_code_under_a_merged_id_gets_the_survivors(life: Life) -> None:
    survivor, other = await life.person(), await duplicate(life)
    await merge(life, survivor, other)
    order = await life.pay(other)
    assert order.status == "captured"
    assert await life.balance_fen(survivor) == 10_000 + 300 - FLAT_FARE_FEN


async def test_a_phone_authorised_under_a_merged_id_pays_for_the_survivor(life: Life) -> None:
    survivor, other = await life.person(), await duplicate(life)
    await merge(life, survivor, other)
    phone = Phone(life, other)
    await phone.ask()
    order, _ = await life.city.core.order(VALIDATOR, life.ride(await phone.code()), key())
    assert order.status == "captured"
    assert await life.balance_fen(survivor) == 10_000 + 300 - FLAT_FARE_FEN

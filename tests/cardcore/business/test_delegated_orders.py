"""Orders that somebody else pays: by whose choice, within which limits, and where money returns."""

import asyncio
import itertools
from datetime import timedelta
from uuid import UUID

import pytest

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import City, open_city
from cardcore.business.request import Account, Mode, PaidBy, RefundRequest, User
from cardcore.business.views import OrderView
from cardcore.errors import (
    CardcoreError,
    ForbiddenError,
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    UserFrozenError,
)
from cardcore.user.people_request import Act, CloseRequest, FundAct, GrantDelegationRequest
from tests.cardcore.user.people_acts import merge, opened
from tests.city_life import CENTRE, FLAT_FARE_FEN, VALIDATOR, Life

FARE = FLAT_FARE_FEN
DAY = timedelta(days=1)
_keys = itertools.count(1)


def key() -> str:
    return f"delegated-{next(_keys)}"


async def grant(life: Life, user_id: UUID, payer_id: UUID, **changes: object) -> UUID:
    fields: dict[str, object] = {
        "payer_id": payer_id,
        "kind": "guardian",
        "scenes": ["bus"],
        "order_fen_max": 500,
        "day_fen_max": 1_000,
        "valid_from": life.clock.now - DAY,
        "valid_to": life.clock.now + 90 * DAY,
    }
    request = GrantDelegationRequest.model_validate(fields | changes)
    event, _ = await life.city.core.grant_delegation(CENTRE, user_id, request, key())
    assert event.object is not None
    return UUID(event.object)


async def ride(
    life: Life, user_id: UUID, *, city: City | None = None, **account: object
) -> OrderView:
    request = life.ride(await life.code(user_id)).model_copy(
        update={"account": Account.model_validate(account)}
    )
    order, _ = await (city or life.city).core.order(VALIDATOR, request, key())
    return order


async def family(
    life: Life, *, own_fen: int = 0, payer_fen: int = 10_000, **delegation: object
) -> tuple[UUID, UUID, UUID]:
    """A child, a guardian, and the delegation between them."""
    child = await life.person(balance_fen=own_fen)
    guardian = await life.person(balance_fen=payer_fen)
    return child, guardian, await grant(life, child, guardian, **delegation)


async def test_a_guardian_pays_where_the_child_is_short_and_explain_says_so(life: Life) -> None:
    child, guardian, delegation_id = await family(life, own_fen=FARE - 1)
    order = await ride(life, child)
    assert await life.balance_fen(child) == FARE - 1
    assert await life.balance_fen(guardian) == 10_000 - FARE
    (line,) = (await life.city.core.explain(CENTRE, order.order_id)).lines
    assert (line.paid_by, line.delegation_id, line.payer_id) == (
        "guardian",
        delegation_id,
        guardian,
    )
    (line,) = (await life.city.core.explain(VALIDATOR, order.order_id)).lines
    assert (line.paid_by, line.delegation_id, line.payer_id) == ("guardian", delegation_id, None)
    assert await life.books_are_right()


async def test_a_child_with_money_of_their_own_pays_alone(life: Life) -> None:
    child, guardian, _ = await family(life, own_fen=FARE)
    order = await ride(life, child)
    assert await life.balance_fen(child) == 0
    assert await life.balance_fen(guardian) == 10_000
    (line,) = (await life.city.core.explain(CENTRE, order.order_id)).lines
    assert (line.paid_by, line.delegation_id, line.payer_id) == ("self", None, child)


async def test_whoever_pays_first_pays_before_the_person_and_within_their_limits(
    life: Life,
) -> None:
    child, guardian, _ = await family(
        life, own_fen=10_000, use="first", order_fen_max=FARE, day_fen_max=2 * FARE
    )
    for _ in range(3):
        await ride(life, child)
    assert await life.balance_fen(guardian) == 10_000 - 2 * FARE
    assert await life.balance_fen(child) == 10_000 - FARE


@pytest.mark.parametrize(
    ("use", "payer", "payer_pays"),
    [
        ("when_asked", PaidBy.AUTO, False),
        ("when_asked", PaidBy.DELEGATE, True),
        ("when_short", PaidBy.DELEGATE, True),
        ("first", PaidBy.SELF, False),
        ("first", PaidBy.AUTO, True),
    ],
)
async def test_the_order_and_the_delegation_say_who_pays(
    life: Life, use: str, payer: PaidBy, payer_pays: bool
) -> None:
    child, guardian, _ = await family(life, own_fen=10_000, use=use)
    await ride(life, child, payer=payer)
    assert await life.balance_fen(guardian) == 10_000 - FARE * payer_pays
    assert await life.balance_fen(child) == 10_000 - FARE * (not payer_pays)


async def test_the_centre_names_a_payer_by_any_of_their_ids_and_a_merchant_by_none(
    life: Life,
) -> None:
    child = await life.person()
    mother, father = await life.person(), await life.person()
    twin = await opened(life, level="phone", phone="13800138000")
    await grant(life, child, mother)
    await grant(life, child, twin)
    await merge(life, father, twin)
    for payer in (mother, father, twin):
        request = life.ride(await life.code(child)).model_copy(
            update={"account": Account(payer=payer)}
        )
        with pytest.raises(ForbiddenError):
            await life.city.core.order(VALIDATOR, request, key())
        await life.city.core.order(CENTRE, request, key())
    assert await life.balance_fen(mother) == 10_000 - FARE
    assert await life.balance_fen(father) == 10_000 - 2 * FARE
    stranger = life.ride(await life.code(child)).model_copy(
        update={"account": Account(payer=await life.person())}
    )
    with pytest.raises(FundUnknownError):
        await life.city.core.order(CENTRE, stranger, key())
    own = life.ride(await life.code(child)).model_copy(update={"account": Account(payer=child)})
    await life.city.core.order(CENTRE, own, key())
    assert await life.balance_fen(child) == 10_000 - FARE


@pytest.mark.parametrize(
    ("limits", "rides", "limit"),
    [
        ({"order_fen_max": FARE - 1}, 0, "delegation_order"),
        ({"order_fen_max": FARE, "day_fen_max": 2 * FARE + 50}, 2, "delegation_day"),
        (
            {"order_fen_max": FARE, "day_fen_max": FARE, "month_fen_max": FARE + 50},
            1,
            "delegation_month",
        ),
    ],
)
async def test_a_refusal_names_the_limit_of_the_delegation_and_until_when(
    life: Life, limits: dict[str, int], rides: int, limit: str
) -> None:
    child, _, delegation_id = await family(life, **limits)
    for _ in range(rides):
        await ride(life, child)
    if limit == "delegation_month":
        life.clock.advance(days=1)
    with pytest.raises(LimitExceededError) as refused:
        await ride(life, child)
    facts = refused.value.facts
    assert (facts["limit"], facts["delegation_id"]) == (limit, str(delegation_id))
    assert refused.value.field == "account.payer"
    if rides:
        assert (facts["used_fen"], facts["asked_fen"]) == (rides * FARE, FARE)
        until = {"delegation_day": "2026-06-01T20:30:00+00:00"}
        assert facts["until"] == until.get(limit, "2026-06-30T20:30:00+00:00")
        life.clock.advance(days=31)
        await ride(life, child)


async def test_many_rides_at_once_at_two_servers_never_pass_the_days_limit(
    life: Life, city_addresses: Addresses, city_settings: Settings
) -> None:
    """Why: a child's phone in the wrong hands costs at most the day's limit, races or not."""
    child, guardian, _ = await family(life, order_fen_max=FARE, day_fen_max=5 * FARE)
    async with open_city(city_addresses, city_settings, clock=life.clock) as second:
        answers = await asyncio.gather(
            *(ride(life, child, city=one) for one in (life.city, second) for _ in range(6)),
            return_exceptions=True,
        )
    refused = [one for one in answers if isinstance(one, LimitExceededError)]
    assert len(refused) == 7
    assert await life.balance_fen(guardian) == 10_000 - 5 * FARE
    assert await life.books_are_right()


async def test_what_stands_against_a_delegation_leaves_the_person_to_pay_alone(life: Life) -> None:
    child, guardian, delegation_id = await family(life)
    core = life.city.core
    cases: list[tuple[type[CardcoreError], str]] = []

    async def refused(kind: type[CardcoreError]) -> None:
        with pytest.raises(kind) as refusal:
            await ride(life, child)
        cases.append((kind, refusal.value.code))

    await core.freeze_fund(CENTRE, guardian, FundAct(fund="transit", reason="risk"), key())
    await refused(InsufficientBalanceError)
    await core.unfreeze_fund(CENTRE, guardian, FundAct(fund="transit", reason="risk"), key())
    await core.freeze_user(CENTRE, guardian, Act(reason="risk"), key())
    await refused(InsufficientBalanceError)
    with pytest.raises(UserFrozenError):
        await ride(life, child, payer="delegate")
    await core.unfreeze_user(CENTRE, guardian, Act(reason="risk"), key())
    await ride(life, child)
    await core.revoke_delegation(CENTRE, delegation_id, Act(reason="user_request"), key())
    await refused(InsufficientBalanceError)
    with pytest.raises(FundUnknownError):
        await ride(life, child, payer="delegate")
    assert len(cases) == 3


async def test_a_payer_who_is_short_is_passed_over_and_what_they_have_is_not_told(
    life: Life,
) -> None:
    child, _, _ = await family(life, payer_fen=FARE - 1)
    with pytest.raises(InsufficientBalanceError) as refused:
        await ride(life, child, payer="delegate")
    assert "available_fen" not in refused.value.facts
    second = await life.person()
    await grant(life, child, second)
    await ride(life, child)
    assert await life.balance_fen(second) == 10_000 - FARE


async def test_the_delegation_says_which_fund_of_the_payer_pays(life: Life) -> None:
    child = await life.person(balance_fen=0)
    guardian = await life.person(balance_fen=300, funds=("transit", "purse"))
    await life.top_up(guardian, 500, fund="purse")
    await grant(life, child, guardian, fund="purse")
    order = await ride(life, child)
    assert [line.fund for line in order.lines] == ["purse"]
    assert await life.balance_fen(guardian, "purse") == 500 - FARE
    with pytest.raises(FundUnknownError):
        await ride(life, child, payer="delegate", fund="transit")
    with pytest.raises(FundUnknownError):
        await grant(life, child, guardian, fund="gold")


async def test_a_refund_returns_to_whoever_paid_even_when_they_have_left(life: Life) -> None:
    child, guardian, _ = await family(life)
    order = await ride(life, child)
    core = life.city.core
    half = RefundRequest(out_refund_no="D1", amount_fen=40, reason="r")
    await core.refund(CENTRE, order.order_id, half, key())
    assert await life.balance_fen(guardian) == 10_000 - FARE + 40
    await core.close_user(CENTRE, guardian, CloseRequest(reason="user_request"), key())
    rest = RefundRequest(out_refund_no="D2", reason="r")
    await core.refund(CENTRE, order.order_id, rest, key())
    async with life.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT user_id, amount_fen FROM cardcore.payout_claim WHERE reason = 'refund'"
        )
        assert await found.fetchall() == [(guardian, FARE - 40)]
    assert await life.books_are_right()


async def test_a_merged_id_in_an_order_is_the_survivor(life: Life) -> None:
    survivor = await life.person()
    twin = await opened(life, level="phone", phone="13800138000")
    await merge(life, survivor, twin)
    ride_of_twin = life.ride("unused").model_copy(update={"user": User(user_id=twin)})
    order, _ = await life.city.core.order(CENTRE, ride_of_twin, key())
    assert await life.balance_fen(survivor) == 10_000 - FARE
    (line,) = (await life.city.core.explain(CENTRE, order.order_id)).lines
    assert line.payer_id == survivor


async def test_a_hold_is_paid_by_the_delegate_too(life: Life) -> None:
    child, guardian, _ = await family(life)
    request = life.ride(await life.code(child)).model_copy(update={"mode": Mode.HOLD})
    order, _ = await life.city.core.order(VALIDATOR, request, key())
    assert await life.balance_fen(guardian) == 10_000 - FARE
    await life.city.core.void(VALIDATOR, order.order_id, key())
    assert await life.balance_fen(guardian) == 10_000


def test_an_order_that_names_no_payer_is_the_same_bytes_as_before() -> None:
    """Why: a request retried across an upgrade must have the digest it had."""
    assert Account().model_dump_json() == '{"fund":"auto"}'
    assert Account(payer=PaidBy.SELF).model_dump_json() == '{"fund":"auto","payer":"self"}'


async def test_row_17_two_who_pay_for_each_other_in_a_storm_lose_no_fen(
    life: Life, city_addresses: Addresses, city_settings: Settings
) -> None:
    """Why: A pays for B while B pays for A, and both are refunded: a deadlock's classic shape."""
    ann, ben = await life.person(), await life.person()
    for user_id, payer_id in ((ann, ben), (ben, ann)):
        await grant(life, user_id, payer_id, use="first", order_fen_max=500, day_fen_max=10_000)

    async def ride_and_return(city: City, user_id: UUID) -> None:
        order = await ride(life, user_id, city=city)
        half = RefundRequest(out_refund_no=key(), amount_fen=FARE // 2, reason="r")
        await city.core.refund(CENTRE, order.order_id, half, key())

    async with open_city(city_addresses, city_settings, clock=life.clock) as second:
        await asyncio.gather(
            *(
                ride_and_return(city, user_id)
                for city in (life.city, second)
                for user_id in (ann, ben)
                for _ in range(5)
            )
        )
    assert [await life.balance_fen(one) for one in (ann, ben)] == [10_000 - 10 * FARE // 2] * 2
    assert await life.books_are_right()

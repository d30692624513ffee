"""Regimes, plans, subsidies, credit lines and counts, on real books."""

import asyncio
from uuid import UUID

import psycopg
import pytest

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore.account.request import DepositRequest, GrantRequest, PlanRequest, TopUpRequest
from cardcore.business.request import Mode, RefundRequest
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    ObligationsOpenError,
    OrderConflictError,
    PersonStateError,
    SceneUnknownError,
)
from cardcore.user.people_request import CloseRequest, MergeRequest
from scenes.catalogue import SCENES
from tests.cardcore.account.conftest import MEALS, SHOP, Funding, key
from tests.city_life import CENTRE
from tests.conftest import CityClock


async def paid_by(funding: Funding, user_id: UUID, amount_fen: int, **where: str) -> dict[str, int]:
    """What each fund gave for a purchase."""
    order = await funding.buy(user_id, amount_fen, **where)  # type: ignore[arg-type]
    return {str(line.fund): line.amount_fen for line in order.lines}


# -- plans ---------------------------------------------------------------------------------------


async def test_every_scene_of_the_catalogue_has_a_funding_plan(funding: Funding) -> None:
    plans = await funding.city.core.funding_plans(CENTRE)
    assert {plan.scene for plan in plans.plans} == {scene.code for scene in SCENES}


async def test_an_earmarked_subsidy_is_spent_before_the_purse(funding: Funding) -> None:
    await funding.shop()
    user_id = await funding.life.person(funds=("purse",), balance_fen=5_000)
    await funding.programme()
    await funding.grant(user_id, 800)
    assert await paid_by(funding, user_id, 1_000) == {MEALS: 800, "purse": 200}
    assert await funding.balances(user_id) == {MEALS: 0, "purse": 4_800}
    await funding.assert_books_are_right()


async def test_the_subsidy_that_ends_first_is_spent_first(funding: Funding) -> None:
    await funding.shop()
    user_id = await funding.life.person(funds=("purse",), balance_fen=0)
    for name, days in (("a_long_one", 60), ("b_short_one", 3)):
        await funding.programme(name, days=days)
        await funding.grant(user_id, 500, name)
    assert await paid_by(funding, user_id, 600) == {"b_short_one": 500, "a_long_one": 100}


@pytest.mark.parametrize("where", [{"scene": "venue"}, {"merchant_id": "shop-02"}])
async def test_an_earmarked_subsidy_pays_nowhere_else(
    funding: Funding, where: dict[str, str]
) -> None:
    await funding.shop(where.get("merchant_id", SHOP), scene=where.get("scene", "school"))
    user_id = await funding.life.person(funds=("purse",), balance_fen=5_000)
    await funding.programme(merchants=(SHOP,))
    await funding.grant(user_id, 800)
    assert await paid_by(funding, user_id, 1_000, **where) == {"purse": 1_000}


async def test_a_changed_plan_holds_from_the_next_order_on_and_stands_on_its_lines(
    funding: Funding,
) -> None:
    await funding.shop()
    user_id = await funding.life.person(funds=("campus", "purse"), balance_fen=1_000)
    await funding.life.top_up(user_id, 1_000, fund="purse")
    first = await funding.buy(user_id, 100)
    version = await funding.plan("school", "purse", "campus")
    second = await funding.buy(user_id, 100)
    assert [line.fund for line in (*first.lines, *second.lines)] == ["campus", "purse"]
    explained = [await funding.city.core.explain(CENTRE, one.order_id) for one in (first, second)]
    assert [one.lines[0].funding_version for one in explained] == [1, version]


async def test_another_process_funds_by_the_changed_plan_at_once(
    funding: Funding, city_addresses: Addresses, city_settings: Settings, city_clock: CityClock
) -> None:
    """Why: the plan is edited at one worker, and the next order may come to another."""
    await funding.shop()
    user_id = await funding.life.person(funds=("campus", "purse"), balance_fen=1_000)
    await funding.life.top_up(user_id, 1_000, fund="purse")
    async with open_city(city_addresses, city_settings, clock=city_clock) as other:
        elsewhere = Funding(other, funding.life, city_clock)
        await elsewhere.buy(user_id, 1)
        await funding.plan("school", "purse")
        order = await elsewhere.buy(user_id, 100)
    assert [line.fund for line in order.lines] == ["purse"]


async def test_two_changes_at_once_are_two_versions(funding: Funding) -> None:
    versions = await asyncio.gather(
        funding.plan("school", "purse"), funding.plan("venue", "purse", "subsidy")
    )
    assert sorted(versions) == [2, 3]


@pytest.mark.parametrize("step", ["rides", "medical_memo", MEALS, "gold"])
async def test_a_plan_draws_on_money_only_and_on_subsidies_by_their_word(
    funding: Funding, step: str
) -> None:
    await funding.programme(deposit_fen=0)
    with pytest.raises(FundUnknownError):
        await funding.plan("school", step)


async def test_a_plan_needs_a_scene_of_the_catalogue(funding: Funding) -> None:
    with pytest.raises(SceneUnknownError):
        await funding.plan("moon", "purse")
    with pytest.raises(ValueError, match="twice"):
        PlanRequest(steps=["purse", "purse"], reason="test")


async def test_a_repeated_change_of_plan_is_one_change(funding: Funding) -> None:
    request = PlanRequest(steps=["purse"], reason="test")
    first, _ = await funding.city.core.set_funding_plan(CENTRE, "venue", request, "same")
    again, replayed = await funding.city.core.set_funding_plan(CENTRE, "venue", request, "same")
    assert (again, replayed) == (first, True)


# -- subsidies -----------------------------------------------------------------------------------


async def test_no_more_is_granted_than_the_payer_has_deposited(funding: Funding) -> None:
    user_id = await funding.life.person(balance_fen=0)
    await funding.programme(deposit_fen=500)
    with pytest.raises(InsufficientBalanceError):
        await funding.grant(user_id, 501)
    await funding.grant(user_id, 500)
    assert await funding.deposit_fen() == 0


async def test_what_is_left_of_an_ended_programme_goes_back_to_its_payer(funding: Funding) -> None:
    await funding.shop()
    user_id = await funding.life.person(funds=("purse",), balance_fen=1_000)
    await funding.programme(days=3)
    await funding.grant(user_id, 800)
    await funding.buy(user_id, 300)
    assert await funding.return_ended() == 0
    funding.clock.advance(days=5)
    # It pays for nothing any more, before the job has run as after.
    assert await paid_by(funding, user_id, 100) == {"purse": 100}
    assert await funding.return_ended() == 1
    assert await funding.return_ended() == 0
    assert (await funding.balances(user_id))[MEALS] == 0
    assert await funding.deposit_fen() == 100_000 - 300
    with pytest.raises(PersonStateError):
        await funding.grant(user_id, 1)
    await funding.assert_books_are_right()


async def test_held_money_of_an_ended_programme_goes_back_when_it_is_free(
    funding: Funding,
) -> None:
    await funding.shop()
    user_id = await funding.life.person(funds=("purse",), balance_fen=0)
    await funding.programme(days=0)
    await funding.grant(user_id, 800)
    order = await funding.buy(user_id, 300, mode=Mode.HOLD)
    funding.clock.advance(days=2)
    await funding.return_ended()
    assert await funding.deposit_fen() == 100_000 - 300
    await funding.city.core.void(CENTRE, order.order_id, key())
    assert await funding.return_ended() == 1
    assert await funding.deposit_fen() == 100_000


async def test_a_deposit_counts_once_by_its_channel_number(funding: Funding) -> None:
    await funding.programme(deposit_fen=0)
    told = DepositRequest(amount_fen=900, channel="bank", channel_no="B-1")
    first, _ = await funding.city.core.deposit(CENTRE, MEALS, told, key())
    again, _ = await funding.city.core.deposit(CENTRE, MEALS, told, key())
    assert (again, await funding.deposit_fen()) == (first, 900)
    other = DepositRequest(amount_fen=901, channel="bank", channel_no="B-1")
    with pytest.raises(OrderConflictError):
        await funding.city.core.deposit(CENTRE, MEALS, other, key())


async def test_a_grant_is_made_once_by_its_key(funding: Funding) -> None:
    user_id = await funding.life.person(balance_fen=0)
    await funding.programme()
    request = GrantRequest(user_id=user_id, amount_fen=700)
    first, _ = await funding.city.core.grant(CENTRE, MEALS, request, "same")
    again, replayed = await funding.city.core.grant(CENTRE, MEALS, request, "same")
    assert (again, replayed, await funding.deposit_fen()) == (first, True, 99_300)


async def test_a_subsidy_is_not_topped_up_by_its_holder(funding: Funding) -> None:
    user_id = await funding.life.person(balance_fen=0)
    await funding.programme()
    await funding.grant(user_id, 1)
    with pytest.raises(FundUnknownError):
        await funding.life.top_up(user_id, 100, fund=MEALS)


async def test_who_leaves_takes_their_own_money_and_no_subsidy_and_no_rides(
    funding: Funding,
) -> None:
    await funding.shop()
    user_id = await funding.life.person(funds=("purse",), balance_fen=1_000)
    await funding.programme()
    await funding.grant(user_id, 800)
    await funding.give(user_id, 5)
    order = await funding.buy(user_id, 100)
    closing = CloseRequest(reason="user_request", payee="6222 0000 0000 0000")
    event, _ = await funding.city.core.close_user(CENTRE, user_id, closing, key())
    claim = await funding.city.core.read_claim(CENTRE, UUID(event.object))
    assert claim.amount_fen == 1_000
    assert await funding.deposit_fen() == 99_900
    assert await funding.tallies(user_id) == {}
    # A refund that comes after goes where the subsidy went.
    refund = RefundRequest(amount_fen=100, out_refund_no=key(), reason="returned")
    await funding.city.core.refund(CENTRE, order.order_id, refund, key())
    assert await funding.deposit_fen() == 100_000
    await funding.assert_books_are_right()


async def test_a_duplicate_brings_its_subsidies_and_rides(funding: Funding) -> None:
    one, other = [await funding.life.person(balance_fen=0) for _ in range(2)]
    await funding.programme()
    await funding.grant(other, 800)
    await funding.give(other, 5)
    request = MergeRequest(duplicate_id=other, reason="mistake")
    await funding.city.core.merge_users(CENTRE, one, request, key())
    assert (await funding.balances(one))[MEALS] == 800
    assert await funding.tallies(one) == {"rides": 5}
    await funding.assert_books_are_right()


# -- credit lines --------------------------------------------------------------------------------


async def test_a_credit_line_pays_after_the_purse_as_far_as_its_limit(funding: Funding) -> None:
    await funding.shop(scene="parking")
    user_id = await funding.life.person(funds=("purse",), balance_fen=300)
    await funding.credit(user_id, 1_000)
    assert await paid_by(funding, user_id, 800, scene="parking") == {
        "purse": 300,
        "parking_arrears": 500,
    }
    with pytest.raises(InsufficientBalanceError):
        await funding.buy(user_id, 501, scene="parking")
    await funding.buy(user_id, 500, scene="parking")
    assert (await funding.balances(user_id))["parking_arrears"] == -1_000
    await funding.assert_books_are_right()


async def test_what_is_owed_is_paid_back_and_no_more(funding: Funding) -> None:
    await funding.shop(scene="parking")
    user_id = await funding.life.person(funds=("purse",), balance_fen=0)
    await funding.credit(user_id, 1_000)
    await funding.buy(user_id, 600, scene="parking")
    with pytest.raises(LimitExceededError):
        await funding.life.top_up(user_id, 601, fund="parking_arrears")
    await funding.life.top_up(user_id, 600, fund="parking_arrears")
    assert (await funding.balances(user_id))["parking_arrears"] == 0
    await funding.assert_books_are_right()


async def test_nobody_leaves_who_owes(funding: Funding) -> None:
    await funding.shop(scene="parking")
    user_id = await funding.life.person(funds=("purse",), balance_fen=0)
    await funding.credit(user_id, 1_000)
    await funding.buy(user_id, 600, scene="parking")
    with pytest.raises(ObligationsOpenError) as refused:
        await funding.city.core.close_user(
            CENTRE, user_id, CloseRequest(reason="user_request"), key()
        )
    assert refused.value.facts["open"] == ["fund_owed:parking_arrears"]


async def test_a_limit_stays_within_its_kind_and_above_what_is_owed(funding: Funding) -> None:
    await funding.shop(scene="parking")
    user_id = await funding.life.person(funds=("purse",), balance_fen=0)
    with pytest.raises(LimitExceededError):
        await funding.credit(user_id, 20_001)
    with pytest.raises(FundUnknownError):
        await funding.credit(user_id, 1, "purse")
    await funding.credit(user_id, 1_000)
    await funding.buy(user_id, 600, scene="parking")
    with pytest.raises(ObligationsOpenError):
        await funding.credit(user_id, 599)
    await funding.credit(user_id, 600)
    with pytest.raises(InsufficientBalanceError):
        await funding.buy(user_id, 1, scene="parking")


# -- counts --------------------------------------------------------------------------------------


async def test_rides_are_counted_and_never_below_zero(funding: Funding) -> None:
    user_id = await funding.life.person(balance_fen=0)
    await funding.give(user_id, 3)
    await funding.use(user_id, 2)
    with pytest.raises(InsufficientBalanceError):
        await funding.use(user_id, 2)
    with pytest.raises(LimitExceededError):
        await funding.give(user_id, 1_000)
    with pytest.raises(FundUnknownError):
        await funding.give(user_id, 1, "purse")
    assert await funding.tallies(user_id) == {"rides": 1}


async def test_counts_and_memos_stand_in_no_sum_of_yuan(funding: Funding) -> None:
    """Why: what the insurer keeps is not our money, and a ride is not a fen."""
    user_id = await funding.life.person(balance_fen=1_000)
    before = await funding.city.core.books(CENTRE)
    await funding.give(user_id, 7)
    await funding.give(user_id, 123_456, "medical_memo")
    assert await funding.city.core.books(CENTRE) == before
    assert await funding.balances(user_id) == {"transit": 1_000}


# -- limits --------------------------------------------------------------------------------------


async def test_one_top_up_and_one_day_have_their_limits(funding: Funding) -> None:
    user_id = await funding.life.person(funds=("purse",), balance_fen=0)
    with pytest.raises(LimitExceededError) as single:
        await funding.life.top_up(user_id, 300_001, fund="purse")
    assert single.value.facts["limit"] == "topup:purse:single"
    await funding.life.top_up(user_id, 300_000, fund="purse")
    with pytest.raises(LimitExceededError) as day:
        await funding.life.top_up(user_id, 200_001, fund="purse")
    assert day.value.facts == {
        "limit": "topup:purse:day",
        "limit_fen": 500_000,
        "used_fen": 300_000,
        "renews_on": "2026-06-02",
    }


async def test_a_subsidy_does_not_count_against_the_level_of_its_holder(funding: Funding) -> None:
    user_id = await funding.life.person(funds=("transit",), balance_fen=100_000)
    await funding.programme(deposit_fen=2_000_000)
    await funding.grant(user_id, 1_500_000)
    request = TopUpRequest(fund="transit", amount_fen=1, channel="test", channel_no=key())
    with pytest.raises(LimitExceededError) as refused:
        await funding.city.core.top_up(CENTRE, user_id, request, key())
    assert refused.value.facts["limit"] == "topup:transit:day"


async def test_the_database_keeps_a_kind_of_fund_within_its_regime(funding: Funding) -> None:
    """Why: 5,000 yuan for a registered purse and 1,000 for a bearer's are the law's figures."""
    for kind, fen in (("purse", 500_001), ("bearer", 100_001)):
        async with funding.city.pool.connection() as connection:
            with pytest.raises(psycopg.errors.CheckViolation):
                await connection.execute(
                    "UPDATE cardcore.fund_kind SET balance_fen_max = %s WHERE kind = %s",
                    (fen, kind),
                )
            await connection.rollback()


async def test_kinds_of_funds_tell_their_regime_and_limits(funding: Funding) -> None:
    kinds = {one.fund: one for one in (await funding.city.core.fund_kinds(CENTRE)).kinds}
    assert kinds["purse"].balance_max == 500_000
    assert kinds["bearer"].balance_max == 100_000
    assert not kinds["bearer"].redeemable
    assert (kinds["rides"].unit, kinds["medical_memo"].nature) == ("rides", "memo")

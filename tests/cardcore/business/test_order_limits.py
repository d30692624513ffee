"""Limits over the real books: counted in the order's own transaction, right between two servers."""

import asyncio
from uuid import UUID

import pytest

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import City, open_city
from cardcore.caller import Caller
from cardcore.errors import (
    ForbiddenError,
    InsufficientBalanceError,
    LimitExceededError,
    NotFoundError,
)
from tests.city_life import CENTRE, FLAT_FARE_FEN, VALIDATOR, Life

RULE = """
INSERT INTO cardcore.limit_rule
    (limit_id, version, scene, subject, measure, period, period_s, limit_max, name_zh, name_en,
     retired, recorded_at)
VALUES (%s, %s, 'bus', %s, %s, %s, %s, %s, '测试限额', 'a limit of a test', %s, now())
"""


async def rule(
    city: City,
    limit_id: str,
    limit_max: int,
    *,
    subject: str = "user",
    measure: str = "amount",
    period: str = "day",
    period_s: int = 0,
    version: int = 1,
    retired: bool = False,
) -> None:
    async with city.pool.connection() as connection:
        await connection.execute(
            RULE,
            (limit_id, version, subject, measure, period, period_s, limit_max, retired),
        )


async def ride(life: Life, city: City, user_id: UUID, key: str) -> None:
    request = life.ride(await life.code(user_id))
    await city.core.order(VALIDATOR, request, key)


async def used(life: Life, limit_id: str) -> list[int]:
    async with life.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT used FROM cardcore.limit_counter WHERE limit_id = %s ORDER BY used", (limit_id,)
        )
        return [row[0] for row in await found.fetchall()]


async def test_a_days_limit_refuses_what_goes_beyond_and_begins_anew(life: Life) -> None:
    await rule(life.city, "bus_day", 2 * FLAT_FARE_FEN + 50)
    user_id = await life.person()
    await life.pay(user_id)
    await life.pay(user_id)
    with pytest.raises(LimitExceededError) as refused:
        await life.pay(user_id)
    facts = refused.value.facts
    assert (facts["limit"], facts["limit_fen"], facts["used_fen"]) == ("bus_day", 250, 200)
    assert await used(life, "bus_day") == [200]
    await life.pay(await life.person())
    life.clock.advance(days=1)
    await life.pay(user_id)
    assert await used(life, "bus_day") == [100, 100, 200]


async def test_many_at_once_come_up_to_the_limit_and_not_beyond(life: Life) -> None:
    await rule(life.city, "rush", 5, measure="count", period="seconds", period_s=600)
    user_id = await life.person()
    answers = await asyncio.gather(
        *(ride(life, life.city, user_id, f"k{n}") for n in range(12)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, LimitExceededError)]
    assert len(refused) == 7
    assert refused[0].facts["used_count"] == 5
    assert await used(life, "rush") == [5]


async def test_two_servers_racing_at_the_limit_let_one_order_through(
    life: Life, city_addresses: Addresses, city_settings: Settings
) -> None:
    """Why: each has decided before the other's order is in the books; the table judges."""
    await rule(life.city, "bus_day", 3 * FLAT_FARE_FEN)
    async with open_city(city_addresses, city_settings, clock=life.clock) as other:
        for round_no in range(3):
            user_id = await life.person()
            answers = await asyncio.gather(
                *(
                    ride(life, city, user_id, f"{round_no}-{n}-{city is other}")
                    for n in range(4)
                    for city in (life.city, other)
                ),
                return_exceptions=True,
            )
            refused = [one for one in answers if isinstance(one, LimitExceededError)]
            assert len(refused) == 5, answers
            assert await life.balance_fen(user_id) == 10_000 - 3 * FLAT_FARE_FEN
    assert await used(life, "bus_day") == [300, 300, 300]


async def test_a_terminals_limit_counts_everybody(life: Life) -> None:
    await rule(life.city, "terminal_day", 2, subject="terminal", measure="count")
    await life.pay(await life.person())
    await life.pay(await life.person())
    with pytest.raises(LimitExceededError):
        await life.pay(await life.person())


async def test_an_order_that_is_refused_uses_nothing(life: Life) -> None:
    await rule(life.city, "bus_day", FLAT_FARE_FEN)
    user_id = await life.person(balance_fen=FLAT_FARE_FEN - 1)
    with pytest.raises(InsufficientBalanceError):
        await life.pay(user_id)
    assert await used(life, "bus_day") == []
    await life.top_up(user_id, 1)
    await life.pay(user_id)


async def test_a_newer_version_is_in_force_and_a_retired_limit_is_not(life: Life) -> None:
    await rule(life.city, "bus_day", FLAT_FARE_FEN)
    user_id = await life.person()
    await life.pay(user_id)
    with pytest.raises(LimitExceededError):
        await life.pay(user_id)
    await rule(life.city, "bus_day", 2 * FLAT_FARE_FEN, version=2)
    await life.pay(user_id)
    with pytest.raises(LimitExceededError) as refused:
        await life.pay(user_id)
    assert refused.value.facts["limit_version"] == 2
    await rule(life.city, "bus_day", 1, version=3, retired=True)
    await life.pay(user_id)


async def test_the_seeded_limit_of_one_ride_stands_in_the_rules(life: Life) -> None:
    rules = life.city.core.rules.current
    assert {one.limit_id for one in rules.limits} >= {"bus_order", "retail_day"}
    assert not rules.counts_in({"bus"})
    assert rules.counts_in({"retail"})


async def test_an_order_says_which_limits_judged_it_in_which_version(life: Life) -> None:
    await rule(life.city, "bus_day", 900)
    await rule(life.city, "elsewhere", 5, measure="count", retired=True)
    first = await life.pay(await life.person())
    await rule(life.city, "bus_day", 800, version=2)
    second = await life.pay(await life.person())
    await rule(life.city, "bus_day", 800, version=3, retired=True)
    third = await life.pay(await life.person())
    core = life.city.core
    judged = [
        {one.limit_id: (one.version, one.limit_max) for one in found.limits}
        for found in [await core.explain(VALIDATOR, one.order_id) for one in (first, second, third)]
    ]
    bus_order = {"bus_order": (1, 20_000)}
    assert judged == [
        bus_order | {"bus_day": (1, 900)},
        bus_order | {"bus_day": (2, 800)},
        bus_order,
    ]
    newest = {one.limit_id: one for one in (await core.limits(CENTRE)).limits}
    assert (newest["bus_day"].version, newest["bus_day"].retired) == (3, True)
    versions = (await core.limit_versions(CENTRE, "bus_day")).limits
    assert [(one.version, one.limit_max) for one in versions] == [(1, 900), (2, 800), (3, 800)]
    with pytest.raises(NotFoundError):
        await core.limit_versions(CENTRE, "moon")
    with pytest.raises(ForbiddenError):
        await core.limits(Caller(client_id="x", merchant_id=None, scopes=frozenset()))

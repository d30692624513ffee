"""Off-line records that somebody else pays: as on-line orders are, judged as of the tap."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore.account.chart import arrears_of
from cardcore.account.request import StatementQuery
from cardcore.business.limits import Asking
from cardcore.business.request import RefundRequest
from cardcore.terminals.record_facts import Holder, RecordFacts
from cardcore.terminals.record_payers import fund_record
from cardcore.user.delegation import Delegation, DelegationUse
from cardcore.user.people_request import Act
from tests.cardcore.business.test_delegated_orders import family, key, ride
from tests.cardcore.terminals.offline_bus import Validator, phone_of
from tests.city_life import CENTRE, FLAT_FARE_FEN, Life

FARE = FLAT_FARE_FEN
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_NAMES = UUID(int=1)


async def test_a_guardian_pays_a_record_and_gets_the_refund(life: Life, bus: Validator) -> None:
    child, guardian, delegation_id = await family(life, own_fen=FARE - 1)
    (result,) = (await bus.upload(bus.record(await (await phone_of(life, child)).code()))).results
    assert result.order_id is not None
    assert await life.balance_fen(child) == FARE - 1
    assert await life.balance_fen(guardian) == 10_000 - FARE
    (line,) = (await life.city.core.explain(CENTRE, result.order_id)).lines
    assert (line.paid_by, line.delegation_id, line.payer_id) == (
        "guardian",
        delegation_id,
        guardian,
    )
    today = life.clock.now.date()
    query = StatementQuery(fund="transit", from_on=today - DAY, to_on=today + DAY)
    for user_id, moved_fen in ((guardian, [-FARE]), (child, [])):
        page = await life.city.core.user_statement(CENTRE, user_id, query)
        told = [one.amount_fen for one in page.lines if one.order_id == result.order_id]
        assert told == moved_fen
    request = RefundRequest(out_refund_no=key(), amount_fen=None, reason="r")
    await life.city.core.refund(CENTRE, result.order_id, request, key())
    assert await life.balance_fen(guardian) == 10_000
    assert await life.balance_fen(child) == FARE - 1
    assert await life.books_are_right()


async def test_records_and_orders_use_up_the_same_limits_and_what_is_beyond_is_owed(
    life: Life, bus: Validator
) -> None:
    child, guardian, _ = await family(
        life, own_fen=FARE + 30, use="first", order_fen_max=FARE, day_fen_max=3 * FARE
    )
    phone = await phone_of(life, child)
    await ride(life, child)
    records = []
    for _ in range(4):
        life.clock.advance(minutes=1)
        records.append(bus.record(await phone.code()))
    view = await bus.upload(*records)
    assert {one.state for one in view.results} == {"booked"}
    assert await life.balance_fen(guardian) == 10_000 - 3 * FARE
    assert await life.balance_fen(child) == 0
    (debt,) = await life.city.book.lookup_accounts([arrears_of(child).int])
    assert debt.debits_posted == FARE - 30
    assert await life.books_are_right()


@pytest.mark.parametrize("revoked_before_tap", [True, False])
async def test_what_was_in_force_at_the_tap_decides(
    life: Life, bus: Validator, revoked_before_tap: bool
) -> None:
    child, guardian, delegation_id = await family(life, own_fen=FARE, use="first")
    phone = await phone_of(life, child)

    async def revoke() -> None:
        life.clock.advance(minutes=1)
        await life.city.core.revoke_delegation(
            CENTRE, delegation_id, Act(reason="user_request"), key()
        )
        life.clock.advance(minutes=1)

    if revoked_before_tap:
        await revoke()
    record = bus.record(await phone.code())
    if not revoked_before_tap:
        await revoke()
    (result,) = (await bus.upload(record)).results
    assert result.state == "booked"
    assert await life.balance_fen(guardian) == 10_000 - FARE * (not revoked_before_tap)


async def test_a_record_and_an_order_at_once_do_not_pass_a_limit_together(
    life: Life, bus: Validator, city_addresses: Addresses, city_settings: Settings
) -> None:
    child, guardian, _ = await family(
        life, own_fen=10_000, use="first", order_fen_max=FARE, day_fen_max=FARE
    )
    record = bus.record(await (await phone_of(life, child)).code())
    async with open_city(city_addresses, city_settings, clock=life.clock) as other:
        view, _ = await asyncio.gather(bus.upload(record), ride(life, child, city=other))
    assert view.results[0].state == "booked"
    assert await life.balance_fen(guardian) == 10_000 - FARE
    assert await life.balance_fen(child) == 10_000 - FARE


def _delegation(
    number: int, use: DelegationUse, *, order_fen_max: int, scene: str, begins: datetime
) -> Delegation:
    return Delegation(
        delegation_id=UUID(int=100 + number),
        user_id=UUID(int=2),
        payer_id=UUID(int=10 + number),
        kind="guardian",
        use=use,
        fund="auto",
        scenes=frozenset([scene]),
        order_fen_max=order_fen_max,
        day_fen_max=order_fen_max,
        month_fen_max=None,
        valid_from=begins,
        valid_to=begins + 2 * HOUR,
        payer_active=True,
        payer_funds=(("transit", uuid5(_NAMES, f"payer {number}")),),
    )


@given(
    amount_fen=st.integers(0, 300),
    own=st.integers(0, 300),
    payers=st.lists(
        st.tuples(
            st.sampled_from(DelegationUse),
            st.integers(1, 300),
            st.sampled_from(["bus", "metro"]),
            st.sampled_from([NOW - HOUR, NOW, NOW + HOUR, NOW - 2 * HOUR]),
            st.integers(0, 300),
        ),
        max_size=3,
    ),
)
def test_one_payer_pays_the_whole_within_their_limits_or_the_person_does(
    amount_fen: int, own: int, payers: list[tuple[DelegationUse, int, str, datetime, int]]
) -> None:
    own_id = uuid5(_NAMES, "own")
    holder = Holder(
        UUID(int=2), "phone", barred=False, arrears_fen_max=1_000, fund_ids=(("transit", own_id),)
    )
    facts = RecordFacts(balances={own_id: own})
    able: dict[UUID, Delegation] = {}
    for number, (use, order_fen_max, scene, begins, has_fen) in enumerate(payers):
        one = _delegation(number, use, order_fen_max=order_fen_max, scene=scene, begins=begins)
        facts.delegations.setdefault(holder.user_id, []).append(one)
        facts.balances[one.payer_funds[0][1]] = has_fen
        covers = scene == "bus" and begins <= NOW < begins + 2 * HOUR
        if covers and 0 < amount_fen <= min(order_fen_max, has_fen):
            able[one.delegation_id] = one
    asking = Asking(
        scene="bus",
        user_id=holder.user_id,
        terminal_id="T",
        merchant_id="M",
        citizen_fen=amount_fen,
        at=NOW,
        business_on=NOW.date(),
    )
    funded = fund_record(holder, asking, facts, plan=["transit"], cut_off=time(4, 30))
    assert funded is not None
    assert sum(share.amount_fen for share in funded.shares) == amount_fen
    by_use = {use: [k for k, one in able.items() if one.use is use] for use in DelegationUse}
    expected = by_use[DelegationUse.FIRST]
    if not expected and own < amount_fen:
        expected = by_use[DelegationUse.WHEN_SHORT]
    assert funded.delegation_id == (expected[0] if expected else None)
    if funded.delegation_id is None:
        assert {share.fund_id for share in funded.shares} <= {own_id, arrears_of(holder.user_id)}
        assert not funded.uses
    else:
        payer_fund = able[funded.delegation_id].payer_funds[0][1]
        assert {share.fund_id for share in funded.shares} == {payer_fund}
        assert [use.added for use in funded.uses] == [amount_fen]

"""Three books: what differs lands in its class, has owner and age, and ends by four eyes."""

import asyncio
import os
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from typing_extensions import override

from adapters.partners.custodian_bank import Behaviour, SimulatedBank
from cardcore.account.chart import SUSPENSE
from cardcore.base64url import encode_base64url
from cardcore.books import transaction
from cardcore.calendar import CUT_OFF_DEFAULT, day_begins
from cardcore.errors import ForbiddenError
from cardcore.settlement.channel_bill import BillRow, read_bill, write_bill
from cardcore.settlement.errors import (
    AdjustmentRefusedError,
    BillInvalidError,
    DifferenceClosedError,
    DifferenceUnknownError,
    SourceUnknownError,
)
from cardcore.settlement.reconciliation import Reconciliation, resolve_difference
from cardcore.settlement.request import (
    DifferencesQuery,
    ReceiptRequest,
    ResolveDifference,
    TakeBill,
    TakeUp,
)
from cardcore.settlement.views import BillTakenView, DifferenceView
from tests.cardcore.settlement.conftest import SHOP, House
from tests.cardcore.settlement.test_settling import subsidised
from tests.city_life import BUS_OFFICE, CENTRE

ON = date(2026, 6, 1)
STANDING = DifferencesQuery()


async def paid(house: House, *amounts: int, behaviour: Behaviour = Behaviour.PAY) -> None:
    """A window for each amount, paid out."""
    await house.payee()
    house.bank.behaviour = behaviour
    for amount in amounts:
        await house.buy_for(amount)
        await house.settle()


async def bill_of(house: House) -> list[BillRow]:
    """The bank's bill of the day, the day after."""
    house.clock.now = day_begins(ON + timedelta(days=1)) + timedelta(hours=1)
    content = await house.bank.bill(ON)
    assert content is not None
    return list(read_bill(content).rows)


async def take(house: House, rows: list[BillRow], on: date = ON) -> BillTakenView:
    return await house.desk.differences.take_bill(CENTRE, bill("custodian", on, write_bill(rows)))


def bill(source: str, on: date, content: bytes) -> TakeBill:
    """What is asked to have a bill taken."""
    return TakeBill(source=source, business_on=on, content=encode_base64url(content))


async def standing(house: House) -> list[DifferenceView]:
    return (await house.desk.differences.standing(CENTRE, STANDING)).differences


async def kinds(house: House) -> list[tuple[str, int | None, int | None, str]]:
    return [(one.kind, one.ours_fen, one.theirs_fen, one.owner) for one in await standing(house)]


async def test_books_that_agree_have_no_difference(house: House) -> None:
    await paid(house, 1_000, 2_000)
    await subsidised(house, 200)
    await house.settle()
    receipt = ReceiptRequest(payer="finance_bureau", amount_fen=200, bank_no="F1")
    await house.desk.take_receipt(CENTRE, receipt, "receipt-1")
    await house.bank.receive("F1", 200)
    taken = await take(house, await bill_of(house))
    assert (taken.rows, taken.in_fen, taken.out_fen) == (3, 200, 3_000)
    assert [(one.matched, one.differences) for one in taken.compared] == [(3, 0)]
    assert await standing(house) == []


@pytest.mark.parametrize(
    ("behaviour", "found"),
    [
        (Behaviour.LIE, ("ours_only", -1_000, None, "custodian")),
        (Behaviour.LESS, ("amount", -1_000, -999, "custodian")),
        (Behaviour.TWICE, ("duplicate", None, -1_000, "custodian")),
    ],
)
async def test_row_38_a_bank_that_lies_is_found_by_its_bill(
    house: House, behaviour: Behaviour, found: tuple[str, int, int, str]
) -> None:
    await paid(house, 1_000, behaviour=behaviour)
    await take(house, await bill_of(house))
    assert await kinds(house) == [found]
    await house.assert_covered()


async def test_row_38_what_only_they_have_and_what_they_say_otherwise(house: House) -> None:
    """A movement we lack (长款), one they call refused, one in the wrong direction."""
    await paid(house, 1_000, 2_000)
    one, two = await bill_of(house)
    odd = replace(one, channel_no="X9", our_no="", direction="in", amount_fen=77)
    await take(house, [odd, replace(one, state="refused"), replace(two, direction="in")])
    assert sorted(await kinds(house), key=str) == [
        ("amount", -2_000, 2_000, "custodian"),
        ("state", -1_000, 0, "card_centre"),
        ("theirs_only", None, 77, "card_centre"),
    ]


async def test_row_38_the_same_file_twice_changes_nothing_and_another_is_the_next_version(
    house: House,
) -> None:
    """Why: a lost answer is asked again; a corrected bill ends what the first one made."""
    await paid(house, 1_000)
    rows = await bill_of(house)
    first = await take(house, [])
    again = await asyncio.gather(*(take(house, []) for _ in range(3)))
    assert {one.version for one in again} == {first.version} == {1}
    assert [one[0] for one in await kinds(house)] == ["ours_only"]
    corrected = await take(house, rows)
    assert (corrected.version, await standing(house)) == (2, [])
    ended = await house.desk.differences.standing(CENTRE, DifferencesQuery(business_on=ON))
    assert [one.resolution for one in ended.differences] == ["gone"]


async def test_row_38_a_cut_file_leaves_nothing_but_a_line_in_the_journal(house: House) -> None:
    await paid(house, 1_000)
    whole = write_bill(await bill_of(house))
    with pytest.raises(BillInvalidError):
        await house.desk.differences.take_bill(
            CENTRE, bill("custodian", ON, whole[: len(whole) // 2])
        )
    async with house.city.pool.connection() as connection:
        found = await connection.execute("SELECT count(*) FROM cardcore.settlement_bill")
        assert await found.fetchone() == (0,)
        found = await connection.execute(
            "SELECT outcome FROM cardcore.audit_event WHERE action = 'settlement.bill'"
        )
        assert await found.fetchall() == [("bill_invalid",)]


async def test_a_movement_in_the_next_days_bill_is_no_difference_for_long(house: House) -> None:
    """Why: the bank's day may end before ours. Standing alone first, matched the day after."""
    await paid(house, 1_000)
    rows = await bill_of(house)
    await take(house, [])
    assert [one[0] for one in await kinds(house)] == ["ours_only"]
    house.clock.advance(days=1)
    taken = await take(house, rows, on=ON + timedelta(days=1))
    assert [(str(one.business_on), one.other_day) for one in taken.compared] == [
        ("2026-06-01", 0),
        ("2026-06-02", 1),
    ]
    assert await standing(house) == []
    query = DifferencesQuery(business_on=ON + timedelta(days=1))
    crossed = (await house.desk.differences.standing(CENTRE, query)).differences
    assert [(one.kind, one.resolution) for one in crossed] == [("cross_day", "other_day")]


async def test_a_difference_has_an_age_and_whoever_takes_it_up(house: House) -> None:
    await paid(house, 1_000, behaviour=Behaviour.LIE)
    await take(house, await bill_of(house))
    house.clock.advance(days=4)
    (one,) = await standing(house)
    assert one.age_days == 5
    desk = house.desk.differences
    taken = await desk.take_up(CENTRE, one.difference_id, TakeUp(owner="operator:zhang.wei"))
    assert taken.owner == "operator:zhang.wei"
    with pytest.raises(DifferenceUnknownError):
        await desk.take_up(CENTRE, house.user_id, TakeUp(owner="operator:zhang.wei"))
    with pytest.raises(ForbiddenError):
        await desk.standing(BUS_OFFICE, STANDING)
    with pytest.raises(SourceUnknownError):
        await desk.take_bill(CENTRE, bill("nobody", ON, b""))
    await take(house, [one_row(house)])


def one_row(house: House) -> BillRow:
    """A movement that nobody here knows."""
    return BillRow(
        channel_no="Z1",
        our_no="",
        direction="in",
        amount_fen=5,
        state="paid",
        moved_at=house.clock.now,
    )


async def test_a_difference_that_is_closed_is_not_taken_up(house: House) -> None:
    await paid(house, 1_000)
    rows = await bill_of(house)
    await take(house, [])
    (one,) = await standing(house)
    await take(house, rows)
    with pytest.raises(DifferenceClosedError):
        await house.desk.differences.take_up(CENTRE, one.difference_id, TakeUp(owner="x"))


def worker(house: House) -> Reconciliation:
    return Reconciliation(house.city.engine, os.urandom, CUT_OFF_DEFAULT, house.bank)


async def test_the_worker_fetches_the_banks_bills_once(house: House) -> None:
    await paid(house, 1_000, behaviour=Behaviour.TWICE)
    books = worker(house)
    first = await books.compare_due(house.clock.now)
    assert first > 0
    await bill_of(house)
    assert await books.compare_due(house.clock.now) == 1
    assert [one[0] for one in await kinds(house)] == ["duplicate"]
    assert await books.compare_due(house.clock.now) == 0


async def test_a_bill_that_is_not_whole_is_asked_for_again_and_stands_in_the_journal(
    house: House,
) -> None:
    await paid(house, 1_000)
    await bill_of(house)

    class Cut(SimulatedBank):
        @override
        async def bill(self, on: date) -> bytes | None:
            whole = await super().bill(on)
            return None if whole is None else whole[:-40]

    cut = Cut(house.city.pool, house.clock)
    books = Reconciliation(house.city.engine, os.urandom, CUT_OFF_DEFAULT, cut)
    await books.compare_due(house.clock.now)
    async with house.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT DISTINCT client_id, outcome FROM cardcore.audit_event"
            " WHERE action = 'settlement.bill'"
        )
        assert await found.fetchall() == [("worker", "bill_invalid")]
    await worker(house).compare_due(house.clock.now)
    assert await standing(house) == []


async def resolve(house: House, one: DifferenceView, outcome: str) -> None:
    """Two operators have decided."""
    content = ResolveDifference.model_validate(
        {
            "kind": "resolve_difference",
            "difference_id": one.difference_id,
            "outcome": outcome,
        }
    )
    async with transaction(house.city.engine) as (_, raw):
        await resolve_difference(
            raw,
            house.city.book,
            content,
            proposal_id=uuid4(),
            by="operator:li.na",
            now=house.clock.now,
        )


async def suspense_fen(house: House) -> int:
    (one,) = await house.city.book.lookup_accounts([SUSPENSE.int])
    return one.credits_posted - one.debits_posted


async def test_an_adjustment_books_what_the_bank_really_holds(house: House) -> None:
    """How: it said paid and moved nothing: the money is still there, and goes to suspense."""
    await paid(house, 1_000, behaviour=Behaviour.LIE)
    rows = await bill_of(house)
    await take(house, rows)
    (one,) = await standing(house)
    await resolve(house, one, "adjusted")
    assert await suspense_fen(house) == 1_000
    await house.assert_covered()
    await take(house, rows)
    assert await standing(house) == []
    with pytest.raises(DifferenceClosedError):
        await resolve(house, one, "explained")
    ended = await house.desk.differences.standing(CENTRE, DifferencesQuery(business_on=ON))
    assert [(view.resolution, view.closed_by) for view in ended.differences] == [
        ("adjusted", "operator:li.na")
    ]


async def test_more_than_custody_holds_is_not_adjusted(house: House) -> None:
    await paid(house, 1_000, behaviour=Behaviour.TWICE)
    await take(house, await bill_of(house))
    (one,) = await standing(house)
    drained = await house.drain()
    with pytest.raises(AdjustmentRefusedError):
        await resolve(house, one, "adjusted")
    await house.refill(drained)
    await resolve(house, one, "adjusted")
    assert await suspense_fen(house) == -1_000
    await house.assert_covered()


async def test_what_was_explained_is_not_opened_again(house: House) -> None:
    await paid(house, 1_000)
    await bill_of(house)
    await take(house, [])
    (one,) = await standing(house)
    await resolve(house, one, "explained")
    await take(house, [])
    await take(house, [one_row(house)])
    assert [view.kind for view in await standing(house)] == ["theirs_only"]
    with pytest.raises(DifferenceUnknownError):
        await resolve(house, one.model_copy(update={"difference_id": uuid4()}), "explained")


# -- orders × ledger ------------------------------------------------------------------------------


async def test_orders_and_ledger_agree(house: House) -> None:
    """Payments, parts given back, subsidies and captures: each order with all that was posted."""
    order = await house.buy_for(1_000)
    await house.give_back(order, 300)
    await subsidised(house, 200)
    await house.settle()
    assert await worker(house).compare_due(house.clock.now) >= 1
    assert await standing(house) == []
    async with house.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT matched, differences FROM cardcore.settlement_comparison"
            " WHERE source = 'orders'"
        )
        assert await found.fetchall() == [(3, 0)]


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ("UPDATE cardcore.business_order SET captured_fen = 900", ("amount", 1_000, 900)),
        (
            "UPDATE cardcore.business_order SET status = 'voided', captured_fen = 0",
            ("state", 1_000, 0),
        ),
        ("DELETE FROM cardcore.business_order", ("ours_only", 1_000, None)),
    ],
)
async def test_an_order_that_was_edited_behind_our_back_is_found(
    house: House, edit: str, found: tuple[str, int, int | None]
) -> None:
    """How: as a database administrator would, with the triggers off."""
    await house.buy_for(1_000)
    await house.settle()
    async with house.city.pool.connection() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(f"{edit} WHERE merchant_id = '{SHOP}'".encode())
    await worker(house).compare_due(house.clock.now)
    assert [one[:3] for one in await kinds(house)] == [found]
    assert {one[3] for one in await kinds(house)} == {"card_centre"}


async def test_an_order_nothing_was_posted_about_is_found(house: House) -> None:
    """How: an order is copied under another id, with no transfer."""
    await house.buy_for(1_000)
    await house.settle()
    async with house.city.pool.connection() as connection:
        await connection.execute(
            "CREATE TEMPORARY TABLE copied ON COMMIT DROP AS SELECT * FROM cardcore.business_order"
        )
        await connection.execute(
            "UPDATE copied SET order_id = gen_random_uuid(), out_trade_no = 'copy'"
        )
        await connection.execute("INSERT INTO cardcore.business_order SELECT * FROM copied")
    await worker(house).compare_due(house.clock.now)
    assert [one[:3] for one in await kinds(house)] == [("theirs_only", None, 1_000)]


async def test_a_ride_of_yesterday_counts_as_another_day_and_is_no_difference(
    house: House,
) -> None:
    """Row 37: the window is named by another date than the order; both agree."""
    await house.buy_for(1_000)
    house.clock.advance(days=1)
    await house.settle()
    await worker(house).compare_due(house.clock.now)
    async with house.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT matched, other_day, differences FROM cardcore.settlement_comparison"
            " WHERE source = 'orders'"
        )
        assert await found.fetchall() == [(1, 1, 0)]

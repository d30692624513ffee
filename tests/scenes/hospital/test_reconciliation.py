"""Three books of a day compared: what differs is found, listed with its owner, or goes back."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import inspect, select, text, update

from adapters.partners.insurance_fund import InsuranceFund
from adapters.partners.insurance_gateway import Behaviour
from cardcore.books import transaction
from cardcore.caller import Caller
from cardcore.errors import ForbiddenError
from cardcore.settlement.channel_bill import BillRow, write_bill
from cardcore.settlement.errors import BillInvalidError
from scenes.hospital.errors import HospitalUnknownError
from scenes.hospital.gateway import InsuranceSilentError
from scenes.hospital.messages import Envelope, Function
from scenes.hospital.request import (
    ChannelBillRequest,
    DepositRequest,
    HISItem,
    HISItemsRequest,
    ReconciliationRequest,
)
from scenes.hospital.tables import deposit_top_up, metadata, payment
from scenes.hospital.views import PaymentView, ReconciliationView
from tests.city_life import BUS_OFFICE, CENTRE
from tests.scenes.hospital.conftest import CODE, HIS, MERCHANT, Ward, line

TODAY = date(2026, 6, 1)


async def reconcile(ward: Ward, on: date = TODAY) -> ReconciliationView:
    return await ward.hospital.reconcile(HIS, MERCHANT, ReconciliationRequest(business_on=on))


async def upload(ward: Ward, *paid: PaymentView, extra_fen: int = 0) -> None:
    items = [
        HISItem(
            payment_id=one.payment_id,
            total_fen=one.total_fen + extra_fen,
            insurer_fen=one.fund_fen + one.account_fen,
            cash_fen=one.cash_fen,
        )
        for one in paid
    ]
    await ward.hospital.take_his_items(
        HIS, MERCHANT, HISItemsRequest(business_on=TODAY, items=items)
    )


async def kinds(ward: Ward) -> list[tuple[str, str, int]]:
    found = await ward.hospital.list_differences(HIS, MERCHANT)
    return [(one.kind, one.owner, one.age_days) for one in found.differences]


async def test_books_that_agree_have_no_difference(ward: Ward) -> None:
    paid = [await ward.pay(await ward.person(), line(fen)) for fen in (60_000, 100_000)]
    alone = await ward.pay(await ward.person(), line(5_000), insured=False)
    await ward.give_back(paid[0], 1, 10_000)
    await upload(ward, *paid, alone)
    seen = await reconcile(ward)
    assert seen.totals_agree is True
    assert (seen.payments, seen.insurer_items, seen.his_items) == (3, 2, 3)
    assert (seen.differences, seen.returned) == (0, 0)


async def test_totals_are_compared_by_kind_of_insurance_and_of_clearing(ward: Ward) -> None:
    for insutype, kind in (("310", "outpatient"), ("390", "outpatient"), ("310", "inpatient")):
        user_id = await ward.person()
        visit = await ward.visit(user_id, insutype=insutype, kind=kind)
        await ward.bill(visit, line(60_000))
        assert (await ward.confirm(await ward.quote(visit), user_id)).state == "paid"
    seen = await reconcile(ward)
    assert (seen.totals_agree, seen.insurer_items, seen.differences) == (True, 3, 0)


async def test_the_insurers_day_counts_though_its_answer_came_the_next(ward: Ward) -> None:
    """Why: the insurer's books close at midnight, ours at the cut-off, and silence may outlast."""
    ward.clock.now = datetime(2026, 6, 1, 17, 30, tzinfo=UTC)  # half past one the next morning
    await ward.pay(await ward.person(), line(60_000))
    ward.gateway.plan(Function.SETTLE, Behaviour.SILENT_AFTER)
    ward.gateway.plan(Function.READ_SETTLEMENT, Behaviour.SILENT_BEFORE)
    asking = await ward.pay(await ward.person(), line(60_000))
    ward.clock.advance(days=1)
    await ward.worker()
    assert (await ward.payment(asking.payment_id)).state == "paid"
    seen = [await reconcile(ward, date(2026, 6, day)) for day in (1, 2, 3)]
    assert [one.insurer_items for one in seen] == [0, 2, 0]
    assert all(one.totals_agree and one.differences == 0 for one in seen)


async def test_a_settlement_only_the_insurer_knows_is_returned(ward: Ward) -> None:
    """Why: a careless gateway settles a message that was reversed before it came."""
    ward.gateway._books = careless = InsuranceFund(":memory:", forgets_reversals=True)
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, Behaviour.LATE)
    payment_view = await ward.pay(user_id, line(100_000))
    assert payment_view.state == "returned"
    ward.gateway.deliver()
    assert len(careless.standing(CODE)) == 1
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, Behaviour.SILENT_BEFORE)
    first = await reconcile(ward)
    assert (first.totals_agree, first.differences, first.returned) == (False, 1, 0)
    ward.clock.advance(days=1)
    assert await kinds(ward) == [("insurer_only", "city", 1)]
    second = await reconcile(ward)
    assert (second.new, second.returned) == (0, 1)
    assert careless.standing(CODE) == []
    assert (await reconcile(ward)).differences == 0
    assert await kinds(ward) == []
    careless.close()


async def test_each_difference_names_whose_move_it_is(ward: Ward) -> None:
    one, two, three = [await ward.pay(await ward.person(), line(60_000)) for _ in range(3)]
    await upload(ward, one, extra_fen=1)
    envelope = Envelope(
        infno=Function.CANCEL_SETTLEMENT,
        msgid="theirs",
        inf_time="2026-06-01 10:00:00",
        fixmedins_code=CODE,
        opter="insurer",
        input={"data": {"setl_id": two.setl_id}},
    )
    ward.books.handle(envelope)
    async with transaction(ward.city.engine) as (connection, _):
        await connection.execute(
            update(payment).where(payment.c.payment_id == three.payment_id).values(order_id=None)
        )
    ghost = PaymentView.model_validate(one.model_dump() | {"payment_id": one.visit_id})
    await upload(ward, ghost)
    seen = await reconcile(ward)
    assert (seen.totals_agree, seen.differences) == (False, 6)
    assert sorted(await kinds(ward)) == [
        ("his_amount", "hospital", 0),
        ("his_missing", "hospital", 0),
        ("his_missing", "hospital", 0),
        ("his_only", "hospital", 0),
        ("insurer_missing", "insurer", 0),
        ("order_missing", "city", 0),
    ]
    await upload(ward, one, two, three)
    assert (await reconcile(ward)).gone == 3


# -- the channel's bill ----------------------------------------------------------------------------


def moved(our_no: str, direction: str, amount_fen: int, *, state: str = "paid") -> BillRow:
    return BillRow(
        channel_no=f"K-{our_no}",
        our_no=our_no,
        direction=direction,
        amount_fen=amount_fen,
        state=state,
        moved_at=datetime(2026, 6, 1, 3, 0, tzinfo=UTC),
    )


def pay_in(paid: PaymentView, *, less_fen: int = 0) -> BillRow:
    return moved(f"HP{paid.payment_id.hex}", "in", paid.due_fen - less_fen)


async def bring(ward: Ward, *rows: BillRow, by: Caller = CENTRE, bill: str | None = None) -> None:
    request = ChannelBillRequest(
        channel="purse", business_on=TODAY, bill=bill or write_bill(rows).decode()
    )
    taken = await ward.hospital.take_channel_bill(by, MERCHANT, request)
    assert taken.rows == len(rows)


async def test_the_channels_bill_agrees_with_payments_returns_and_deposits(ward: Ward) -> None:
    user_id = await ward.person(200_000)
    paid = await ward.pay(user_id, line(60_000), line(40_000))
    back = await ward.give_back(paid, 2, 40_000)
    visit = await ward.visit(user_id, kind="inpatient", insured=False)
    deposit = DepositRequest(user=await ward.shown(user_id), amount_fen=8_000, out_trade_no="YJ1")
    await ward.hospital.put_down(HIS, visit.visit_id, deposit, "deposit")
    await ward.hospital.discharge(HIS, visit.visit_id, "home")
    async with transaction(ward.city.engine) as (connection, _):
        top_up = await connection.execute(select(deposit_top_up.c.top_up_id))
        rest_no = f"HDR{top_up.scalar_one().hex}"
    rows = [
        pay_in(paid),
        moved(f"HR{back.refund_id.hex}", "out", back.cash_fen or 0),
        moved("HDYJ1", "in", 8_000),
        moved(rest_no, "out", 8_000),
        moved("refused", "in", 5, state="refused"),
    ]
    assert (await reconcile(ward)).differences == 0, "a bill that has not come misses nothing"
    await bring(ward, *rows)
    assert (await reconcile(ward)).differences == 0
    for number in range(4):
        await bring(ward, *rows[:number], *rows[number + 1 :])
        assert await compared(ward) == [("channel_missing", "channel", 0)], number
    await bring(ward, *rows)
    assert (await reconcile(ward)).gone == 1


async def compared(ward: Ward) -> list[tuple[str, str, int]]:
    await reconcile(ward)
    return await kinds(ward)


async def test_what_the_bill_has_more_or_otherwise_is_listed(ward: Ward) -> None:
    paid, twice, other = [
        await ward.pay(await ward.person(), line(5_000), insured=False) for _ in range(3)
    ]
    refused = await ward.pay(await ward.person(0), line(5_000), insured=False)
    assert refused.state == "refused"
    await bring(
        ward,
        pay_in(paid),
        pay_in(twice),
        replace(pay_in(twice), channel_no="K-again"),
        pay_in(other, less_fen=1),
        pay_in(refused),
        moved("HP-nobody", "in", 1),
        moved(f"HP{paid.visit_id.hex}", "in", 1),
    )
    assert sorted(await compared(ward)) == [
        ("channel_amount", "channel", 0),
        ("channel_amount", "channel", 0),
        ("channel_only", "channel", 0),
        ("channel_only", "channel", 0),
        ("channel_only", "channel", 0),
    ]
    ward.clock.advance(days=2)
    assert {age for _, _, age in await kinds(ward)} == {2}


async def test_a_bill_that_was_cut_or_comes_from_the_hospital_is_refused(ward: Ward) -> None:
    paid = await ward.pay(await ward.person(), line(5_000), insured=False)
    whole = write_bill([pay_in(paid), moved("x", "in", 1)]).decode()
    cut = "\r\n".join(one for one in whole.split("\r\n") if ",x," not in one)
    with pytest.raises(BillInvalidError):
        await bring(ward, bill=cut)
    with pytest.raises(ForbiddenError):
        await bring(ward, pay_in(paid), by=HIS)
    assert await compared(ward) == []


# -- one-sided, and back ---------------------------------------------------------------------------


async def test_what_the_hospital_has_not_collected_goes_back_when_it_has_told_all(
    ward: Ward,
) -> None:
    """Why: the patient has paid, and the hospital would ask them again."""
    known, missed, alone = [await ward.person() for _ in range(3)]
    told = await ward.pay(known, line(60_000))
    lost = await ward.pay(missed, line(100_000))
    bare = await ward.pay(alone, line(5_000), insured=False)
    await upload(ward, told)
    assert [one for one, _, _ in await compared(ward)] == ["his_missing", "his_missing"]
    assert await ward.purse_fen(alone) == 95_000, "it may be told yet"
    request = HISItemsRequest(business_on=TODAY, items=[], complete=True)
    await ward.hospital.take_his_items(HIS, MERCHANT, request)
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, Behaviour.SILENT_AFTER)
    assert (await reconcile(ward)).returned == 2
    await ward.worker()
    assert [await ward.purse_fen(one) for one in (known, missed, alone)] == [100_000] * 3
    assert [one["psn_no"] for one in ward.books.standing(CODE)] == [f"P{known.hex[:20]}"]
    seen = await reconcile(ward)
    assert (seen.differences, seen.returned) == (0, 0)
    for one in (lost, bare):
        assert one.order_id is not None
        order = await ward.city.core.read_order(CENTRE, one.order_id)
        assert order.refunded_fen == order.captured_fen
    assert await ward.life.books_are_right()


async def test_an_order_that_was_captured_for_nothing_is_refunded(ward: Ward) -> None:
    """Why: it should never be; if it is, it must not wait for somebody to complain."""
    user_id = await ward.person()
    paid = await ward.pay(user_id, line(5_000), insured=False)
    async with transaction(ward.city.engine) as (connection, _):
        await connection.execute(
            update(payment).where(payment.c.payment_id == paid.payment_id).values(state="returned")
        )
    seen = await reconcile(ward)
    assert (seen.differences, seen.returned) == (1, 1)
    assert await ward.purse_fen(user_id) == 100_000
    assert (await reconcile(ward)).differences == 0
    assert await kinds(ward) == []


async def test_what_is_still_on_its_way_is_no_difference(ward: Ward) -> None:
    ward.gateway.plan(Function.SETTLE, Behaviour.SILENT_AFTER)
    ward.gateway.plan(Function.READ_SETTLEMENT, Behaviour.SILENT_BEFORE)
    asking = await ward.pay(await ward.person(), line(60_000))
    assert asking.state == "asking"
    assert (await reconcile(ward)).differences == 0


async def test_the_worker_compares_yesterday_and_today(ward: Ward) -> None:
    assert await ward.hospital.reconcile_due(ward.clock.now) == 2
    ward.gateway.plan(Function.COMPARE_TOTALS, Behaviour.SILENT_BEFORE)
    assert await ward.hospital.reconcile_due(ward.clock.now) == 0
    ward.gateway.plan(Function.COMPARE_TOTALS, Behaviour.SILENT_BEFORE)
    with pytest.raises(InsuranceSilentError):
        await reconcile(ward)
    with pytest.raises(HospitalUnknownError):
        await ward.hospital.list_differences(BUS_OFFICE, MERCHANT)


async def test_the_tables_are_those_of_the_schema(ward: Ward) -> None:
    async with ward.city.engine.connect() as connection:

        def compare(sync: object) -> None:
            inspector = inspect(sync)
            names = sorted(table.name for table in metadata.sorted_tables)
            assert sorted(inspector.get_table_names("scene_hospital")) == names
            for table in metadata.sorted_tables:
                columns = inspector.get_columns(table.name, "scene_hospital")
                assert {(one["name"], one["nullable"]) for one in columns} == {
                    (column.name, column.nullable) for column in table.columns
                }, table.name

        await connection.run_sync(compare)
        with pytest.raises(Exception, match="rows are only ever added"):
            await connection.execute(text("UPDATE scene_hospital.saga_step SET state = 'paid'"))

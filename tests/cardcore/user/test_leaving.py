"""Freezing, death, closing with payout."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from cardcore import tables
from cardcore.account.chart import (
    LEDGER_CNY,
    AccountCode,
    TransferCode,
    arrears_of,
    arrears_payable,
)
from cardcore.books import account, open_accounts, transaction
from cardcore.business.dispute_request import DisputeReason, OpenDisputeRequest
from cardcore.business.request import RefundRequest
from cardcore.errors import (
    FundUnknownError,
    NotFoundError,
    ObligationsOpenError,
    OrderConflictError,
    PersonStateError,
    UserFrozenError,
)
from cardcore.user.people_request import (
    BindPlateRequest,
    FindUserRequest,
)
from ledger import Transfer
from tests.cardcore.user.people_acts import (
    PLATE,
    act,
    close,
    do,
    duplicate,
    fund_act,
    key,
    merge,
    opened,
    refused_code,
    settle,
)
from tests.city_life import BUS_OFFICE, CENTRE, FLAT_FARE_FEN, VALIDATOR, Life, id_no


@pytest.mark.parametrize("verb", ["freeze_user", "report_death"])
async def test_row_23_a_code_of_before_is_refused_at_once(life: Life, verb: str) -> None:
    user_id = await life.person()
    code = await life.code(user_id)
    event = await do(getattr(life.city.core, verb), user_id)
    assert await refused_code(life, code) == "user_frozen"
    assert event.recorded_at == life.clock.now
    with pytest.raises(NotFoundError):
        await life.code(user_id)
    assert await life.balance_fen(user_id) == 10_000


async def test_an_unfrozen_person_goes_on(life: Life) -> None:
    user_id = await life.person()
    await do(life.city.core.freeze_user, user_id)
    with pytest.raises(PersonStateError) as refused:
        await do(life.city.core.freeze_user, user_id)
    assert refused.value.facts["allows"] == ["unfreeze", "death"]
    await do(life.city.core.unfreeze_user, user_id)
    assert (await life.pay(user_id)).status == "captured"


async def test_a_death_reported_by_mistake_leaves_the_person_frozen(life: Life) -> None:
    user_id = await life.person()
    await do(life.city.core.report_death, user_id, act("death"))
    await do(life.city.core.withdraw_death, user_id, act("mistake"))
    assert (await life.city.core.read_user(CENTRE, user_id)).status == "frozen"


async def test_one_fund_is_frozen_alone(life: Life) -> None:
    user_id = await life.person(funds=("transit", "purse"))
    await life.top_up(user_id, 5_000, fund="purse")
    core = life.city.core
    event, _ = await core.freeze_fund(CENTRE, user_id, fund_act("transit"), key())
    assert event.object == "transit"
    order = await life.pay(user_id)
    assert [line.fund for line in order.lines] == ["purse"]
    with pytest.raises(UserFrozenError):
        await life.top_up(user_id, 1)
    with pytest.raises(PersonStateError):
        await core.freeze_fund(CENTRE, user_id, fund_act("transit"), key())
    with pytest.raises(FundUnknownError):
        await core.freeze_fund(CENTRE, user_id, fund_act("bearer"), key())
    await core.unfreeze_fund(CENTRE, user_id, fund_act("transit"), key())
    order = await life.pay(user_id)
    assert [line.fund for line in order.lines] == ["transit"]


async def test_the_journal_tells_who_did_what_and_why(life: Life) -> None:
    user_id = await life.person()
    await do(life.city.core.freeze_user, user_id, act("legal_order", operator="op-7", note="某案"))
    await do(life.city.core.unfreeze_user, user_id)
    history = await life.city.core.read_history(CENTRE, user_id)
    assert [(one.kind, one.reason, one.operator) for one in history.events] == [
        ("freeze", "legal_order", "op-7"),
        ("unfreeze", "risk", None),
    ]
    assert {one.client_id for one in history.events} == {"card-centre"}
    async with transaction(life.city.engine) as (connection, _):
        found = await connection.exec_driver_sql(
            "SELECT note_sealed FROM cardcore.person_event ORDER BY recorded_at"
        )
        notes = list(found.scalars())
        topics = list((await connection.execute(select(tables.outbox.c.topic))).scalars())
    assert notes[0] is not None
    assert "某案".encode() not in notes[0]
    assert {"user.freeze", "user.unfreeze"} <= set(topics)


# -- closing -------------------------------------------------------------------------------------


async def test_whoever_leaves_is_paid_out_and_nothing_works_any_more(life: Life) -> None:
    user_id = await life.person(balance_fen=700, funds=("transit", "purse"))
    await life.top_up(user_id, 1_000, fund="purse")
    core = life.city.core
    await core.bind_plate(CENTRE, user_id, BindPlateRequest(plate=PLATE), key())
    code = await life.code(user_id)
    claim_id = await close(life, user_id, payee="工商银行 6222000011112222")
    assert claim_id is not None
    claim = await core.read_claim(CENTRE, claim_id)
    assert (claim.amount_fen, claim.status, claim.user_id) == (1_700, "open", user_id)
    user = await core.read_user(CENTRE, user_id)
    assert (user.status, [fund.balance_fen for fund in user.funds]) == ("closed", [0, 0])
    assert await refused_code(life, code) == "user_frozen"
    credentials = (await core.list_credentials(CENTRE, user_id)).credentials
    assert [one.status for one in credentials] == ["closed"]
    with pytest.raises(UserFrozenError):
        await life.top_up(user_id, 1)
    assert await life.books_are_right()
    await settle(life, claim_id)
    claim = await core.read_claim(CENTRE, claim_id)
    assert (claim.status, claim.channel_no, claim.paid_at) == ("paid", "P1", life.clock.now)
    assert await life.books_are_right()
    custody = {one.account: one for one in (await core.books(CENTRE)).accounts}["custody"]
    assert custody.debits_fen == custody.credits_fen == 1_700


async def test_a_claim_is_paid_once(life: Life) -> None:
    one, two = [await close(life, await life.person(balance_fen=500)) for _ in range(2)]
    assert one is not None
    assert two is not None
    await settle(life, one)
    await settle(life, one)  # told twice by the bank
    with pytest.raises(PersonStateError):
        await settle(life, one, "P2")
    with pytest.raises(OrderConflictError):
        await settle(life, two, "P1")
    with pytest.raises(NotFoundError):
        await settle(life, uuid4())
    assert await life.books_are_right()


async def test_nobody_leaves_while_something_is_open(life: Life) -> None:
    user_id = await life.person()
    order = await life.hold(user_id)
    with pytest.raises(ObligationsOpenError) as refused:
        await close(life, user_id)
    assert refused.value.facts["open"] == [f"order_held:{order.order_id}", "fund_held:transit"]
    await life.city.core.void(VALIDATOR, order.order_id, key())
    await life.city.core.freeze_fund(CENTRE, user_id, fund_act("transit"), key())
    with pytest.raises(ObligationsOpenError) as refused:
        await close(life, user_id)
    assert refused.value.facts["open"] == ["fund_frozen:transit"]
    await life.city.core.unfreeze_fund(CENTRE, user_id, fund_act("transit"), key())
    await do(life.city.core.freeze_user, user_id)
    with pytest.raises(PersonStateError):
        await close(life, user_id)


async def test_nobody_leaves_who_has_an_open_dispute(life: Life) -> None:
    user_id = await life.person()
    order = await life.pay(user_id)
    ask = OpenDisputeRequest(reason=DisputeReason.NOT_RECOGNISED)
    dispute, _ = await life.city.core.open_dispute(CENTRE, order.order_id, ask, key())
    with pytest.raises(ObligationsOpenError) as refused:
        await close(life, user_id)
    assert refused.value.facts["open"] == [f"dispute:{dispute.dispute_id}"]
    await life.city.core.withdraw_dispute(CENTRE, dispute.dispute_id, key())
    await close(life, user_id)


async def test_nobody_leaves_or_is_merged_who_still_owes(life: Life) -> None:
    """How: a debt for an off-line ride is booked as the upload of records books it."""
    survivor, user_id = await life.person(balance_fen=0), await duplicate(life)
    owed, due = arrears_of(user_id), arrears_payable("some-merchant")
    book = life.city.book
    async with transaction(life.city.engine) as (_, raw):
        codes = ((owed, AccountCode.ARREARS), (due, AccountCode.MERCHANT_ARREARS_PAYABLE))
        await open_accounts(book, [account(*one) for one in codes], raw)

    async def book_fen(debit: UUID, credit: UUID) -> None:
        transfer = Transfer(
            id=uuid4().int,
            debit_account_id=debit.int,
            credit_account_id=credit.int,
            amount=100,
            ledger=LEDGER_CNY,
            code=TransferCode.PAYMENT,
        )
        assert list(await book.create_transfers([transfer])) == ["created"]

    await book_fen(owed, due)
    for leaving in (close(life, user_id), merge(life, survivor, user_id)):
        with pytest.raises(ObligationsOpenError) as refused:
            await leaving
        assert refused.value.facts["open"] == ["arrears"]
    await book_fen(due, owed)
    await merge(life, survivor, user_id)


async def test_heirs_close_the_account_of_the_dead(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    await do(life.city.core.report_death, user_id, act("death"))
    assert await close(life, user_id) is None
    assert (await life.city.core.read_user(CENTRE, user_id)).status == "closed"


async def test_money_given_back_to_the_closed_waits_as_a_claim(life: Life) -> None:
    user_id = await life.person(balance_fen=FLAT_FARE_FEN)
    order = await life.pay(user_id)
    assert await close(life, user_id) is None
    request = RefundRequest(out_refund_no="R1", reason="重复扣款")
    await life.city.core.refund(BUS_OFFICE, order.order_id, request, key())
    explained = await life.city.core.explain(CENTRE, order.order_id)
    (line,) = explained.refunds[0].lines
    assert line.transfers[0].credit_account == "suspense"
    with pytest.raises(ObligationsOpenError) as refused:
        await do(life.city.core.erase_user, user_id)
    still_open = refused.value.facts["open"]
    assert isinstance(still_open, list)
    claim_id = UUID(still_open[0].removeprefix("claim:"))
    assert (await life.city.core.read_claim(CENTRE, claim_id)).amount_fen == FLAT_FARE_FEN
    await settle(life, claim_id)
    assert await life.books_are_right()


async def test_whoever_comes_back_after_leaving_starts_anew(life: Life) -> None:
    number = id_no("19900101", 800)
    first = await opened(life, name="某人", id_no=number)
    await close(life, first)
    core = life.city.core
    assert (await core.find_user(CENTRE, FindUserRequest(id_no=number))).user_id == first
    second = await opened(life, name="某人", id_no=number)
    assert second != first
    assert (await core.find_user(CENTRE, FindUserRequest(id_no=number))).user_id == second

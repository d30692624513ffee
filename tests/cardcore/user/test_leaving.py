"""Freezing, death, merging, closing with payout, erasing."""

from datetime import date
from uuid import UUID, uuid4

import pytest
from cryptography.exceptions import InvalidTag
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
    CardcoreError,
    FundUnknownError,
    LimitExceededError,
    NotFoundError,
    ObligationsOpenError,
    OrderConflictError,
    PersonStateError,
    UserFrozenError,
    UserUnknownError,
)
from cardcore.user.card_request import IssueCardRequest
from cardcore.user.merging import check_merge
from cardcore.user.people_request import (
    BindPlateRequest,
    DiscloseRequest,
    FindUserRequest,
    OrdersQuery,
)
from cardcore.user.people_tables import person_key
from cardcore.user.personal_data import DataKey, Field
from ledger import Transfer
from tests.cardcore.user.people_acts import act, close, do, fund_act, key, merge, opened, settle
from tests.cardcore.user.test_authorisations import Phone
from tests.city_life import BUS_OFFICE, CENTRE, FLAT_FARE_FEN, VALIDATOR, Life, id_no
from tests.virtual_card import card_number

PHONE = "13800138000"
PLATE = "鲁D12345"


async def refused_code(life: Life, code: str) -> str:
    """Why a ride with this code is refused."""
    with pytest.raises(CardcoreError) as refused:
        await life.city.core.order(VALIDATOR, life.ride(code), key())
    return refused.value.code


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


# -- merging -------------------------------------------------------------------------------------


async def duplicate(life: Life, *, balance_fen: int = 300) -> UUID:
    """Somebody known by a phone alone, with a car."""
    user_id = await opened(life, level="phone", phone=PHONE, funds=["transit"])
    await life.top_up(user_id, balance_fen)
    plate = BindPlateRequest(plate=PLATE)
    await life.city.core.bind_plate(CENTRE, user_id, plate, key())
    return user_id


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


# -- erasing -------------------------------------------------------------------------------------


async def sealed_columns(life: Life) -> list[bytes]:
    """What a backup of everything but the keys would hold of sealed bytes."""
    asked = (
        "SELECT name_sealed FROM cardcore.person UNION ALL SELECT id_no_sealed FROM cardcore.person"
        " UNION ALL SELECT sealed FROM cardcore.personal_field"
        " UNION ALL SELECT label_sealed FROM cardcore.credential"
        " UNION ALL SELECT note_sealed FROM cardcore.person_event"
        " UNION ALL SELECT payee_sealed FROM cardcore.payout_claim"
        " UNION ALL SELECT evidence_sealed FROM cardcore.entitlement"
    )
    async with transaction(life.city.engine) as (connection, _):
        found = await connection.exec_driver_sql(asked)
        return [one for one in found.scalars() if one is not None]


async def test_an_erased_person_is_unreadable_and_the_money_stays(life: Life) -> None:
    """How: the sealed columns are copied before, as a backup would; then the key is destroyed."""
    user_id = await opened(
        life,
        name="\U0002000b明",
        id_no=id_no("19900101", 700),
        phone=PHONE,
        address="枣庄市山亭区",
        funds=["transit"],
        entitlements=[
            {
                "concession": "senior",
                "evidence": "老年证 7",
                "valid_from": "2026-01-01",
                "valid_to": "2026-12-31",
            }
        ],
    )
    core = life.city.core
    await core.bind_plate(CENTRE, user_id, BindPlateRequest(plate=PLATE), key())
    await life.top_up(user_id, 500)
    order = await life.pay(user_id)
    claim_id = await close(life, user_id, payee="6222000011112222")
    assert claim_id is not None
    await settle(life, claim_id)
    backup = await sealed_columns(life)
    assert len(backup) >= 7
    await do(core.erase_user, user_id, act("user_request", note="本人申请"))
    user = await core.read_user(CENTRE, user_id)
    assert (user.name_masked, user.id_no_masked, user.phone_masked) == ("*", "*", "*")
    async with transaction(life.city.engine) as (connection, _):
        keys = (await connection.execute(select(person_key))).all()
        assert keys == []
    assert (await core.explain(CENTRE, order.order_id)).explained_fen == order.nominal_fen
    assert (await core.list_orders(CENTRE, user_id, OrdersQuery())).orders != []
    assert await life.books_are_right()
    for sealed in backup:
        for field in Field:
            with pytest.raises(InvalidTag):
                DataKey(bytes(32)).open(field, sealed)
    for asked in ({"phone": PHONE}, {"id_no": id_no("19900101", 700)}, {"plate": PLATE}):
        with pytest.raises(UserUnknownError):
            await core.find_user(CENTRE, FindUserRequest.model_validate(asked))
    request = DiscloseRequest(purpose="audit", fields=["name"], operator="op-1")
    with pytest.raises(PersonStateError):
        await core.disclose(CENTRE, user_id, request)
    credentials = (await core.list_credentials(CENTRE, user_id)).credentials
    assert [one.label_masked for one in credentials] == [None]


async def test_a_sealed_column_put_back_from_a_backup_opens_for_nobody(life: Life) -> None:
    """Why: destroying the key must outlive every restore of what it sealed."""
    user_id = await opened(life, name="某人", id_no=id_no("19900101", 701))
    await close(life, user_id)
    async with transaction(life.city.engine) as (connection, _):
        before = await connection.exec_driver_sql("SELECT name_sealed FROM cardcore.person")
        sealed = before.scalar_one()
    await do(life.city.core.erase_user, user_id)
    async with transaction(life.city.engine) as (connection, _):
        await connection.execute(
            tables.person.update()
            .where(tables.person.c.user_id == user_id)
            .values(name_sealed=sealed, erased_at=None)
        )
    with pytest.raises(PersonStateError, match="erased"):
        await life.city.core.read_user(CENTRE, user_id)


async def test_nobody_is_erased_while_the_account_stands_or_twice(life: Life) -> None:
    user_id, other = await life.person(balance_fen=0), await duplicate(life)
    await merge(life, user_id, other)
    core = life.city.core
    with pytest.raises(PersonStateError):
        await do(core.erase_user, user_id)
    claim_id = await close(life, user_id)
    with pytest.raises(ObligationsOpenError) as refused:
        await do(core.erase_user, user_id)
    assert refused.value.facts["open"] == [f"claim:{claim_id}"]
    assert claim_id is not None
    await settle(life, claim_id)
    await do(core.erase_user, user_id)
    with pytest.raises(PersonStateError):
        await do(core.erase_user, user_id)
    async with transaction(life.city.engine) as (connection, _):
        # The merged duplicate's key went with the survivor's.
        assert (await connection.execute(select(person_key))).all() == []

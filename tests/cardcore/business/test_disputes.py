"""Disputes over the real books: who has the money after each step, and that custody covers it."""

import asyncio
import os
from datetime import timedelta
from uuid import UUID

import pytest

from adapters import demo_city
from cardcore.account.chart import DISPUTES
from cardcore.business.dispute_errors import DisputeExceedsError, DisputeStateError
from cardcore.business.dispute_journal import digest_of
from cardcore.business.dispute_lists import DisputesPage
from cardcore.business.dispute_request import (
    Answer,
    AnswerDisputeRequest,
    DecideDisputeRequest,
    DisputeReason,
    Finding,
    Grounds,
    OpenDisputeRequest,
)
from cardcore.business.dispute_states import DisputeStatus
from cardcore.business.dispute_views import DisputeView
from cardcore.business.request import RefundRequest
from cardcore.business.views import OrderView
from cardcore.caller import Caller
from cardcore.dispute_service import DisputeDeadlines
from cardcore.errors import ForbiddenError, NotFoundError, OrderStateError, RefundExceedsError
from tests.city_life import ALL_SCOPES, BUS_OFFICE, CENTRE, FLAT_FARE_FEN, GATE, Life


def citizen(user_id: UUID) -> Caller:
    return Caller(client_id=f"user:{user_id}", merchant_id=None, scopes=ALL_SCOPES, user_id=user_id)


async def dispute(
    life: Life, order: OrderView, amount_fen: int | None = None, *, key: str = "d"
) -> DisputeView:
    request = OpenDisputeRequest(reason=DisputeReason.WRONG_AMOUNT, amount_fen=amount_fen)
    view, _ = await life.city.core.open_dispute(CENTRE, order.order_id, request, key)
    return view


async def answer(life: Life, view: DisputeView, given: Answer) -> DisputeView:
    request = AnswerDisputeRequest(
        answer=given, grounds=Grounds.SERVICE_DELIVERED, reference="TICKET-1"
    )
    after, _ = await life.city.core.answer_dispute(
        BUS_OFFICE, view.dispute_id, request, f"answer-{view.dispute_id}"
    )
    return after


async def decide(life: Life, view: DisputeView, finding: Finding) -> DisputeView:
    request = DecideDisputeRequest(finding=finding, grounds=Grounds.AMOUNT_RIGHT)
    after, _ = await life.city.core.decide_dispute(
        CENTRE, view.dispute_id, request, f"decide-{view.dispute_id}"
    )
    return after


async def account_fen(life: Life, account_id: UUID) -> int:
    (account,) = await life.city.book.lookup_accounts([account_id.int])
    return account.credits_posted - account.debits_posted


def deadlines(life: Life) -> DisputeDeadlines:
    return DisputeDeadlines(life.city.engine, life.city.book, os.urandom)


async def test_a_merchant_that_accepts_pays_the_citizen_back(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    order = await life.pay(user_id)
    view = await dispute(life, order, 40)
    assert (view.status, view.amount_fen, view.credited_fen) == ("open", 40, 0)
    assert await life.balance_fen(user_id) == 400
    after = await answer(life, view, Answer.ACCEPT)
    assert (after.status, after.credited_fen, after.recovered_fen) == ("for_citizen", 40, 40)
    assert after.borne_by == "merchant"
    assert [(one.step, one.reference) for one in after.events] == [
        ("open", None),
        ("accept", "TICKET-1"),
    ]
    assert await life.balance_fen(user_id) == 440
    assert await account_fen(life, DISPUTES) == 0
    assert await life.books_are_right()


async def test_a_provisional_credit_is_taken_back_when_the_merchant_was_right(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    view = await dispute(life, await life.pay(user_id))
    await life.city.core.credit_dispute(CENTRE, view.dispute_id, "c")
    assert await life.balance_fen(user_id) == 500
    assert await account_fen(life, DISPUTES) == -FLAT_FARE_FEN
    assert await life.books_are_right()
    await answer(life, view, Answer.CONTEST)
    after = await decide(life, view, Finding.MERCHANT)
    assert (after.status, after.borne_by, after.recovered_fen) == (
        "for_merchant",
        "citizen",
        FLAT_FARE_FEN,
    )
    assert await life.balance_fen(user_id) == 400
    assert await account_fen(life, DISPUTES) == 0
    assert await life.books_are_right()


async def test_what_the_citizen_has_spent_meanwhile_is_taken_when_there_is_money_again(
    life: Life,
) -> None:
    user_id = await life.person(balance_fen=FLAT_FARE_FEN)
    view = await dispute(life, await life.pay(user_id))
    await life.city.core.credit_dispute(CENTRE, view.dispute_id, "c")
    await life.pay(user_id)
    withdrawn, _ = await life.city.core.withdraw_dispute(CENTRE, view.dispute_id, "w")
    assert (withdrawn.status, withdrawn.recovered_fen) == ("withdrawn", 0)
    assert await deadlines(life).act_on_due(life.clock.now) == 0
    await life.top_up(user_id, 30)
    assert await deadlines(life).act_on_due(life.clock.now) == 1
    await life.top_up(user_id, 500)
    assert await deadlines(life).act_on_due(life.clock.now) == 1
    assert await life.balance_fen(user_id) == 530 - FLAT_FARE_FEN
    now = await life.city.core.read_dispute(CENTRE, view.dispute_id)
    assert now.recovered_fen == FLAT_FARE_FEN
    assert [one.step for one in now.events][-2:] == ["recover", "recover"]
    assert await deadlines(life).act_on_due(life.clock.now) == 0
    assert await life.books_are_right()


async def test_silence_is_an_acceptance_and_waiting_too_long_a_credit(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    silent = await dispute(life, await life.pay(user_id), key="d1")
    contested = await dispute(life, await life.pay(user_id), key="d2")
    await answer(life, contested, Answer.CONTEST)
    assert await deadlines(life).act_on_due(life.clock.now) == 0
    life.clock.now = silent.respond_by
    assert await deadlines(life).act_on_due(life.clock.now) == 1
    assert (await life.city.core.read_dispute(CENTRE, silent.dispute_id)).status == "for_citizen"
    life.clock.now = contested.credit_by
    assert await deadlines(life).act_on_due(life.clock.now) == 1
    credited = await life.city.core.read_dispute(CENTRE, contested.dispute_id)
    assert (credited.status, credited.credited_fen) == ("contested", FLAT_FARE_FEN)
    life.clock.now = contested.decide_by + timedelta(seconds=1)
    assert await deadlines(life).act_on_due(life.clock.now) == 1
    decided = await life.city.core.read_dispute(CENTRE, contested.dispute_id)
    assert (decided.status, decided.borne_by) == ("for_citizen", "merchant")
    assert decided.events[-1].by == "worker"
    assert await life.balance_fen(user_id) == 500
    assert await life.books_are_right()


async def test_two_workers_take_a_due_step_once(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    view = await dispute(life, await life.pay(user_id))
    life.clock.now = view.respond_by
    done = await asyncio.gather(*(deadlines(life).act_on_due(life.clock.now) for _ in range(3)))
    assert sum(done) == 1
    assert await life.balance_fen(user_id) == 500
    assert await life.books_are_right()


async def test_a_disputed_fen_is_not_refunded_and_a_refunded_one_not_disputed(life: Life) -> None:
    order = await life.pay(await life.person(balance_fen=500))
    view = await dispute(life, order, 60, key="d1")
    with pytest.raises(RefundExceedsError) as refused:
        await life.city.core.refund(
            CENTRE, order.order_id, RefundRequest(out_refund_no="R", amount_fen=41, reason="r"), "r"
        )
    assert refused.value.facts == {"left_fen": 40}
    await life.city.core.refund(
        CENTRE, order.order_id, RefundRequest(out_refund_no="R", amount_fen=15, reason="r"), "r2"
    )
    with pytest.raises(DisputeExceedsError) as too_much:
        await dispute(life, order, 26, key="d2")
    assert too_much.value.facts == {"left_fen": 25}
    await life.city.core.withdraw_dispute(CENTRE, view.dispute_id, "w")
    assert (await dispute(life, order, key="d3")).amount_fen == 85


async def test_the_evidence_is_what_the_books_knew_when_it_was_opened(life: Life) -> None:
    order = await life.pay(await life.person(balance_fen=500, concession="student"))
    view = await dispute(life, order)
    assert view.amount_fen == order.citizen_fen
    await answer(life, view, Answer.ACCEPT)
    kept = await life.city.core.dispute_evidence(BUS_OFFICE, view.dispute_id)
    assert kept.sha256 == view.evidence_sha256 == digest_of(kept.pack).hex()
    assert kept.pack["order"]["order_id"] == str(order.order_id)
    assert kept.pack["explain"]["explained_fen"] == FLAT_FARE_FEN


async def test_each_party_reaches_only_what_is_its_own(life: Life) -> None:
    """Row 33 of the faults."""
    user_id = await life.person(balance_fen=500)
    order = await life.pay(user_id)
    core = life.city.core
    request = OpenDisputeRequest(reason=DisputeReason.NOT_RECOGNISED)
    with pytest.raises(ForbiddenError):
        await core.open_dispute(BUS_OFFICE, order.order_id, request, "d1")
    with pytest.raises(NotFoundError):
        await core.open_dispute(citizen(await life.person()), order.order_id, request, "d2")
    view, _ = await core.open_dispute(citizen(user_id), order.order_id, request, "d3")
    assert view.merchant_id == demo_city.BUS_MERCHANT
    for foreign in (GATE, citizen(await life.person())):
        with pytest.raises(NotFoundError):
            await core.read_dispute(foreign, view.dispute_id)
        with pytest.raises(NotFoundError):
            await core.dispute_evidence(foreign, view.dispute_id)
    with pytest.raises(ForbiddenError):
        await core.decide_dispute(
            BUS_OFFICE,
            view.dispute_id,
            DecideDisputeRequest(finding=Finding.MERCHANT, grounds=Grounds.AMOUNT_RIGHT),
            "x",
        )
    assert (await core.read_dispute(citizen(user_id), view.dispute_id)) == view


async def test_a_step_again_is_answered_as_before_and_another_is_refused(life: Life) -> None:
    view = await dispute(life, await life.pay(await life.person(balance_fen=500)))
    core = life.city.core
    first, replayed = await core.credit_dispute(CENTRE, view.dispute_id, "c")
    assert not replayed
    with pytest.raises(DisputeStateError):
        await core.credit_dispute(CENTRE, view.dispute_id, "c2")
    await answer(life, view, Answer.ACCEPT)
    again, replayed = await core.credit_dispute(CENTRE, view.dispute_id, "c")
    assert (again, replayed) == (first, True)
    with pytest.raises(DisputeStateError) as refused:
        await core.withdraw_dispute(CENTRE, view.dispute_id, "w")
    assert refused.value.facts == {"status": "for_citizen", "step": "withdraw"}


async def test_what_is_only_held_is_not_disputed(life: Life) -> None:
    held = await life.hold(await life.person())
    with pytest.raises(OrderStateError):
        await dispute(life, held)


async def test_disputes_are_listed_by_when_they_must_be_decided_to_those_they_concern(
    life: Life,
) -> None:
    core, opened = life.city.core, []
    for number in range(3):
        order = await life.pay(await life.person())
        life.clock.advance(hours=1)
        opened.append((await dispute(life, order, key=f"list-{number}")).dispute_id)
    page = await core.disputes(BUS_OFFICE, DisputesPage(limit=2))
    assert [one.dispute_id for one in page.disputes] == opened[:2]
    rest = await core.disputes(CENTRE, DisputesPage(limit=2, cursor=page.next_cursor))
    assert ([one.dispute_id for one in rest.disputes], rest.next_cursor) == (opened[2:], None)
    await core.withdraw_dispute(CENTRE, opened[0], "withdraw")
    left = await core.disputes(CENTRE, DisputesPage(merchant_id=demo_city.BUS_MERCHANT))
    assert [one.dispute_id for one in left.disputes] == opened[1:]
    withdrawn = await core.disputes(CENTRE, DisputesPage(status=DisputeStatus.WITHDRAWN))
    assert [one.dispute_id for one in withdrawn.disputes] == opened[:1]
    assert (await core.disputes(GATE, DisputesPage())).disputes == []
    with pytest.raises(ForbiddenError):
        await core.disputes(citizen(opened[0]), DisputesPage())

import asyncio

import pytest

from adapters import demo_city
from cardcore.business.request import CaptureRequest, Mode, RefundRequest, User
from cardcore.errors import (
    AmountInvalidError,
    CaptureExceedsError,
    CardcoreError,
    CodeRefusedError,
    ForbiddenError,
    FundUnknownError,
    IdempotencyKeyReusedError,
    InsufficientBalanceError,
    LimitExceededError,
    MerchantUnknownError,
    NotFoundError,
    OrderConflictError,
    OrderStateError,
    RefundExceedsError,
    RequestInvalidError,
    ServiceUnavailableError,
    TerminalUnknownError,
    UserUnknownError,
)
from cardcore.known import Known
from tests.city_life import (
    BUS_OFFICE,
    CENTRE,
    FLAT_FARE_FEN,
    GATE,
    VALIDATOR,
    Life,
    from_funds,
)


async def effects(life: Life) -> dict[str, int]:
    """How many rows of each kind there are."""
    counts = {}
    async with life.city.pool.connection() as connection:
        for name in ("business_order", "used_code", "outbox", "idempotency", "audit_event"):
            found = await connection.execute(f"SELECT count(*) FROM cardcore.{name}".encode())
            row = await found.fetchone()
            assert row is not None
            counts[name] = row[0]
        found = await connection.execute("SELECT count(*) FROM ledger.transfer")
        row = await found.fetchone()
        assert row is not None
        counts["transfer"] = row[0]
    return counts


async def test_a_ride_moves_the_fare_from_the_fund_to_the_operator(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    order = await life.pay(user_id)
    assert (order.status, order.nominal_fen, order.citizen_fen) == ("captured", 100, 100)
    assert [(line.payer, line.fund) for line in order.lines] == [("citizen", "transit")]
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN
    assert await life.books_are_right()


async def test_a_concession_is_a_line_of_the_finance_bureau(life: Life) -> None:
    user_id = await life.person(balance_fen=500, concession="senior")
    order = await life.pay(user_id)
    shares = {line.payer: line.amount_fen for line in order.lines}
    assert sum(shares.values()) == FLAT_FARE_FEN
    assert shares["finance_bureau"] > 0
    assert await life.balance_fen(user_id) == 500 - shares["citizen"]
    assert await life.books_are_right()


async def test_the_same_request_again_is_the_same_order_even_after_its_code_expired(
    life: Life,
) -> None:
    """Row 6 of the faults: the reply was lost, the terminal asks again."""
    user_id = await life.person()
    request = life.ride(await life.code(user_id))
    first, replayed = await life.city.core.order(VALIDATOR, request, "key")
    assert not replayed
    before = await effects(life)
    life.clock.advance(hours=3)
    again, replayed = await life.city.core.order(VALIDATOR, request, "key")
    assert replayed
    assert again == first
    assert await effects(life) == before


async def test_fifty_times_the_same_request_at_once_has_one_effect(life: Life) -> None:
    """Row 1 of the faults."""
    user_id = await life.person(balance_fen=10_000)
    request = life.ride(await life.code(user_id))
    answers = await asyncio.gather(
        *(life.city.core.order(VALIDATOR, request, "key") for _ in range(50))
    )
    assert len({order.order_id for order, _ in answers}) == 1
    assert [replayed for _, replayed in answers].count(False) == 1
    assert await life.balance_fen(user_id) == 10_000 - FLAT_FARE_FEN


async def test_a_key_with_another_body_is_refused(life: Life) -> None:
    """Row 2 of the faults."""
    user_id = await life.person()
    await life.city.core.order(VALIDATOR, life.ride(await life.code(user_id)), "key")
    before = await effects(life)
    with pytest.raises(IdempotencyKeyReusedError):
        await life.city.core.order(VALIDATOR, life.ride(await life.code(user_id)), "key")
    assert await effects(life) == before | {"audit_event": before["audit_event"] + 1}


async def test_a_new_key_with_the_same_number_and_body_is_the_order_that_exists(
    life: Life,
) -> None:
    """Row 3 of the faults."""
    user_id = await life.person()
    request = life.ride(await life.code(user_id))
    first, _ = await life.city.core.order(VALIDATOR, request, "key-1")
    again, known = await life.city.core.order(VALIDATOR, request, "key-2")
    assert (again, known) == (first, Known.BY_NUMBER)
    # The other key is spent with it: the same request again is its replay, another is refused.
    again, known = await life.city.core.order(VALIDATOR, request, "key-2")
    assert (again, known) == (first, Known.BY_KEY | Known.BY_NUMBER)
    with pytest.raises(IdempotencyKeyReusedError):
        await life.city.core.order(VALIDATOR, life.ride(await life.code(user_id)), "key-2")
    assert await life.balance_fen(user_id) == 10_000 - FLAT_FARE_FEN


async def test_a_number_that_is_known_leaves_its_neighbours_in_the_batch_alone(life: Life) -> None:
    """Row 3 of the faults: keys of both kinds are kept in one statement."""
    user_id = await life.person()
    request = life.ride(await life.code(user_id))
    await life.city.core.order(VALIDATOR, request, "key-1")
    others = [life.ride(await life.code(user_id)) for _ in range(4)]
    answers = await asyncio.gather(
        *(life.city.core.order(VALIDATOR, request, f"again-{n}") for n in range(4)),
        *(life.city.core.order(VALIDATOR, one, f"new-{n}") for n, one in enumerate(others)),
    )
    assert [known for _, known in answers] == [Known.BY_NUMBER] * 4 + [Known.NEW] * 4
    assert await life.balance_fen(user_id) == 10_000 - 5 * FLAT_FARE_FEN


async def test_a_refund_number_under_another_key_is_the_refund_that_exists(life: Life) -> None:
    user_id = await life.person()
    paid = await life.pay(user_id)
    ask = RefundRequest(out_refund_no="R-1", amount_fen=50, reason="x")
    first, known = await life.city.core.refund(BUS_OFFICE, paid.order_id, ask, "r1")
    assert known == Known.NEW
    for expected in (Known.BY_NUMBER, Known.BY_KEY | Known.BY_NUMBER):
        assert await life.city.core.refund(BUS_OFFICE, paid.order_id, ask, "r2") == (
            first,
            expected,
        )
    assert await life.balance_fen(user_id) == 10_000 - FLAT_FARE_FEN + 50


async def test_a_number_with_another_body_is_a_conflict(life: Life) -> None:
    """Row 4 of the faults."""
    user_id = await life.person()
    first = await life.pay(user_id, no="N-1")
    with pytest.raises(OrderConflictError) as refused:
        await life.pay(user_id, no="N-1")
    assert refused.value.facts == {"order_id": str(first.order_id)}


async def test_a_code_is_good_once(life: Life) -> None:
    """Row 20 of the faults, online."""
    user_id = await life.person()
    code = await life.code(user_id)
    await life.city.core.order(VALIDATOR, life.ride(code), "key-1")
    with pytest.raises(CodeRefusedError) as refused:
        await life.city.core.order(VALIDATOR, life.ride(code), "key-2")
    assert refused.value.reason == "code_replayed"


async def test_one_code_shown_forty_times_at_once_pays_once(life: Life) -> None:
    user_id = await life.person()
    code = await life.code(user_id)
    answers = await asyncio.gather(
        *(life.city.core.order(VALIDATOR, life.ride(code), f"key-{n}") for n in range(40)),
        return_exceptions=True,
    )
    refusals = [answer for answer in answers if isinstance(answer, CodeRefusedError)]
    assert len(refusals) == 39
    assert {refusal.reason for refusal in refusals} == {"code_replayed"}
    assert await life.balance_fen(user_id) == 10_000 - FLAT_FARE_FEN


async def test_a_refused_order_leaves_one_audit_row_and_its_code_unspent(life: Life) -> None:
    user_id = await life.person(balance_fen=FLAT_FARE_FEN - 1)
    code = await life.code(user_id)
    before = await effects(life)
    with pytest.raises(InsufficientBalanceError):
        await life.city.core.order(VALIDATOR, life.ride(code), "key")
    assert await effects(life) == before | {"audit_event": before["audit_event"] + 1}
    await life.top_up(user_id, 1)
    order, _ = await life.city.core.order(VALIDATOR, life.ride(code), "key")
    assert order.status == "captured"


async def test_a_balance_for_one_pays_one_of_many_at_once(life: Life) -> None:
    """Row 16 of the faults."""
    user_id = await life.person(balance_fen=FLAT_FARE_FEN)
    rides = [life.ride(await life.code(user_id)) for _ in range(8)]
    answers = await asyncio.gather(
        *(life.city.core.order(VALIDATOR, ride, f"key-{n}") for n, ride in enumerate(rides)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, InsufficientBalanceError)]
    assert len(refused) == 7
    assert await life.balance_fen(user_id) == 0
    assert await life.books_are_right()


@pytest.mark.parametrize(("advance_s", "reason"), [(61, "code_expired"), (-300, "clock_skew")])
async def test_a_code_outside_its_time_is_refused(life: Life, advance_s: int, reason: str) -> None:
    """Rows 18 and 19 of the faults."""
    code = await life.code(await life.person())
    life.clock.advance(seconds=advance_s)
    with pytest.raises(CodeRefusedError) as refused:
        await life.city.core.order(VALIDATOR, life.ride(code), "key")
    assert refused.value.reason == reason


async def test_a_code_with_any_character_changed_is_refused_and_says_nothing_more(
    life: Life,
) -> None:
    """Row 21 of the faults."""
    code = await life.code(await life.person())
    details = set()
    for position in range(3, len(code), 7):
        changed = "0" if code[position] != "0" else "1"
        forged = code[:position] + changed + code[position + 1 :]
        with pytest.raises(CodeRefusedError) as refused:
            await life.city.core.order(VALIDATOR, life.ride(forged), f"key-{position}")
        # A changed time or scope is told apart only before the signature is looked at.
        if refused.value.reason == "code_invalid":
            details.add(refused.value.detail)
    assert len(details) == 1


async def test_a_code_for_other_scenes_is_refused(life: Life) -> None:
    """Row 24 of the faults."""
    code = await life.code(await life.person(), scenes=["hospital"])
    with pytest.raises(CodeRefusedError) as refused:
        await life.city.core.order(VALIDATOR, life.ride(code), "key")
    assert refused.value.reason == "scene_not_allowed"


async def test_a_code_pays_no_more_than_its_cap(life: Life) -> None:
    code = await life.code(await life.person(), cap_fen=FLAT_FARE_FEN - 10)
    with pytest.raises(LimitExceededError) as refused:
        await life.city.core.order(VALIDATOR, life.ride(code), "key")
    assert refused.value.facts["limit"] == "code_cap"


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"terminal_id": "bus-V9999"}, TerminalUnknownError, "business.terminal_id"),
        ({"terminal_id": demo_city.GATE_TERMINAL}, TerminalUnknownError, "business.terminal_id"),
        ({"merchant_id": demo_city.GATE_MERCHANT}, MerchantUnknownError, "business.merchant_id"),
        ({"scene": "moon"}, RequestInvalidError, "scenes"),
        ({"details": {"line": "K9", "on_stop": "SC01"}}, RequestInvalidError, None),
        ({"details": {"line": "K1"}}, RequestInvalidError, "business.details.on_stop"),
        ({"amount_fen": 100, "currency": "CNY"}, AmountInvalidError, "business.amount_fen"),
    ],
)
async def test_bad_input_is_refused_by_name_and_without_effect(
    life: Life, changes: dict[str, object], error: type[CardcoreError], field: str | None
) -> None:
    code = await life.code(await life.person())
    before = await effects(life)
    with pytest.raises(error) as refused:
        await life.city.core.order(VALIDATOR, life.ride(code, **changes), "key")
    assert field in (None, refused.value.field)
    assert await effects(life) == before | {"audit_event": before["audit_event"] + 1}


async def test_an_unknown_alias_is_an_unknown_user(life: Life) -> None:
    code = await life.code(await life.person())
    async with life.city.pool.connection() as connection:
        await connection.execute("DELETE FROM cardcore.code_token")
    with pytest.raises(UserUnknownError):
        await life.city.core.order(VALIDATOR, life.ride(code), "key")


async def test_a_fund_the_scene_may_not_use_is_refused(life: Life) -> None:
    ride = life.ride(await life.code(await life.person()))
    with pytest.raises(FundUnknownError):
        await life.city.core.order(
            VALIDATOR, ride.model_copy(update={"account": from_funds("campus")}), "key"
        )


async def test_two_funds_share_a_fare_and_get_it_back_in_reverse(life: Life) -> None:
    user_id = await life.person(balance_fen=30, funds=("transit", "purse"))
    await life.top_up(user_id, 500, fund="purse")
    order = await life.pay(user_id)
    assert [(line.fund, line.amount_fen) for line in order.lines] == [
        ("transit", 30),
        ("purse", 70),
    ]
    refund, _ = await life.city.core.refund(
        CENTRE, order.order_id, RefundRequest(out_refund_no="R1", amount_fen=80, reason="r"), "r1"
    )
    assert {line.fund: line.amount_fen for line in refund.lines} == {"purse": 70, "transit": 10}
    assert await life.balance_fen(user_id, "purse") == 500
    assert await life.books_are_right()


async def test_a_gate_records_a_passage_and_moves_nothing(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    before = await effects(life)
    order, _ = await life.city.core.order(GATE, life.passage(await life.code(user_id)), "key")
    assert (order.status, order.nominal_fen) == ("recorded", 0)
    assert (await effects(life))["transfer"] == before["transfer"]


async def test_a_record_with_a_price_is_refused(life: Life) -> None:
    ride = life.ride(await life.code(await life.person()))
    with pytest.raises(AmountInvalidError):
        await life.city.core.order(VALIDATOR, ride.model_copy(update={"mode": Mode.RECORD}), "key")


async def test_a_merchant_cannot_name_a_user_by_id(life: Life) -> None:
    user_id = await life.person()
    ride = life.ride(await life.code(user_id))
    named = ride.model_copy(update={"user": User(user_id=user_id)})
    with pytest.raises(ForbiddenError):
        await life.city.core.order(VALIDATOR, named, "key")
    order, _ = await life.city.core.order(CENTRE, named, "key")
    assert order.status == "captured"


async def test_a_foreign_order_is_not_found(life: Life) -> None:
    """Row 33 of the faults."""
    order = await life.pay(await life.person())
    with pytest.raises(NotFoundError):
        await life.city.core.read_order(GATE, order.order_id)
    with pytest.raises(NotFoundError):
        await life.city.core.explain(GATE, order.order_id)
    with pytest.raises(NotFoundError):
        await life.city.core.refund(
            GATE, order.order_id, RefundRequest(out_refund_no="R", reason="r"), "k"
        )
    found = await life.city.core.find_order(BUS_OFFICE, demo_city.BUS_MERCHANT, order.out_trade_no)
    assert found == order


async def test_a_quote_is_the_price_of_the_order_and_spends_nothing(life: Life) -> None:
    user_id = await life.person(concession="senior")
    ride = life.ride(await life.code(user_id))
    before = await effects(life)
    quote = await life.city.core.quote(VALIDATOR, ride)
    assert await effects(life) == before
    order, _ = await life.city.core.order(VALIDATOR, ride, "key")
    assert (quote.nominal_fen, quote.citizen_fen) == (order.nominal_fen, order.citizen_fen)


# -- holds -------------------------------------------------------------------------------------


async def test_a_hold_keeps_the_money_until_it_is_captured_in_part(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    held = await life.hold(user_id)
    assert (held.status, held.captured_fen) == ("held", 0)
    assert await life.balance_fen(user_id) == 400
    taken, _ = await life.city.core.capture(
        VALIDATOR, held.order_id, CaptureRequest(amount_fen=60), "c1"
    )
    assert (taken.status, taken.captured_fen) == ("captured", 60)
    assert await life.balance_fen(user_id) == 440
    assert await life.books_are_right()
    with pytest.raises(OrderStateError):
        await life.city.core.capture(VALIDATOR, held.order_id, CaptureRequest(), "c2")
    for amount_fen, key in ((61, "r1"), (60, "r2")):
        refund = RefundRequest(out_refund_no=f"R{key}", amount_fen=amount_fen, reason="r")
        if amount_fen > 60:
            with pytest.raises(RefundExceedsError):
                await life.city.core.refund(CENTRE, held.order_id, refund, key)
        else:
            await life.city.core.refund(CENTRE, held.order_id, refund, key)
    again, replayed = await life.city.core.capture(
        VALIDATOR, held.order_id, CaptureRequest(amount_fen=60), "c1"
    )
    assert (again, replayed) == (taken, True)


async def test_a_hold_is_voided_once_and_a_retry_hears_the_same(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    held = await life.hold(user_id)
    voided, replayed = await life.city.core.void(VALIDATOR, held.order_id, "v1")
    assert (voided.status, replayed) == ("voided", False)
    again, replayed = await life.city.core.void(VALIDATOR, held.order_id, "v1")
    assert (again, replayed) == (voided, True)
    assert await life.balance_fen(user_id) == 500
    assert await life.books_are_right()


async def test_no_more_than_is_held_can_be_captured(life: Life) -> None:
    held = await life.hold(await life.person())
    with pytest.raises(CaptureExceedsError):
        await life.city.core.capture(
            VALIDATOR, held.order_id, CaptureRequest(amount_fen=FLAT_FARE_FEN + 1), "c"
        )


# -- refunds -----------------------------------------------------------------------------------


async def test_twenty_refunds_at_once_never_give_back_more_than_was_paid(life: Life) -> None:
    """Row 14 of the faults.

    How: all wait for one order's row with the few connections there are; where the machine is so
    slow that one waits in vain it is told to come again, and does.
    """
    user_id = await life.person(balance_fen=500)
    order = await life.pay(user_id)

    async def insist(number: int) -> bool:
        request = RefundRequest(out_refund_no=f"R{number}", amount_fen=30, reason="r")
        while True:
            try:
                await life.city.core.refund(CENTRE, order.order_id, request, f"r{number}")
            except RefundExceedsError:
                return False
            except ServiceUnavailableError:
                continue
            return True

    given = await asyncio.gather(*(insist(number) for number in range(20)))
    assert given.count(True) == 3
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN + 3 * 30
    assert await life.books_are_right()


async def test_a_refund_again_is_the_same_refund(life: Life) -> None:
    order = await life.pay(await life.person())
    request = RefundRequest(out_refund_no="R1", reason="wrong line")
    first, _ = await life.city.core.refund(CENTRE, order.order_id, request, "r1")
    for key in ("r1", "r2"):
        again, _ = await life.city.core.refund(CENTRE, order.order_id, request, key)
        assert again == first
    with pytest.raises(OrderConflictError):
        await life.city.core.refund(
            CENTRE, order.order_id, RefundRequest(out_refund_no="R1", reason="other"), "r3"
        )
    now = await life.city.core.read_order(CENTRE, order.order_id)
    assert (now.status, now.refunded_fen) == ("refunded", FLAT_FARE_FEN)


async def test_explain_accounts_for_every_fen_from_the_ledgers_own_rows(life: Life) -> None:
    user_id = await life.person(concession="senior")
    order = await life.pay(user_id)
    await life.city.core.refund(
        CENTRE, order.order_id, RefundRequest(out_refund_no="R1", reason="r"), "r1"
    )
    explained = await life.city.core.explain(CENTRE, order.order_id)
    assert explained.explained_fen == explained.nominal_fen == FLAT_FARE_FEN
    for line in explained.lines:
        assert sum(transfer.amount_fen for transfer in line.transfers) == line.amount_fen
    (refund,) = explained.refunds
    given_back = [transfer for line in refund.lines for transfer in line.transfers]
    assert sum(transfer.amount_fen for transfer in given_back) == FLAT_FARE_FEN
    assert {transfer.credit_account for transfer in given_back} == {
        "fund:transit",
        "subsidy_receivable:finance_bureau",
    }

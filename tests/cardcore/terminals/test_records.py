"""Off-line records taken in: booked once, doubted with a reason, never lost (faults 20, 23-28)."""

import itertools
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic_core import to_json
from sqlalchemy import func, select, update

import codes
from adapters import demo_city
from adapters.record_judges import ALONE_MAX, ProcessJudges
from adapters.settings import Settings
from cardcore import tables
from cardcore.account.arrears_tables import arrears
from cardcore.books import transaction
from cardcore.errors import TerminalUnknownError
from cardcore.terminal_service import RECORDS_PER_PART
from cardcore.terminals import tables as terminal_tables
from cardcore.terminals.record_judging import RecordKeys, judge_records
from cardcore.terminals.record_request import RECORDS_MAX
from codes.suites import Algorithm, make_private_key
from codes.validator_record import (
    Decision,
    Place,
    ValidatorRecord,
)
from tests.cardcore.terminals.offline_bus import (
    PLACE,
    Validator,
    cases,
    outcomes,
    phone_of,
    private,
)
from tests.city_life import CENTRE, GATE, VALIDATOR, Life

REPEATED = RECORDS_MAX - 2 * RECORDS_PER_PART


async def test_a_ride_taken_off_line_is_booked_as_of_its_instant(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=1_000)
    phone = await phone_of(life, user_id)
    tapped_at = life.clock.now
    record = bus.record(await phone.code())
    life.clock.advance(hours=30)
    view = await bus.upload(record)
    (result,) = view.results
    assert (result.state, result.reason, result.record_id) == ("booked", None, record.record_id)
    assert result.order_id is not None
    order = await life.city.core.read_order(CENTRE, result.order_id)
    assert (order.occurred_at, order.recorded_at) == (tapped_at, life.clock.now)
    assert order.business_on == tapped_at.date()
    assert await life.balance_fen(user_id) == 900
    assert await life.books_are_right()
    assert json.loads(to_json(view))["gaps"] == []


async def test_row_26_a_batch_sent_again_answers_duplicate_with_the_same_orders(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=1_000)
    phone = await phone_of(life, user_id)
    records = [bus.record(await phone.code()) for _ in range(3)]
    first = await bus.upload(*records)
    again = await bus.upload(*records)
    assert outcomes(again.results) == [("duplicate", None)] * 3
    assert [one.order_id for one in again.results] == [one.order_id for one in first.results]
    assert await life.balance_fen(user_id) == 700


async def test_row_26_one_bad_record_leaves_its_neighbours_alone_and_gaps_block_nothing(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=1_000)
    phone = await phone_of(life, user_id)
    records = [bus.record(await phone.code()) for _ in range(6)]
    broken = bytearray(records[2].to_bytes())
    broken[-1] ^= 1
    view = await bus.upload(
        records[5], bytes(broken), "?", b"noise", records[0], records[4], records[5]
    )
    assert outcomes(view.results) == [
        ("booked", None),
        ("rejected", "record_signature"),
        ("rejected", "record_malformed"),
        ("rejected", "record_malformed"),
        ("booked", None),
        ("booked", None),
        ("duplicate", None),
    ]
    assert [one.index for one in view.results] == list(range(7))
    assert [(gap.first, gap.last) for gap in view.gaps] == [(2, 4)]
    assert view.results[0].order_id == view.results[6].order_id
    view = await bus.upload(records[1], records[2])
    assert outcomes(view.results) == [("booked", None)] * 2
    assert [(gap.first, gap.last) for gap in view.gaps] == [(4, 4)]
    assert json.loads(to_json(view))["gaps"] == [{"from": 4, "to": 4}]
    async with transaction(life.city.engine) as (connection, _):
        kept = await connection.scalar(
            select(func.count()).select_from(terminal_tables.record_quarantine)
        )
    assert kept == 3


async def test_row_20_one_code_at_two_terminals_is_charged_once_and_opens_a_case(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=1_000)
    phone = await phone_of(life, user_id)
    code = await phone.code()
    first, second = bus.record(code), bus.record(code)
    view = await bus.upload(first, second)
    assert outcomes(view.results) == [("booked", None), ("review", "duplicate_code")]
    assert await life.balance_fen(user_id) == 900
    assert await cases(life) == ["duplicate_code"]


async def test_row_20_a_code_spent_on_line_is_not_charged_again(bus: Validator, life: Life) -> None:
    user_id = await life.person(balance_fen=1_000)
    phone = await phone_of(life, user_id)
    code = await phone.code()
    order, _ = await life.city.core.order(VALIDATOR, life.ride(code), "on-line")
    online = bus.record(code, decision=Decision.ACCEPTED_ONLINE)
    offline = bus.record(code)
    view = await bus.upload(online, offline)
    assert outcomes(view.results) == [("booked", None), ("review", "duplicate_code")]
    assert view.results[0].order_id == order.order_id
    assert await life.balance_fen(user_id) == 900


async def test_row_27_a_record_eight_days_old_is_looked_at_and_not_debited(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=1_000)
    record = bus.record(await (await phone_of(life, user_id)).code())
    life.clock.advance(days=8)
    assert outcomes((await bus.upload(record)).results) == [("review", "stale")]
    assert await life.balance_fen(user_id) == 1_000


async def test_row_27_a_record_from_before_the_enrolment_is_looked_at(
    bus: Validator, life: Life
) -> None:
    phone = await phone_of(life, await life.person())
    at_ms = int((life.clock.now - timedelta(days=400)).timestamp() * 1000)
    record = bus.record(await phone.code(), occurred_at_ms=at_ms)
    assert outcomes((await bus.upload(record)).results) == [("review", "before_enrolment")]


async def test_row_27_amounts_over_a_cap_are_looked_at(bus: Validator, life: Life) -> None:
    phone = await phone_of(life, await life.person(balance_fen=50_000))
    over = bus.record(await phone.code(), 5_010)
    assert outcomes((await bus.upload(over)).results) == [("review", "cap_exceeded")]
    records = [bus.record(await phone.code(), 5_000) for _ in range(5)]
    view = await bus.upload(*records)
    assert outcomes(view.results) == [("booked", None)] * 4 + [("review", "over_limit")]


async def test_row_28_a_clock_that_jumps_back_keeps_the_order_by_sequence(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=1_000)
    phone = await phone_of(life, user_id)
    good = bus.record(await phone.code())
    jumped_at = life.clock.now - timedelta(days=365)
    jumped = bus.record(await phone.code(), occurred_at_ms=int(jumped_at.timestamp() * 1000))
    epoch = bus.record(await phone.code(), occurred_at_ms=0)
    view = await bus.upload(epoch, jumped, good, clock=jumped_at)
    # At the time of receipt the codes are still good, so the rides count for now.
    assert outcomes(view.results) == [("review", "clock_jump")] * 2 + [("booked", None)]
    assert view.clock_skew_ms == -365 * 86_400_000
    assert await life.balance_fen(user_id) == 900
    async with transaction(life.city.engine) as (connection, _):
        topics = await connection.scalars(select(tables.outbox.c.topic))
        assert "terminal.clock_skew" in set(topics)


async def test_a_refusal_is_kept_and_moves_nothing(bus: Validator, life: Life) -> None:
    record = bus.record("M1:NOISE", 0, decision=Decision.REFUSED, reason="code_invalid")
    (result,) = (await bus.upload(record)).results
    assert (result.state, result.order_id) == ("booked", None)


async def test_row_23_a_tap_before_the_loss_is_the_citizens_and_one_after_is_not(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=1_000)
    phone = await phone_of(life, user_id)
    before = bus.record(await phone.code())
    life.clock.advance(minutes=5)
    lost_at = life.clock.now
    life.clock.advance(minutes=5)
    after = bus.record(await phone.code())
    async with transaction(life.city.engine) as (connection, _):
        token = phone.authorisation.token
        await connection.execute(
            update(tables.code_token)
            .where(tables.code_token.c.token == token)
            .values(blocked="lost")
        )
        await connection.execute(
            update(tables.metadata.tables["cardcore.credential"])
            .where(tables.metadata.tables["cardcore.credential"].c.token == token)
            .values(status="lost", liability_from=lost_at)
        )
    view = await bus.upload(before, after)
    assert outcomes(view.results) == [("booked", None), ("review", "user_frozen")]
    assert await life.balance_fen(user_id) == 900


async def test_what_the_funds_do_not_cover_becomes_arrears_up_to_the_limit(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=150)
    phone = await phone_of(life, user_id)
    records = [bus.record(await phone.code()) for _ in range(3)]
    view = await bus.upload(*records)
    assert outcomes(view.results) == [("booked", None)] * 3
    assert await life.balance_fen(user_id) == 0
    assert await life.books_are_right()
    order_id = view.results[1].order_id
    assert order_id is not None
    explained = await life.city.core.explain(CENTRE, order_id)
    assert [(line.fund, line.amount_fen) for line in explained.lines] == [
        ("transit", 50),
        ("arrears", 50),
    ]
    async with transaction(life.city.engine) as (connection, _):
        owed = await connection.scalar(select(func.sum(arrears.c.amount_fen)))
        assert owed == 150
        limit = tables.metadata.tables["cardcore.offline_limit"]
        await connection.execute(update(limit).values(arrears_fen_max=200))
    view = await bus.upload(bus.record(await phone.code()))
    assert outcomes(view.results) == [("review", "over_limit")]


async def test_the_citizen_never_pays_more_than_the_terminal_took(
    bus: Validator, life: Life
) -> None:
    phone = await phone_of(life, await life.person())
    view = await bus.upload(bus.record(await phone.code(), 50))
    assert outcomes(view.results) == [("review", "amount_mismatch")]


async def test_a_concession_lowers_what_the_terminal_took(bus: Validator, life: Life) -> None:
    user_id = await life.person(balance_fen=1_000, concession="senior")
    phone = await phone_of(life, user_id)
    view = await bus.upload(bus.record(await phone.code(), 100))
    assert outcomes(view.results) == [("booked", None)]
    assert await life.balance_fen(user_id) == 950


async def test_a_cloned_phone_is_told_by_its_counter_and_its_alias_is_blocked(
    bus: Validator, life: Life
) -> None:
    phone = await phone_of(life, await life.person())
    life.clock.advance(minutes=10)
    first = bus.record(await phone.code())
    clone = itertools.count(9)
    phone.counter, own = clone, phone.counter
    life.clock.advance(minutes=1)
    second = bus.record(await phone.code())
    phone.counter = own
    life.clock.advance(minutes=1)
    third = bus.record(await phone.code())
    view = await bus.upload(first, second, third)
    assert await cases(life) == ["counter_backwards"]
    assert outcomes(view.results) == [("booked", None)] * 3
    async with transaction(life.city.engine) as (connection, _):
        blocked = await connection.scalar(
            select(tables.code_token.c.blocked).where(
                tables.code_token.c.token == phone.authorisation.token
            )
        )
    assert blocked == "frozen"


async def test_two_records_with_one_number_and_a_broken_chain_open_cases(
    bus: Validator, life: Life
) -> None:
    phone = await phone_of(life, await life.person())
    first = bus.record(await phone.code(), sequence_no=1)
    fork = bus.record(await phone.code(), sequence_no=1)
    torn = bus.record(await phone.code(), sequence_no=2, previous_digest=bytes(32))
    view = await bus.upload(first, fork, torn)
    assert outcomes(view.results) == [
        ("booked", None),
        ("review", "terminal_forked"),
        ("booked", None),
    ]
    assert await cases(life) == ["terminal_forked", "chain_broken"]


async def test_a_record_id_used_for_two_records_is_refused(bus: Validator, life: Life) -> None:
    phone = await phone_of(life, await life.person())
    first = bus.record(await phone.code())
    other = bus.record(await phone.code(), record_id=first.record_id)
    view = await bus.upload(first, other)
    assert outcomes(view.results) == [("booked", None), ("rejected", "record_id_reused")]


async def test_row_25_records_of_another_terminal_or_key_are_refused(
    bus: Validator, life: Life
) -> None:
    phone = await phone_of(life, await life.person())
    foreign = replace(bus, place=replace(PLACE, terminal_id="bus-V0002")).record(await phone.code())
    stolen = replace(bus, key=make_private_key(Algorithm.ED25519)).record(await phone.code())
    unknown = replace(bus, kid=9).record(await phone.code())
    view = await bus.upload(foreign, stolen, unknown)
    assert [one.reason for one in view.results] == [
        "terminal_mismatch",
        "record_signature",
        "record_signature",
    ]


async def test_an_expired_and_a_forged_code_are_looked_at(bus: Validator, life: Life) -> None:
    phone = await phone_of(life, await life.person())
    old = await phone.code()
    life.clock.advance(minutes=10)
    view = await bus.upload(bus.record(old), bus.record("M1:ABC"))
    assert outcomes(view.results) == [("review", "code_expired"), ("review", "code_invalid")]


async def test_a_passage_through_a_gate_is_recorded(life: Life, city_settings: Settings) -> None:
    key = demo_city.client_key(city_settings.clients_home, demo_city.GATE_TERMINAL)
    gate = Validator(
        life,
        private(key.private_bytes_raw(), key.public_key().public_bytes_raw()),
        place=Place(terminal_id=demo_city.GATE_TERMINAL, gate_id="N01"),
        scene=codes.Scope.COMMUNITY,
        caller=GATE,
    )
    phone = await phone_of(life, await life.person())
    view = await gate.upload(gate.record(await phone.code(), 0))
    assert outcomes(view.results) == [("booked", None)]
    order_id = view.results[0].order_id
    assert order_id is not None
    order = await life.city.core.read_order(CENTRE, order_id)
    assert (order.mode, order.scene, order.nominal_fen) == ("record", "community", 0)


async def test_a_long_upload_is_booked_in_parts_and_answered_as_one(
    bus: Validator, life: Life
) -> None:
    phone = await phone_of(life, await life.person(balance_fen=1_000))
    records: list[ValidatorRecord | bytes] = [
        bus.record("M1:NOISE", 0, decision=Decision.REFUSED, reason="code_invalid")
        for _ in range(2 * RECORDS_PER_PART)
    ]
    records[1] = bus.record(await phone.code())
    records[RECORDS_PER_PART + 1] = b"noise"
    missing = 2 * RECORDS_PER_PART  # its bytes are lost
    records[missing - 1] = b"noise as well"
    records += records[:REPEATED]  # the last part says nothing new
    view = await bus.upload(*records, clock=life.clock.now + timedelta(minutes=2))
    rejected = ("rejected", "record_malformed")
    expected: list[tuple[str, str | None]] = [("booked", None)] * (2 * RECORDS_PER_PART)
    expected[RECORDS_PER_PART + 1] = expected[missing - 1] = rejected
    expected += [("duplicate", None)] * REPEATED
    assert outcomes(view.results) == expected
    assert [one.index for one in view.results] == list(range(len(records)))
    # The second record was replaced by a later one, so its own number is open too.
    assert [(gap.first, gap.last) for gap in view.gaps] == [
        (2, 2),
        (RECORDS_PER_PART + 2, RECORDS_PER_PART + 2),
        (missing, missing),
    ]
    async with transaction(life.city.engine) as (connection, _):
        alarms = select(func.count()).where(tables.outbox.c.topic == "terminal.clock_skew")
        assert await connection.scalar(alarms) == 1


async def test_whoever_is_no_terminal_uploads_nothing(bus: Validator) -> None:
    with pytest.raises(TerminalUnknownError):
        await replace(bus, caller=CENTRE).upload(b"x")


async def test_processes_of_their_own_judge_as_this_one_does(bus: Validator, life: Life) -> None:
    phone = await phone_of(life, await life.person())
    batch = [bus.record(await phone.code()).to_bytes() for _ in range(ALONE_MAX + 3)]
    batch[3] = b"noise"
    keys = RecordKeys(
        terminal_id=demo_city.BUS_TERMINAL,
        keys={0: (0x10, bus.key.public_key.raw)},
        ring_json=life.city.core._parts.codes.ring.to_json(),
    )
    judges = ProcessJudges(2)
    try:
        assert await judges.judge(batch, keys) == judge_records(batch, keys)
    finally:
        judges.close()

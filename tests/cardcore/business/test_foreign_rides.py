"""Codes of other cities on our buses, with the project's own public vectors."""

import asyncio
import hashlib
import itertools
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters import demo_city
from cardcore.business.foreign_request import (
    ClearingFileUnknownError,
    ForeignIssuerUnknownError,
    ForeignRideRequest,
    ForeignRideView,
    RegisterIssuerRequest,
)
from cardcore.business.quote import PricingFacts, QuoteLine, Subject
from cardcore.business.request import OrderRequest, RefundRequest
from cardcore.business.scene_errors import ModeNotAllowedError
from cardcore.caller import Caller
from cardcore.errors import (
    AmountInvalidError,
    CardcoreError,
    CodeRefusedError,
    ForbiddenError,
    FundUnknownError,
    IdempotencyKeyReusedError,
    LimitExceededError,
    MerchantUnknownError,
    NotFoundError,
    OrderConflictError,
    OrderStateError,
    TerminalUnknownError,
)
from cardcore.known import Known
from cardcore.ports import ScenePricer
from codes import jtt
from tests.city_life import BUS_OFFICE, CENTRE, FLAT_FARE_FEN, GATE, VALIDATOR, Life

VECTORS = json.loads(
    (Path(__file__).parents[3] / "docs" / "vectors" / "ride_codes.json").read_text("utf-8")
)
GOOD, CUSTOM = VECTORS["codes"][0], VECTORS["codes"][1]
NOW = datetime.fromtimestamp(GOOD["now_s"], UTC)
ISSUER = "37040600"
_numbers = itertools.count(1)


def key() -> str:
    return f"foreign-{next(_numbers)}"


async def registered(life: Life, **changes: object) -> None:
    values: dict[str, object] = {
        "issuer": ISSUER,
        "name_zh": "邻市公交",
        "name_en": "Neighbour City Transit",
        "root_index": 1,
        "root_key": VECTORS["roots"]["1"],
        "concessions": {},
    }
    request = RegisterIssuerRequest.model_validate(values | changes)
    await life.city.core.register_issuer(CENTRE, request)


async def ride(
    life: Life,
    code: str = GOOD["code"],
    *,
    caller: Caller = VALIDATOR,
    name: str = "",
    **more: object,
) -> tuple[ForeignRideView, Known]:
    values: dict[str, object] = {
        "code": code,
        "merchant_id": demo_city.BUS_MERCHANT,
        "terminal_id": demo_city.BUS_TERMINAL,
        "out_trade_no": key(),
        "occurred_at": life.clock.now,
        "details": {"line": "K1", "on_stop": "SC01"},
    }
    request = ForeignRideRequest.model_validate(values | more)
    return await life.city.core.foreign_ride(caller, request, name or key())


async def owed_fen(life: Life) -> int:
    return (await life.city.core.read_issuer(CENTRE, ISSUER)).receivable_fen


async def test_a_ride_is_owed_by_the_issuer_and_nobody_here_pays(life: Life) -> None:
    life.clock.now = NOW
    await registered(life)
    view, replayed = await ride(life)
    assert (view.issuer, view.nominal_fen, view.issuer_fen) == (ISSUER, 100, FLAT_FARE_FEN)
    assert [line.payer for line in view.lines] == ["issuer"]
    assert not replayed
    assert await owed_fen(life) == FLAT_FARE_FEN
    assert await life.books_are_right()


async def test_a_card_type_gets_the_concession_the_city_grants_it(life: Life) -> None:
    life.clock.now = NOW
    card_type = jtt.read(bytes.fromhex(GOOD["code"])).card_type
    await registered(life, concessions={str(card_type): "senior"})
    view, _ = await ride(life)
    assert view.nominal_fen == FLAT_FARE_FEN
    assert view.issuer_fen < FLAT_FARE_FEN
    assert {line.payer for line in view.lines} == {"issuer", "finance_bureau"}
    assert await owed_fen(life) == view.issuer_fen
    assert await life.books_are_right()


async def test_a_retry_is_answered_and_the_same_code_again_is_refused(life: Life) -> None:
    life.clock.now = NOW
    await registered(life)
    first = await ride(life, name="k", out_trade_no="one")
    again = await ride(life, name="k", out_trade_no="one")
    assert again == (first[0], Known.BY_KEY)
    named = [await ride(life, name="other", out_trade_no="one") for _ in range(2)]
    assert named == [(first[0], Known.BY_NUMBER), (first[0], Known.BY_KEY | Known.BY_NUMBER)]
    with pytest.raises(CodeRefusedError) as refused:
        await ride(life)
    assert refused.value.reason == "code_replayed"
    # The identity is issuer, account and instant: other bytes of the same code are the same code.
    with pytest.raises(CodeRefusedError):
        await ride(life, CUSTOM["code"])
    assert await owed_fen(life) == FLAT_FARE_FEN


async def test_of_many_validators_that_see_one_code_one_takes_it(life: Life) -> None:
    life.clock.now = NOW
    await registered(life)
    tries = await asyncio.gather(*(ride(life) for _ in range(8)), return_exceptions=True)
    taken = [one for one in tries if not isinstance(one, BaseException)]
    assert len(taken) == 1
    assert all(isinstance(one, CodeRefusedError) for one in tries if one not in taken)
    assert await owed_fen(life) == FLAT_FARE_FEN


async def test_every_vector_is_judged_as_it_says(life: Life) -> None:
    await registered(life)
    wrong = []
    for number, entry in enumerate(VECTORS["codes"]):
        life.clock.now = datetime.fromtimestamp(entry["now_s"], UTC)
        async with life.city.pool.connection() as connection:
            await connection.execute("DELETE FROM cardcore.used_code")
        try:
            await ride(life, entry["code"])
            valid = True
        except (CodeRefusedError, ForeignIssuerUnknownError):
            valid = False
        if valid != entry["valid"]:
            wrong.append((number, entry["note"]))
    assert wrong == []


async def test_what_is_not_known_or_not_ones_own_is_refused_with_its_reason(life: Life) -> None:
    life.clock.now = NOW
    with pytest.raises(ForeignIssuerUnknownError) as unknown:
        await ride(life)
    assert unknown.value.facts == {"issuer": ISSUER}
    await registered(life)
    await registered(life)
    with pytest.raises(OrderConflictError):
        await registered(life, name_zh="别的城市")
    with pytest.raises(OrderConflictError):
        await registered(life, issuer="11000000", root_key="03" + "11" * 32)
    with pytest.raises(MerchantUnknownError):
        await ride(life, caller=GATE)
    with pytest.raises(TerminalUnknownError):
        await ride(life, caller=BUS_OFFICE, terminal_id="nowhere")
    with pytest.raises(ForbiddenError):
        await life.city.core.register_issuer(
            BUS_OFFICE,
            RegisterIssuerRequest(
                issuer=ISSUER, name_zh="x", name_en="x", root_index=1, root_key="02" + "11" * 32
            ),
        )
    await ride(life, out_trade_no="same")
    async with life.city.pool.connection() as connection:
        await connection.execute("DELETE FROM cardcore.used_code")
    with pytest.raises(OrderConflictError):
        await ride(life, out_trade_no="same", details={"line": "K1", "on_stop": "SC02"})


# -- the same by the uniform verbs ---------------------------------------------------------------


def asked(life: Life, code: str = GOOD["code"], **more: object) -> OrderRequest:
    business: dict[str, object] = {
        "scene": "bus",
        "type": "fare",
        "merchant_id": demo_city.BUS_MERCHANT,
        "terminal_id": demo_city.BUS_TERMINAL,
        "out_trade_no": "no-1",
        "occurred_at": life.clock.now,
        "details": {"line": "K1", "on_stop": "SC01"},
    }
    over = {name: more.pop(name) for name in ("mode", "account") if name in more}
    return OrderRequest.model_validate(
        {"user": {"credential": code}, "business": business | more} | over
    )


async def test_a_validator_sends_a_foreign_code_as_any_other(life: Life) -> None:
    """Why: a validator does not know whose code it scans, and asks one question."""
    life.clock.now = NOW
    card_type = jtt.read(bytes.fromhex(GOOD["code"])).card_type
    await registered(life, concessions={str(card_type): "senior"})
    core = life.city.core
    quoted = await core.quote(VALIDATOR, asked(life))
    order, replayed = await core.order(VALIDATOR, asked(life), "k")
    assert (order.status, order.mode, order.scene, replayed) == ("captured", "pay", "bus", False)
    assert [(line.payer, line.amount_fen) for line in order.lines] == [
        (line.payer, line.amount_fen) for line in quoted.lines
    ]
    assert order.citizen_fen == quoted.citizen_fen == await owed_fen(life)
    assert order.nominal_fen == FLAT_FARE_FEN
    assert await core.read_order(VALIDATOR, order.order_id) == order
    assert await core.find_order(VALIDATOR, demo_city.BUS_MERCHANT, "no-1") == order
    explained = await core.explain(VALIDATOR, order.order_id)
    assert explained.explained_fen == explained.nominal_fen == FLAT_FARE_FEN
    assert [line.transfers[0].debit_account for line in explained.lines] == [
        f"issuer_receivable:{ISSUER}",
        "subsidy_receivable:finance_bureau",
    ]
    with pytest.raises(NotFoundError):
        await core.read_order(GATE, order.order_id)
    assert await life.books_are_right()


async def test_a_foreign_order_keeps_the_rules_of_keys_and_numbers(life: Life) -> None:
    life.clock.now = NOW
    await registered(life)
    core = life.city.core
    first, _ = await core.order(VALIDATOR, asked(life), "k")
    assert await core.order(VALIDATOR, asked(life), "k") == (first, Known.BY_KEY)
    assert await core.order(VALIDATOR, asked(life), "another key") == (first, Known.BY_NUMBER)
    with pytest.raises(IdempotencyKeyReusedError):
        await core.order(VALIDATOR, asked(life, out_trade_no="no-2"), "k")
    with pytest.raises(OrderConflictError):
        await core.order(VALIDATOR, asked(life, details={"line": "K2", "on_stop": "SC01"}), key())
    with pytest.raises(CodeRefusedError) as spent:
        await core.order(VALIDATOR, asked(life, CUSTOM["code"].upper(), out_trade_no="n"), key())
    assert spent.value.reason == "code_replayed"
    request = RefundRequest(out_refund_no="r", reason="scanned by mistake")
    with pytest.raises(OrderStateError) as refused:
        await core.refund(BUS_OFFICE, first.order_id, request, key())
    assert refused.value.facts["issuer"] == ISSUER
    assert await owed_fen(life) == FLAT_FARE_FEN


async def test_a_number_of_an_order_is_not_free_for_a_foreign_ride(life: Life) -> None:
    life.clock.now = NOW
    await registered(life)
    await life.pay(await life.person(), no="no-1")
    with pytest.raises(OrderConflictError):
        await life.city.core.order(VALIDATOR, asked(life), key())
    assert await owed_fen(life) == 0


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"scene": "retail", "type": "sale"}, CodeRefusedError),
        ({"type": "tap_on"}, CodeRefusedError),
        ({"mode": "hold"}, ModeNotAllowedError),
        ({"amount_fen": 100, "currency": "CNY"}, AmountInvalidError),
        ({"account": {"fund": "transit"}}, FundUnknownError),
        ({"account": {"payer": "delegate"}}, FundUnknownError),
    ],
)
async def test_a_foreign_code_pays_for_rides_and_nothing_else(
    life: Life, more: dict[str, object], refusal: type[CardcoreError]
) -> None:
    life.clock.now = NOW
    await registered(life)
    with pytest.raises(refusal):
        await life.city.core.order(VALIDATOR, asked(life, **more), key())


@pytest.mark.parametrize("code", ["81", "81zz", "81" * 2000, "81 00"])
async def test_what_only_begins_like_a_foreign_code_is_no_code(life: Life, code: str) -> None:
    await registered(life)
    with pytest.raises(CodeRefusedError) as refused:
        await life.city.core.order(VALIDATOR, asked(life, code), key())
    assert refused.value.reason == "code_invalid"


async def test_the_issuers_file_is_signed_sums_up_and_holds_each_ride_once(life: Life) -> None:
    core = life.city.core
    life.clock.now = NOW
    await registered(life)
    view, _ = await ride(life)
    today: date = view.business_on
    with pytest.raises(ClearingFileUnknownError):
        await core.clearing_file(CENTRE, ISSUER, today)
    life.clock.now = NOW + timedelta(days=1)
    file = await core.clearing_file(CENTRE, ISSUER, today)
    again = await core.clearing_file(CENTRE, ISSUER, today)
    assert again == file
    assert (file.rides_count, file.sum_fen) == (1, FLAT_FARE_FEN)
    content = file.content.encode()
    assert hashlib.sha256(content).hexdigest() == file.sha256
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(file.public_key)).verify(
        bytes.fromhex(file.signature), content
    )
    rows = [row.split(",") for row in file.content.splitlines()]
    account = jtt.read(bytes.fromhex(GOOD["code"])).payment_account
    assert rows[2][:2] == [str(view.ride_id), account]
    assert rows[-1] == ["count", "1", "sum_fen", "100"]
    life.clock.now += timedelta(days=1)
    empty = await core.clearing_file(CENTRE, ISSUER, today + timedelta(days=1))
    assert (empty.rides_count, empty.sum_fen) == (0, 0)
    with pytest.raises(ForbiddenError):
        await core.clearing_file(BUS_OFFICE, ISSUER, today)


async def test_no_account_number_lies_in_the_clear(life: Life) -> None:
    life.clock.now = NOW
    await registered(life)
    view, _ = await ride(life)
    account = jtt.read(bytes.fromhex(GOOD["code"])).payment_account
    async with life.city.pool.connection() as connection:
        found = await connection.execute("SELECT r::text FROM cardcore.foreign_ride r")
        rows = await found.fetchall()
    assert account not in str(rows)
    assert account.encode().hex() not in str(rows)
    assert account not in view.model_dump_json()


async def test_a_code_pays_no_more_than_it_may(life: Life) -> None:
    life.clock.now = NOW
    await registered(life)
    cap_fen = jtt.read(bytes.fromhex(GOOD["code"])).cap_fen
    assert cap_fen >= FLAT_FARE_FEN
    parts = life.city.core._parts
    dear = Dear(parts.pricers["bus"], cap_fen + 1)
    object.__setattr__(parts, "pricers", {**parts.pricers, "bus": dear})
    with pytest.raises(LimitExceededError) as refused:
        await ride(life)
    assert refused.value.facts["limit"] == "code_cap"
    assert await owed_fen(life) == 0


class Dear:
    """A bus that costs too much."""

    def __init__(self, pricer: ScenePricer, amount_fen: int) -> None:
        self._pricer = pricer
        self._amount_fen = amount_fen

    def price(self, facts: PricingFacts, subject: Subject) -> list[QuoteLine]:
        return [
            replace(line, amount_fen=self._amount_fen)
            for line in self._pricer.price(facts, subject)
        ]

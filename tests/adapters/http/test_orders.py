"""Orders over HTTP: each verb, its idempotency and its refusals (faults 1-5, 12-14, 33)."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from cardcore.errors import InsufficientBalanceError, RequestInFlightError, ServiceUnavailableError
from tests.adapters.http.conftest import MERCHANT, Face
from tests.adapters.http.fake_core import FARE_FEN, different_calls

Order = dict[str, Any]
AN_ID = "6f1f5f0e-3c1c-4b0e-9a55-3d6c3f1f0a01"


def test_the_fake_core_has_the_calls_of_the_real_one() -> None:
    """Why: every other test here would prove nothing about a core that has moved on."""
    assert different_calls() == []


async def _made(face: Face, order: Order) -> dict[str, Any]:
    answer = await face.http.post("/v1/orders", json=order, headers=face.keyed())
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_an_order_is_made_read_found_and_explained(face: Face, order: Order) -> None:
    made = await _made(face, order)
    assert made["citizen_fen"] == FARE_FEN
    assert made["occurred_at"] == "2026-11-23T16:00:00+08:00"
    headers = face.bearer()
    order_id = made["order_id"]
    read = await face.http.get(f"/v1/orders/{order_id}", headers=headers)
    found = await face.http.get(
        "/v1/orders",
        params={"merchant_id": MERCHANT, "out_trade_no": made["out_trade_no"]},
        headers=headers,
    )
    explained = await face.http.get(f"/v1/orders/{order_id}/explain", headers=headers)
    assert read.json() == found.json() == made
    assert explained.json()["explained_fen"] == FARE_FEN


async def test_verify_and_quote_answer_and_book_nothing(face: Face, order: Order) -> None:
    headers = face.bearer()
    place = {"scene": "bus", "merchant_id": MERCHANT, "terminal_id": "bus-0001"}
    verified = await face.http.post(
        "/v1/verify", json={"user": order["user"], **place}, headers=headers
    )
    del order["mode"]
    quoted = await face.http.post("/v1/quotes", json=order, headers=headers)
    assert verified.json()["concessions"] == ["senior"]
    assert quoted.json()["nominal_fen"] == FARE_FEN
    assert face.core.effects == 0


async def test_a_hold_is_captured_in_part(face: Face, order: Order) -> None:
    held = await _made(face, {**order, "mode": "hold"})
    path = f"/v1/orders/{held['order_id']}/capture"
    answer = await face.http.post(path, json={"amount_fen": 120}, headers=face.keyed())
    assert answer.status_code == 200
    assert answer.json()["captured_fen"] == 120
    again = await face.http.post(path, json={}, headers=face.keyed())
    assert (again.status_code, again.json()["code"]) == (409, "order_state")


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_a_void_needs_no_body_and_accepts_an_empty_object(
    face: Face, order: Order, body: bytes
) -> None:
    held = await _made(face, {**order, "mode": "hold"})
    headers = face.keyed() | ({"Content-Type": "application/json"} if body else {})
    path = f"/v1/orders/{held['order_id']}/void"
    answer = await face.http.post(path, content=body, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "voided")


async def test_a_void_with_fields_is_refused(face: Face, order: Order) -> None:
    held = await _made(face, {**order, "mode": "hold"})
    path = f"/v1/orders/{held['order_id']}/void"
    answer = await face.http.post(path, json={"amount_fen": 1}, headers=face.keyed())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "unknown_field"


async def test_row_14_refunds_never_exceed_what_was_captured(face: Face, order: Order) -> None:
    made = await _made(face, order)
    path = f"/v1/orders/{made['order_id']}/refunds"

    async def refund(number: int) -> int:
        body = {"out_refund_no": f"R-{number}", "amount_fen": 60, "reason": "late bus"}
        return (await face.http.post(path, json=body, headers=face.keyed())).status_code

    statuses = await asyncio.gather(*(refund(number) for number in range(20)))
    assert sorted(set(statuses)) == [201, 409]
    assert statuses.count(201) == FARE_FEN // 60


async def test_row_1_the_same_request_again_is_answered_byte_for_byte(
    face: Face, order: Order
) -> None:
    headers = face.keyed()
    first = await face.http.post("/v1/orders", json=order, headers=headers)
    again = await face.http.post("/v1/orders", json=order, headers=headers)
    assert first.content == again.content
    assert first.status_code == again.status_code == 201
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert face.core.effects == 1


async def test_row_3_a_number_under_another_key_is_200_and_no_replay(
    face: Face, order: Order
) -> None:
    first = await face.http.post("/v1/orders", json=order, headers=face.keyed())
    other = face.keyed()
    for replayed in (None, "true"):
        again = await face.http.post("/v1/orders", json=order, headers=other)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers.get("idempotent-replayed") == replayed
    assert face.core.effects == 1


async def test_row_3_a_refund_number_under_another_key_is_200_and_no_replay(
    face: Face, order: Order
) -> None:
    paid = (await face.http.post("/v1/orders", json=order, headers=face.keyed())).json()
    path = f"/v1/orders/{paid['order_id']}/refunds"
    ask = {"out_refund_no": "R-1", "amount_fen": 50, "reason": "x"}
    first = await face.http.post(path, json=ask, headers=face.keyed())
    again = await face.http.post(path, json=ask, headers=face.keyed())
    assert (first.status_code, again.status_code, again.content) == (201, 200, first.content)
    assert "idempotent-replayed" not in again.headers
    assert face.core.effects == 2


async def test_row_1_a_request_under_way_is_told_when_to_come_back(
    face: Face, order: Order
) -> None:
    face.core.refusal = RequestInFlightError()
    answer = await face.http.post("/v1/orders", json=order, headers=face.keyed())
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    assert answer.json()["retryable"] is True


async def test_row_2_a_key_with_another_amount_is_refused(face: Face, order: Order) -> None:
    order["business"] |= {"amount_fen": 100, "currency": "CNY"}
    headers = face.keyed()
    await face.http.post("/v1/orders", json=order, headers=headers)
    order["business"]["amount_fen"] = 101
    answer = await face.http.post("/v1/orders", json=order, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert face.core.effects == 1


async def test_row_4_an_out_trade_no_names_one_order(face: Face, order: Order) -> None:
    await _made(face, order)
    order["business"] |= {"amount_fen": 101, "currency": "CNY"}
    answer = await face.http.post("/v1/orders", json=order, headers=face.keyed())
    assert (answer.status_code, answer.json()["code"]) == (409, "order_conflict")


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_invalid"),
        ("k" * 256, "idempotency_key_invalid"),
        ("two words", "idempotency_key_invalid"),
        ("cr\rlf\n", "idempotency_key_invalid"),
        ("键", "idempotency_key_invalid"),
    ],
)
async def test_row_5_money_moves_only_with_a_well_formed_key(
    face: Face, order: Order, key: str | None, code: str
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in face.bearer().items()]
    if key is not None:
        headers.append((b"Idempotency-Key", key.encode()))
    answer = await face.http.post("/v1/orders", json=order, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["facts"]["help"] == "/docs#idempotency"
    assert face.core.effects == 0


async def test_row_5_two_keys_are_none(face: Face, order: Order) -> None:
    headers = [*face.bearer().items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    answer = await face.http.post("/v1/orders", json=order, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "header_invalid")


@pytest.mark.parametrize(
    "amount",
    [
        *("0", "-1", "1.5", "1.0", "1e2", "1e999", "NaN", "Infinity", "true", '"1e2"', '"5"'),
        *(str(2**53), str(2**63), "9" * 4000, "9" * 5000),
    ],
)
async def test_row_12_an_amount_is_an_integer_of_fen(face: Face, order: Order, amount: str) -> None:
    await _assert_amount_refused(face, order, f'{amount}, "currency": "CNY"', status=422)


@pytest.mark.parametrize("currency", ['"cny"', '"USD"', "null", '""', "156"])
async def test_row_13_the_currency_is_cny_and_never_assumed(
    face: Face, order: Order, currency: str
) -> None:
    await _assert_amount_refused(face, order, f'5, "currency": {currency}', status=422)


async def test_row_13_an_amount_without_a_currency_is_refused(face: Face, order: Order) -> None:
    await _assert_amount_refused(face, order, "5", status=422)


async def test_row_13_what_is_absent_is_named(face: Face, order: Order) -> None:
    for given, absent in ({"amount_fen": 5}, "currency"), ({"currency": "CNY"}, "amount_fen"):
        asked = order | {"business": order["business"] | given}
        answer = await face.http.post("/v1/orders", json=asked, headers=face.keyed())
        assert answer.status_code == 422
        (fault,) = answer.json()["errors"]
        assert (fault["field"], fault["code"]) == (f"business.{absent}", "missing")


async def test_row_12_zero_is_said_of_what_only_is_recorded(face: Face, order: Order) -> None:
    order["business"] |= {"amount_fen": 0, "currency": "CNY"}
    for mode, status in ("pay", 422), ("hold", 422), ("record", 201):
        asked = order | {"mode": mode}
        answer = await face.http.post("/v1/orders", json=asked, headers=face.keyed())
        assert answer.status_code == status
        if status == 422:
            (fault,) = answer.json()["errors"]
            assert (fault["field"], fault["code"]) == ("business.amount_fen", "out_of_range")


async def _assert_amount_refused(face: Face, order: Order, text: str, *, status: int) -> None:
    order["business"]["amount_fen"] = "@"
    content = face.http.build_request("POST", "/", json=order).content
    sent = content.replace(b'"@"', text.encode())
    headers = face.keyed() | {"Content-Type": "application/json"}
    answer = await face.http.post("/v1/orders", content=sent, headers=headers)
    assert answer.status_code == status
    assert answer.json()["code"] == "request_invalid"
    assert answer.json()["errors"][0]["field"].startswith("business")
    assert face.core.effects == 0


async def test_row_16_a_balance_that_does_not_reach_is_402(face: Face, order: Order) -> None:
    face.core.refusal = InsufficientBalanceError(available_fen=3, needed_fen=200)
    answer = await face.http.post("/v1/orders", json=order, headers=face.keyed())
    assert answer.status_code == 402
    assert answer.json()["facts"] == {"available_fen": 3, "needed_fen": 200}


async def test_row_9_an_unavailable_core_is_503_and_may_be_asked_again(
    face: Face, order: Order
) -> None:
    face.core.refusal = ServiceUnavailableError()
    headers = face.keyed()
    refused = await face.http.post("/v1/orders", json=order, headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    face.core.refusal = None
    assert (await face.http.post("/v1/orders", json=order, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/explain", None),
        ("POST", "/capture", {}),
        ("POST", "/void", {}),
        ("POST", "/refunds", {"out_refund_no": "R", "reason": "r"}),
    ],
)
async def test_row_33_an_order_of_another_merchant_is_not_found(
    face: Face, order: Order, method: str, path: str, body: dict[str, Any] | None
) -> None:
    made = await _made(face, order)
    other = face.keyed("other", merchant_id="other-merchant")
    url = f"/v1/orders/{made['order_id']}{path}"
    foreign = await face.http.request(method, url, json=body, headers=other)
    absent = await face.http.request(
        method, f"/v1/orders/{uuid4()}{path}", json=body, headers=other
    )
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json() | {"request_id": ""} == absent.json() | {"request_id": ""}


@pytest.mark.parametrize("extra", ["status", "balance", "order_id"])
async def test_row_33_fields_that_nobody_may_set_are_refused(
    face: Face, order: Order, extra: str
) -> None:
    answer = await face.http.post("/v1/orders", json={**order, extra: 1}, headers=face.keyed())
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": extra, "code": "unknown_field", "reason": "Extra inputs are not permitted"}
    ]


@pytest.mark.parametrize(
    "order_id", ["1", f"{{{AN_ID}}}", f"urn:uuid:{AN_ID}", AN_ID.replace("-", ""), "x" * 36]
)
async def test_an_order_id_of_another_form_names_nothing(face: Face, order_id: str) -> None:
    answer = await face.http.get(f"/v1/orders/{order_id}", headers=face.bearer())
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "merchant_id=m",
        "merchant_id=m&out_trade_no=1&extra=1",
        "merchant_id=m&out_trade_no=1&out_trade_no=2",
        "merchant_id=m&out_trade_no=%00",
        "merchant_id=m&out_trade_no=%ff",
        "merchant_id=m&out_trade_no",
        "&".join(f"a{number}=1" for number in range(20)),
    ],
)
async def test_a_query_of_another_form_is_refused(face: Face, query: str) -> None:
    answer = await face.http.get(f"/v1/orders?{query}", headers=face.bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


async def test_row_34_rare_characters_pass_and_nul_does_not(face: Face, order: Order) -> None:
    made = await _made(face, order)
    path = f"/v1/orders/{made['order_id']}/refunds"
    body = {"out_refund_no": "R-1", "amount_fen": 1, "reason": "=cmd()|'\u202e𠀋"}
    assert (await face.http.post(path, json=body, headers=face.keyed())).status_code == 201
    body["reason"] = "a\x00b"
    answer = await face.http.post(path, json=body, headers=face.keyed())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "reason"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/orders"), ("POST", "/v1/orders/x/void"), ("GET", "/v1/books")],
)
async def test_an_operation_without_a_query_takes_none(
    face: Face, order: Order, method: str, path: str
) -> None:
    """Why: a parameter that is silently dropped was meant to change the answer."""
    json = order if path.endswith("orders") else {} if method == "POST" else None
    answer = await face.http.request(
        method, path, params={"dry_run": "1"}, json=json, headers=face.keyed()
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    fault = answer.json()["errors"][0]
    assert (fault["field"], fault["code"]) == ("dry_run", "unknown_field")
    assert face.core.effects == 0

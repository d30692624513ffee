"""Hostile JSON: refused with the right status, in bounded work (faults 34, 35)."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.refusals import JSONInvalidError
from adapters.http.strict_json import check, read_model
from cardcore.business.request import RefundRequest
from cardcore.field_faults import FieldsInvalidError
from tests.adapters.http.conftest import Face, make_face

DEPTH_MAX = 24

MALFORMED = [
    pytest.param(b"", id="empty"),
    pytest.param(b"{", id="unfinished"),
    pytest.param(b'{"a":1,}', id="trailing comma"),
    pytest.param(b'{"a":1} {"b":2}', id="two documents"),
    pytest.param(b"{'a':1}", id="single quotes"),
    pytest.param(b'{"a":1}//', id="comment"),
    pytest.param(b'{"a":01}', id="leading zero"),
    pytest.param(b'{"a":NaN,}', id="NaN, and a trailing comma"),
    pytest.param(b'{"a":NaN,"a":1}', id="NaN, and a duplicate key"),
    pytest.param(b'{"a":nan}', id="nan"),
    pytest.param(b'{"a":1,"a":1}', id="duplicate key"),
    pytest.param(b'{"a":1,"\\u0061":2}', id="duplicate key, one escaped"),
    pytest.param(b'{"d":{"x":[{"a":1,"a":2}]}}', id="duplicate key, deep down"),
    pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
    pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
    pytest.param(b'{"a":"\xff"}', id="invalid UTF-8"),
    pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate in UTF-8"),
    pytest.param(b'{"a":"\\ud800"}', id="lone surrogate"),
    pytest.param(b'{"\\udc00":1}', id="lone surrogate in a key"),
    pytest.param(b'{"a":"\x01"}', id="control character"),
    pytest.param(b"[" * 25 + b"]" * 25, id="one level too deep"),
    pytest.param(b"[" * 10_000, id="depth 10,000"),
    pytest.param(b'{"a":' * 10_000, id="depth 10,000 of objects"),
]


@pytest.mark.parametrize("body", MALFORMED)
async def test_row_35_what_is_not_strict_json_is_400(face: Face, body: bytes) -> None:
    headers = face.keyed() | {"Content-Type": "application/json"}
    answer = await face.http.post("/v1/orders", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "json_invalid")
    assert face.core.effects == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"a":"x\\u0000y"}', "a"),
        (b'{"d":{"list":["ok",{"t":"\\u0000"}]}}', "d.list.1.t"),
        (b'{"a\\u0000":1}', ""),
        (b'["\\u0000"]', "0"),
        (b'{"a":1e999}', "a"),
        (b'{"a":' + b"9" * 5000 + b"}", "a"),
        (b'{"a":1,"b":[2,{"c":NaN}]}', "b.1.c"),
        (b'{"a":1,"b":-Infinity}', "b"),
    ],
)
async def test_row_34_json_that_cannot_be_stored_is_422(
    face: Face, body: bytes, field: str
) -> None:
    headers = face.keyed() | {"Content-Type": "application/json"}
    answer = await face.http.post("/v1/orders", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 24 + b"]" * 24,
        b'{"a":"' + b"[" * 1000 + b'"}',
        b'{"a":"\\"' + b"[" * 1000 + b'"}',
        b'{"a":"\\\\","b":[' + b"[]," * 100 + b"[]]}",
        b'{"a":"\\ud83d\\ude00 \\\\u0000"}',
        '{"a":"𠀋\u202e"}'.encode(),
        b' {"a": -0.5e-3} \n',
    ],
)
def test_strict_json_is_let_through(body: bytes) -> None:
    check(body, depth_max=DEPTH_MAX)


@given(st.binary(max_size=60) | st.text('{}[]",:\\u0123ab tfn', max_size=60).map(str.encode))
def test_whatever_comes_is_refused_or_means_what_the_standard_reader_says(raw: bytes) -> None:
    """Why: an exception of another kind would be a 500, another meaning a hole."""
    try:
        check(raw, depth_max=DEPTH_MAX)
    except (JSONInvalidError, FieldsInvalidError):
        return
    json.loads(raw.decode("utf-8"))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=DEPTH_MAX,
    ),
    st.booleans(),
)
def test_no_ordinary_json_is_refused(value: object, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped).encode()
    if text.count(b"[") + text.count(b"{") <= DEPTH_MAX:
        check(text, depth_max=DEPTH_MAX)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"reason":"r"}', "missing"),
        (b'{"out_refund_no":"1","reason":""}', "wrong_length"),
        (b'{"out_refund_no":"a b","reason":"r"}', "wrong_format"),
        (b'{"out_refund_no":1,"reason":"r"}', "wrong_type"),
        (b'{"out_refund_no":"1","reason":"r","amount_fen":0}', "out_of_range"),
        (b'{"out_refund_no":"1","reason":"r","amount_fen":"5"}', "wrong_type"),
        (b'{"out_refund_no":"1","reason":"r","more":0}', "unknown_field"),
        (b"[]", "wrong_type"),
    ],
)
def test_a_wrong_field_has_one_of_a_few_stable_codes(body: bytes, code: str) -> None:
    with pytest.raises(FieldsInvalidError) as refused:
        read_model(body, RefundRequest, depth_max=DEPTH_MAX)
    assert [fault.code for fault in refused.value.faults] == [code]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "content_type"),
        ({"Content-Type": "text/plain"}, "content_type"),
        ({"Content-Type": "application/json; charset=gbk"}, "content_type"),
        ({"Content-Type": "application/jsonp"}, "content_type"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "content_type"),
    ],
)
async def test_row_35_another_type_or_encoding_is_415(
    face: Face, order: dict[str, Any], headers: dict[str, str], code: str
) -> None:
    body = gzip.compress(json.dumps(order).encode())
    answer = await face.http.post("/v1/orders", content=body, headers=face.keyed() | headers)
    assert (answer.status_code, answer.json()["code"]) == (415, code)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
)
async def test_json_in_utf_8_is_read_however_it_is_spelled(
    face: Face, order: dict[str, Any], content_type: str
) -> None:
    headers = face.keyed() | {"Content-Type": content_type, "Content-Encoding": "identity"}
    body = json.dumps(order).encode()
    answer = await face.http.post("/v1/orders", content=body, headers=headers)
    assert answer.status_code == 201


async def test_row_35_an_announced_large_body_is_not_read(face: Face) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read although too large")
        yield b""

    headers = face.keyed() | {"Content-Type": "application/json", "Content-Length": "100000000"}
    answer = await face.http.post("/v1/orders", content=never(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


async def test_row_35_a_body_of_unknown_length_is_read_to_the_bound_only(face: Face) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 4096
            yield b" " * 4096

    headers = face.keyed() | {"Content-Type": "application/json"}
    answer = await face.http.post("/v1/orders", content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert read <= face.settings.body_bytes_max + 2 * 4096


async def test_a_content_length_that_is_no_number_is_400(face: Face) -> None:
    headers = face.keyed() | {"Content-Type": "application/json", "Content-Length": "+5"}
    answer = await face.http.post("/v1/orders", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "header_invalid")


async def test_row_40_a_body_that_does_not_come_is_cut_off() -> None:
    face = make_face(body_timeout_s=0.01)
    never = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    async with face.http:
        headers = face.keyed() | {"Content-Type": "application/json"}
        answer = await face.http.post("/v1/orders", content=stalled(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (408, "body_timeout")
    assert answer.headers["connection"] == "close"

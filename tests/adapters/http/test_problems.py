"""Refusals as problems: statuses, languages and the catalogue."""

from pathlib import Path
from typing import Any

import pytest

import cardcore.errors
import codes.errors
import scenes.bus.fares
import scenes.community.pricing
import scenes.community.visits
import scenes.parking.errors
from adapters.http import refusals
from adapters.http.openapi import refusals_of
from adapters.http.orders import ORDERS
from adapters.http.problems import (
    CODE_REASONS,
    catalogue,
    catalogue_markdown,
    problem_of,
    status_of,
)
from cardcore.errors import (
    CardcoreError,
    ClassVar,
    CodeRefusedError,
    NotFoundError,
    OrderConflictError,
    RequestInvalidError,
    UserUnknownError,
)
from tests.adapters.http.conftest import Face

DOCS = Path(__file__).parents[3] / "docs" / "http.md"


class LaterRuleError(RequestInvalidError):
    """A refusal that a later scene brings along."""

    code: ClassVar[str] = "later_rule"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (CardcoreError, 409),
        (RequestInvalidError, 422),
        (LaterRuleError, 422),
        (NotFoundError, 404),
        (UserUnknownError, 404),
        (cardcore.errors.ForbiddenError, 403),
        (cardcore.errors.InsufficientBalanceError, 402),
        (cardcore.errors.IdempotencyKeyReusedError, 422),
        (OrderConflictError, 409),
        (cardcore.errors.RefundExceedsError, 409),
        (cardcore.errors.ServiceUnavailableError, 503),
        (refusals.ContentTypeError, 415),
    ],
)
def test_a_refusal_has_the_status_of_its_nearest_class(
    kind: type[CardcoreError], status: int
) -> None:
    assert status_of(kind) == status


def _reasons(kind: type[codes.errors.CodeError]) -> set[str]:
    return {kind.code}.union(*(_reasons(below) for below in kind.__subclasses__()))


def test_every_reason_of_the_acceptance_rules_has_its_words() -> None:
    """Why: a passenger must not read a bare identifier on a validator."""
    assert set(CODE_REASONS) == _reasons(codes.errors.CodeError)


@pytest.mark.parametrize(
    ("reason", "status", "title"),
    [
        ("code_expired", 422, "二维码已过期，请刷新"),
        ("code_replayed", 409, "二维码已使用，请刷新"),
        ("scene_not_allowed", 422, "此码不适用于本场景"),
        ("code_invalid", 422, "二维码无效"),
        ("reason_of_tomorrow", 422, "二维码无效"),
    ],
)
async def test_rows_18_to_24_a_refused_code_is_answered_under_its_reason(
    face: Face, order: dict[str, Any], reason: str, status: int, title: str
) -> None:
    face.core.refusal = CodeRefusedError(reason, "this code is not valid", server_time="now")
    answer = await face.http.post("/v1/orders", json=order, headers=face.keyed())
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert (problem["code"], problem["title"]) == (reason, title)
    assert problem["type"] == f"/problems/{reason}"
    assert problem["errors"][0]["field"] == "user.credential"
    assert problem["facts"] == {"server_time": "now"}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "zh-CN"),
        ("en", "en"),
        ("zh", "zh-CN"),
        ("zh-Hant-TW", "zh-CN"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr, en;q=0.2, zh;q=0.5", "zh-CN"),
        ("en;q=0", "zh-CN"),
        ("en;q=hot", "zh-CN"),
        ("fr", "zh-CN"),
        ("*", "zh-CN"),
        ("," * 5000, "zh-CN"),
    ],
)
async def test_the_title_is_in_the_language_asked_for(
    face: Face, asked: str | None, language: str
) -> None:
    headers = {} if asked is None else {"Accept-Language": asked}
    answer = await face.http.get("/nowhere", headers=headers)
    assert answer.headers["content-language"] == language
    assert answer.json()["title"] == {"en": "No such route", "zh-CN": "无此接口"}[language]


async def test_a_problem_has_every_member_and_no_other(face: Face) -> None:
    answer = await face.http.get("/nowhere", headers={"Request-Id": "r-1"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/route_unknown",
        "title": "无此接口",
        "status": 404,
        "code": "route_unknown",
        "detail": "No such route",
        "errors": [],
        "facts": {},
        "request_id": "r-1",
        "retryable": False,
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/orders", "GET, HEAD, POST"),
        ("PUT", "/v1/orders/1", "GET, HEAD"),
        ("GET", "/v1/verify", "POST"),
        ("OPTIONS", "/v1/verify", "POST"),
    ],
)
async def test_another_method_is_405_and_told_which_there_are(
    face: Face, method: str, path: str, allowed: str
) -> None:
    answer = await face.http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/orders/", "/v1/orders/1/refunds/", "/V1/orders"])
async def test_a_path_that_is_not_there_is_404_without_a_detour(face: Face, path: str) -> None:
    answer = await face.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "route_unknown")


def test_a_subclass_that_keeps_its_code_does_not_explain_it() -> None:
    entry = next(entry for entry in catalogue() if entry.code == "request_invalid")
    assert entry.meaning.startswith("A field is missing, of the wrong type")


def test_codes_are_never_used_for_two_meanings() -> None:
    """Why: a terminal branches on the code and on nothing else."""
    meanings: dict[str, set[str]] = {}
    for kind in _kinds(CardcoreError):
        if hasattr(kind, "code"):
            meanings.setdefault(kind.code, set()).add(kind.title_en)
    assert {code: titles for code, titles in meanings.items() if len(titles) > 1} == {}


def _kinds(root: type[CardcoreError]) -> list[type[CardcoreError]]:
    below = root.__subclasses__()
    return below + [kind for child in below for kind in _kinds(child)]


def test_the_written_catalogue_is_the_one_in_the_code() -> None:
    """How: docs/http.md holds the table; `catalogue_markdown` says what it must be."""
    assert scenes.bus.fares
    assert scenes.community.pricing
    assert scenes.community.visits
    assert scenes.parking.errors
    written = DOCS.read_text(encoding="utf-8").partition("<!-- catalogue -->\n")[2]
    rows = [row for row in catalogue_markdown().splitlines() if "`later_rule`" not in row]
    assert written.strip().splitlines() == rows


def test_every_operation_tells_of_its_refusals_without_repeating_itself() -> None:
    for operation in ORDERS.operations:
        found = [entry.code for entry in refusals_of(operation)]
        assert "service_unavailable" in found
        assert ("idempotency_key_missing" in found) is operation.keyed


def test_a_field_of_an_invalid_request_is_not_valid() -> None:
    refusal = RequestInvalidError("no such type", field="business.type")
    (field,) = problem_of(refusal, language="en", request_id="r").errors
    assert (field.field, field.code, field.reason) == ("business.type", "not_valid", "no such type")


def test_a_problem_never_carries_what_was_not_said() -> None:
    problem = problem_of(RequestInvalidError(), language="en", request_id="r")
    assert (problem.detail, problem.errors) == ("The request is not valid", [])

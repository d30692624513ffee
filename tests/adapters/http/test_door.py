"""What every request gets: an id, safe headers, a log line, a metric; faults stay inside."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from adapters.http.logs import Log
from adapters.http.settings import HTTPSettings
from tests.adapters.http.conftest import Face, make_face

CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("order-77.a_B", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ('"}{', False),
    ],
)
async def test_a_request_id_is_echoed_or_made(face: Face, given: str, kept: bool) -> None:
    answer = await face.http.get("/healthz", headers={"Request-Id": given})
    assert (answer.headers["request-id"] == given) is kept
    assert len(answer.headers["request-id"]) > 0


async def test_two_requests_without_an_id_get_two(face: Face) -> None:
    answers = [await face.http.get("/healthz") for _ in range(2)]
    assert answers[0].headers["request-id"] != answers[1].headers["request-id"]


@pytest.mark.parametrize("path", ["/healthz", "/v1/orders", "/nowhere", "/docs"])
async def test_every_answer_has_the_safe_headers(face: Face, path: str) -> None:
    headers = (await face.http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["strict-transport-security"] == "max-age=31536000"


async def test_without_tls_nothing_is_said_about_tls() -> None:
    face = make_face(public_url="http://127.0.0.1:8000")
    async with face.http:
        assert "strict-transport-security" not in (await face.http.get("/healthz")).headers


async def test_a_part_that_is_away_is_an_outage_and_no_fault(
    face: Face, order: dict[str, Any]
) -> None:
    """Why: nobody on the way up need know of a box that hung up, for it to be said as 503."""
    face.app.away = (ConnectionResetError,)
    face.core.refusal = ConnectionResetError("the box hung up")
    answer = await face.http.post("/v1/orders", json=order, headers=face.keyed())
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    (request,) = face.log_lines()
    assert request["event"] == "request"


async def test_a_fault_is_a_problem_with_an_id_and_nothing_else(
    face: Face, order: dict[str, Any]
) -> None:
    face.core.refusal = RuntimeError(f"duplicate row ({CANARY})")
    answer = await face.http.post("/v1/orders", json=order, headers=face.keyed())
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert CANARY not in answer.text
    fault, request = face.log_lines()
    assert fault["fault"] == "RuntimeError"
    assert fault["request_id"] == request["request_id"] == answer.json()["request_id"]
    assert any(frame.startswith("fake_core.py:") for frame in fault["frames"])
    assert CANARY not in face.log_stream.getvalue().decode()


async def test_a_request_is_logged_by_its_route_and_client(
    face: Face, order: dict[str, Any]
) -> None:
    await face.http.post("/v1/orders", json=order, headers=face.keyed())
    await face.http.get("/v1/orders/6f1f5f0e-3c1c-4b0e-9a55-3d6c3f1f0a01", headers=face.bearer())
    made, read = face.log_lines()
    assert (made["event"], made["status"], made["client_id"]) == ("request", 201, "validator-1")
    assert read["route"] == "/v1/orders/{order_id}"
    assert read["problem"] == "not_found"
    assert read["ms"] >= 0
    assert read["at"].endswith("Z")


async def test_no_log_line_and_no_metric_carries_what_a_request_said(
    face: Face, order: dict[str, Any]
) -> None:
    """Why: logs are kept longer and read by more people than the books."""
    order["user"] = {"credential": CANARY}
    order["business"] |= {"out_trade_no": CANARY, "details": {CANARY: CANARY}}
    headers = face.keyed() | {"Idempotency-Key": CANARY, "User-Agent": CANARY, "Cookie": CANARY}
    await face.http.post("/v1/orders", json=order, headers=headers)
    await face.http.post("/v1/orders", json={CANARY: CANARY}, headers=face.keyed())
    await face.http.get(
        f"/v1/orders?merchant_id={CANARY}&out_trade_no={CANARY}", headers=face.bearer()
    )
    await face.http.get(f"/v1/users/{CANARY}", headers={"Authorization": f"Bearer {CANARY}"})
    await face.http.get(f"/{CANARY}?{CANARY}={CANARY}")
    await face.http.request(CANARY.upper(), f"/{CANARY}")
    log = face.log_stream.getvalue().decode().lower()
    metrics = (await face.http.get("/metrics")).text.lower()
    assert log.count('"event":"request"') == 6
    assert CANARY not in log + metrics
    assert face.bearer()["Authorization"].partition(" ")[2].lower()[:20] not in log


def test_a_field_nobody_planned_for_is_not_logged(face: Face) -> None:
    log = Log(face.log_stream)
    log.info("request", name="王小明", body="{}", status=200)
    (line,) = face.log_lines()
    assert line.keys() == {"event", "status", "level", "at"}


async def test_polls_of_machines_are_not_logged(face: Face) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        await face.http.get(path)
    assert face.log_lines() == []


async def test_requests_are_counted_by_route_and_status(face: Face, order: dict[str, Any]) -> None:
    for amount_fen in (100, 101):
        order["business"] |= {"amount_fen": amount_fen, "currency": "CNY"}
        await face.http.post("/v1/orders", json=order, headers=face.keyed())
    await face.http.get("/nowhere")
    page = (await face.http.get("/metrics")).text
    lines = page.splitlines()
    prefix = "cardcore_http_request_seconds_count"
    assert f'{prefix}{{method="POST",route="/v1/orders",status="201"}} 1.0' in lines
    assert f'{prefix}{{method="POST",route="/v1/orders",status="409"}} 1.0' in lines
    assert f'{prefix}{{method="GET",route="unmatched",status="404"}} 1.0' in lines
    assert 'cardcore_http_problems_total{code="order_conflict"} 1.0' in lines
    assert "cardcore_http_requests_in_flight 1.0" in lines


async def test_two_apps_do_not_share_their_metrics(face: Face) -> None:
    other = make_face()
    async with other.http:
        await other.http.get("/nowhere")
        assert "unmatched" not in (await face.http.get("/metrics")).text


async def test_ready_says_which_part_is_not(face: Face) -> None:
    ready = await face.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    face.core.parts["database"] = "service_unavailable"
    lame = await face.http.get("/readyz")
    assert lame.status_code == 503
    assert lame.json() == {"status": "not_ready", "parts": face.core.parts}
    assert (await face.http.get("/healthz")).status_code == 200


def _with_native_routes(face: Face) -> Face:
    """Routes as FastAPI itself would serve them: a later part may add some."""
    router = APIRouter()

    @router.get("/native")
    async def native(limit: int) -> int:
        return limit

    @router.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418)

    @router.get("/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError(CANARY)

        return StreamingResponse(parts())

    face.app.include_router(router)
    return face


async def test_a_framework_refusal_of_fields_is_a_problem_too(face: Face) -> None:
    answer = await _with_native_routes(face).http.get("/native?limit=x")
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert answer.json()["errors"][0]["field"] == "query.limit"


async def test_a_framework_refusal_of_another_kind_is_an_internal_error(face: Face) -> None:
    answer = await _with_native_routes(face).http.get("/teapot")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


async def test_half_an_answer_is_cut_and_logged(face: Face) -> None:
    _with_native_routes(face)
    with pytest.raises(RuntimeError):
        await face.http.get("/half")
    assert [line["event"] for line in face.log_lines()] == ["fault", "request"]


async def test_a_client_that_leaves_in_the_middle_is_no_fault(
    face: Face, order: dict[str, Any]
) -> None:
    sent: list[Any] = []

    async def leave() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401  (an ASGI message)
        sent.append(message)

    request = face.http.build_request("POST", "/v1/orders", json=order, headers=face.keyed())
    await face.app(_scope(request), leave, send)
    assert face.core.effects == 0
    assert [line["event"] for line in face.log_lines()] == ["request"]


def _scope(request: httpx2.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "https",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": ("card.example", 443),
        "client": ("127.0.0.1", 1),
    }


@pytest.mark.parametrize("public_url", ["card.example", "https://card.example/"])
def test_a_public_url_of_another_form_is_a_bug_of_the_wiring(public_url: str) -> None:
    with pytest.raises(AssertionError):
        HTTPSettings(public_url=public_url, version="0")

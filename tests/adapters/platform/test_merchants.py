"""Merchants and terminals over HTTP: registered, changed, out of service, gone for good."""

from uuid import uuid4

import httpx2
import psycopg
import pytest

from adapters.demo_city import (
    BUS_MERCHANT,
    BUS_TERMINAL,
    GATE_MERCHANT,
    GATE_TERMINAL,
    public_jwk,
)
from adapters.settings import Settings
from cardcore.business.dispute_request import DisputeReason, OpenDisputeRequest
from cardcore.business.request import RefundRequest
from cardcore.caller import Scope
from cardcore.errors import ForbiddenError, TerminalUnknownError
from cardcore.platform.request import ForPurpose, NewWebhookEndpoint
from tests.adapters.platform.conftest import Desk, Web
from tests.adapters.platform.test_access_matrix import KEY, admit, token
from tests.city_life import BUS_OFFICE, CENTRE, VALIDATOR

MUSEUM = {
    "merchant_id": "city-museum",
    "name_zh": "市博物馆",
    "name_en": "City Museum",
    "uscc": "91110000600037341L",
    "purpose": "合同 2026-57",
}
TURNSTILE = {
    "terminal_id": "museum-T1",
    "scene": "venue",
    "place": {"door": "north"},
    "purpose": "开馆",
}
WHY = {"purpose": "工单 2026-118"}


class Office:
    """A client with all scopes, of the card centre or of one merchant."""

    def __init__(self, web: Web, headers: dict[str, str]) -> None:
        self._http, self._headers = web.browser(), headers

    async def post(self, path: str, body: object) -> httpx2.Response:
        return await self._http.post(path, json=body, headers=self._headers)

    async def get(self, path: str, **query: str | int) -> httpx2.Response:
        return await self._http.get(path, params=query, headers=self._headers)


async def office(web: Web, merchant_id: str | None = None) -> Office:
    name = f"office-{merchant_id}"
    await admit(web.city, name, merchant_id, web)
    return Office(web, await token(web, name))


def refused(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def sells(web: Web, no: str) -> httpx2.Response:
    """The museum sells a ticket through its turnstile."""
    life = web.life
    user_id = await life.person(funds=("purse",))
    code = await life.code(user_id, scenes=["venue"], cap_fen=5_000)
    business = {
        "scene": "venue",
        "type": "ticket",
        "merchant_id": "city-museum",
        "terminal_id": "museum-T1",
        "out_trade_no": no,
        "occurred_at": web.clock.now.isoformat(),
        "amount_fen": 2_000,
        "currency": "CNY",
        "details": {},
    }
    body = {"user": {"credential": code}, "business": business}
    centre = await token(web, "office-None")
    headers = {**centre, "Idempotency-Key": uuid4().hex}
    return await web.browser().post("/v1/orders", json=body, headers=headers)


async def test_a_merchant_and_its_terminal_registered_over_http_take_a_payment(web: Web) -> None:
    """Why: nothing but the public API is needed to bring a merchant in."""
    centre = await office(web)
    registered = await centre.post("/v1/merchants", MUSEUM)
    assert registered.status_code == 201
    assert registered.json()["status"] == "active"
    assert (await centre.post("/v1/merchants", MUSEUM)).json() == registered.json()
    terminals = "/v1/merchants/city-museum/terminals"
    turnstile = await centre.post(terminals, TURNSTILE)
    assert turnstile.status_code == 201
    assert (await centre.post(terminals, TURNSTILE)).json() == turnstile.json()
    assert (await centre.get(terminals)).json()["terminals"] == [turnstile.json()]
    paid = await sells(web, "T-1")
    assert (paid.status_code, paid.json()["status"]) == (201, "captured")
    assert await web.audit("merchant.register") == [
        ("office-None", "merchant/city-museum", "done", "合同 2026-57")
    ]


async def test_an_id_names_one_merchant_and_one_terminal(web: Web) -> None:
    centre = await office(web)
    await centre.post("/v1/merchants", MUSEUM)
    other = await centre.post("/v1/merchants", {**MUSEUM, "name_en": "Other"})
    assert refused(other) == (409, "merchant_exists")
    terminals = "/v1/merchants/city-museum/terminals"
    for taken in (BUS_TERMINAL, "card-centre"):
        answer = await centre.post(terminals, {**TURNSTILE, "terminal_id": taken})
        assert refused(answer) == (409, "terminal_exists")
    assert [row[2] for row in await web.audit("merchant.register")] == ["done", "merchant_exists"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**MUSEUM, "uscc": "91110000600037341M"}, "request_invalid"),
        ({**MUSEUM, "name_zh": ""}, "request_invalid"),
        ({**MUSEUM, "merchant_id": "a b"}, "request_invalid"),
        ({**MUSEUM, "fee_rate": 1}, "request_invalid"),
    ],
)
async def test_what_is_no_merchant_is_not_registered(
    web: Web, body: dict[str, object], code: str
) -> None:
    """Why the first row: its check character is wrong."""
    centre = await office(web)
    assert refused(await centre.post("/v1/merchants", body)) == (422, code)
    assert (await centre.get("/v1/merchants/city-museum")).status_code == 404


async def test_a_suspended_merchant_takes_no_order_until_it_is_resumed(web: Web) -> None:
    centre, life = await office(web), web.life
    user_id = await life.person()
    held = await life.hold(user_id)
    paid = await life.pay(user_id)
    path = f"/v1/merchants/{BUS_MERCHANT}"
    for _ in range(2):
        suspended = await centre.post(f"{path}/suspend", WHY)
        assert suspended.json()["status"] == "suspended"
    with pytest.raises(TerminalUnknownError):
        await life.pay(user_id)
    core = web.city.core
    await core.void(BUS_OFFICE, held.order_id, "void")
    request = RefundRequest(amount_fen=40, out_refund_no="R1", reason="x")
    await core.refund(BUS_OFFICE, paid.order_id, request, "refund")
    assert (await centre.post(f"{path}/resume", WHY)).json()["status"] == "active"
    await life.pay(user_id)
    assert len(await web.audit("merchant.suspend")) == 1


async def test_a_merchant_is_closed_when_nothing_is_open_and_then_for_good(web: Web) -> None:
    centre, life = await office(web), web.life
    await web.city.core.platform.webhooks.register(
        CENTRE, NewWebhookEndpoint(merchant_id=GATE_MERCHANT, url="https://hooks.example/")
    )
    closed = await centre.post(f"/v1/merchants/{GATE_MERCHANT}/close", WHY)
    assert closed.json()["status"] == "closed"
    assert (await centre.post(f"/v1/merchants/{GATE_MERCHANT}/close", WHY)).json() == closed.json()
    path = f"/v1/merchants/{GATE_MERCHANT}"
    for verb, body in (("suspend", WHY), ("resume", WHY), ("details", {**WHY, "name_en": "x"})):
        assert refused(await centre.post(f"{path}/{verb}", body)) == (409, "merchant_closed")
    late = await centre.post(f"{path}/terminals", {**TURNSTILE, "terminal_id": "gate-N02"})
    assert refused(late) == (409, "merchant_closed")
    (terminal,) = (await centre.get(f"{path}/terminals")).json()["terminals"]
    assert terminal["status"] == "retired"
    gate = await web.city.core.client(GATE_TERMINAL)
    assert gate is not None
    assert gate.status == "revoked"
    (endpoint,) = (await web.city.core.platform.webhooks.list(CENTRE, GATE_MERCHANT)).endpoints
    assert endpoint.status == "disabled"
    code = await life.code(await life.person())
    with pytest.raises(TerminalUnknownError):
        await web.city.core.order(CENTRE, life.passage(code), "late")


async def test_a_merchant_with_money_unsettled_held_or_disputed_is_not_closed(web: Web) -> None:
    centre, life = await office(web), web.life
    user_id = await life.person()
    await life.hold(user_id)
    order = await life.pay(user_id)
    asked = OpenDisputeRequest(reason=DisputeReason.WRONG_AMOUNT)
    await web.city.core.open_dispute(CENTRE, order.order_id, asked, "dispute")
    answer = await centre.post(f"/v1/merchants/{BUS_MERCHANT}/close", WHY)
    assert refused(answer) == (409, "obligations_open")
    assert answer.json()["facts"]["open"] == [
        "orders_held",
        "disputes_undecided",
        "payable_fen:100",
    ]
    assert (await centre.get(f"/v1/merchants/{BUS_MERCHANT}")).json()["status"] == "active"


async def test_the_table_itself_keeps_closed_what_is_closed(web: Web) -> None:
    centre = await office(web)
    await centre.post(f"/v1/merchants/{GATE_MERCHANT}/close", WHY)
    for statement in (
        f"UPDATE cardcore.merchant SET status = 'active' WHERE merchant_id = '{GATE_MERCHANT}'",
        f"UPDATE cardcore.terminal SET status = 'active' WHERE terminal_id = '{GATE_TERMINAL}'",
        f"UPDATE cardcore.terminal SET scene = 'bus' WHERE terminal_id = '{GATE_TERMINAL}'",
    ):
        with pytest.raises(psycopg.errors.RaiseException):
            async with web.city.pool.connection() as connection:
                await connection.execute(statement.encode())


async def test_a_terminal_is_moved_suspended_resumed_and_retired(web: Web) -> None:
    bus, life = await office(web, BUS_MERCHANT), web.life
    user_id = await life.person()
    path = f"/v1/terminals/{BUS_TERMINAL}"
    moved = await bus.post(f"{path}/place", {"place": {"vehicle": "V0188"}, **WHY})
    assert moved.json()["place"] == {"vehicle": "V0188"}
    assert (await bus.post(f"{path}/suspend", WHY)).json()["status"] == "suspended"
    assert (await bus.get(path)).json()["status"] == "suspended"
    with pytest.raises(TerminalUnknownError):
        await life.pay(user_id)
    assert (await bus.post(f"{path}/activation-codes", {})).status_code == 404
    assert (await bus.post(f"{path}/resume", WHY)).json()["status"] == "active"
    await life.pay(user_id)
    for _ in range(2):
        assert (await bus.post(f"{path}/retire", WHY)).json()["status"] == "retired"
    for verb in ("suspend", "resume"):
        assert refused(await bus.post(f"{path}/{verb}", WHY)) == (409, "terminal_retired")
    client = await web.city.core.client(BUS_TERMINAL)
    assert client is not None
    assert client.status == "revoked"
    in_use = await bus.get(f"/v1/merchants/{BUS_MERCHANT}/terminals", status="active")
    assert in_use.json() == {"terminals": [], "next_cursor": None}


async def test_a_merchants_client_sees_itself_and_its_own_terminals_alone(web: Web) -> None:
    bus = await office(web, BUS_MERCHANT)
    (seen,) = (await bus.get("/v1/merchants")).json()["merchants"]
    assert seen["merchant_id"] == BUS_MERCHANT
    assert (await bus.get(f"/v1/merchants/{BUS_MERCHANT}")).json() == seen
    for path in (f"/v1/merchants/{GATE_MERCHANT}", f"/v1/merchants/{GATE_MERCHANT}/terminals"):
        assert refused(await bus.get(path)) == (404, "merchant_unknown")
    stolen = await bus.post(f"/v1/merchants/{GATE_MERCHANT}/terminals", TURNSTILE)
    assert refused(stolen) == (404, "merchant_unknown")
    for verb in ("suspend", "retire"):
        answer = await bus.post(f"/v1/terminals/{GATE_TERMINAL}/{verb}", WHY)
        assert refused(answer) == (404, "terminal_unknown")
    assert refused(await bus.post("/v1/merchants", MUSEUM)) == (403, "forbidden")


async def test_a_terminal_looks_after_no_terminals(web: Web, city_settings: Settings) -> None:
    itself = Office(web, await web.token(BUS_TERMINAL, city_settings))
    path = f"/v1/merchants/{BUS_MERCHANT}/terminals"
    assert refused(await itself.get(path)) == (403, "forbidden")
    with pytest.raises(ForbiddenError):
        await web.city.core.platform.terminals.suspend(
            VALIDATOR, BUS_TERMINAL, ForPurpose(purpose="x")
        )


async def test_lists_are_read_page_by_page(web: Web) -> None:
    centre = await office(web)
    first = (await centre.get("/v1/merchants", limit=1)).json()
    rest = (await centre.get("/v1/merchants", limit=5, cursor=first["next_cursor"])).json()
    ids = [one["merchant_id"] for one in (*first["merchants"], *rest["merchants"])]
    assert len(first["merchants"]) == 1
    assert ids == sorted(set(ids))
    assert {BUS_MERCHANT, GATE_MERCHANT} <= set(ids)
    assert rest["next_cursor"] is None


async def test_an_operator_does_the_same_at_the_desk(web: Web) -> None:
    supervisor, clerk = await web.desk("li.na"), await web.desk("zhang.wei")
    assert (await supervisor.post("/v1/merchants", MUSEUM)).status_code == 201
    changed = await supervisor.post(
        "/v1/merchants/city-museum/details", {"name_en": "Museum of the City", **WHY}
    )
    assert (changed.json()["name_en"], changed.json()["name_zh"]) == (
        "Museum of the City",
        "市博物馆",
    )
    nothing = await supervisor.post("/v1/merchants/city-museum/details", WHY)
    assert refused(nothing) == (422, "request_invalid")
    assert (await clerk.get("/v1/merchants/city-museum")).json() == changed.json()
    assert refused(await clerk.post("/v1/merchants/city-museum/suspend", WHY)) == (403, "forbidden")
    forged = Desk(supervisor.http, "x" * 43)
    assert refused(await forged.post("/v1/merchants", MUSEUM)) == (403, "csrf_refused")
    assert ("operator:li.na", "merchant/city-museum", "done", WHY["purpose"]) in await web.audit(
        "merchant.change"
    )


async def test_a_token_goes_before_a_session(web: Web) -> None:
    """Why: a browser sends its cookie unasked; who sends a token means it."""
    desk = await web.desk("li.na")
    await admit(web.city, "office-bus", BUS_MERCHANT, web)
    headers = await token(web, "office-bus")
    seen = await desk.http.get("/v1/merchants", headers=headers)
    assert [one["merchant_id"] for one in seen.json()["merchants"]] == [BUS_MERCHANT]


async def test_a_closed_merchant_gets_no_client(web: Web) -> None:
    centre, security = await office(web), await web.desk("zhao.min")
    await centre.post(f"/v1/merchants/{GATE_MERCHANT}/close", WHY)
    body = {
        "client_id": "late",
        "merchant_id": GATE_MERCHANT,
        "scopes": [Scope.VERIFY.value],
        "public_key": public_jwk(KEY),
        **WHY,
    }
    assert refused(await security.post("/v1/clients", body)) == (404, "merchant_unknown")

"""A whole life of a card over HTTP, in the demo city; and the face's own part on the fake core."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters import demo_city
from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.http.examples import BIND_CARD, CARD_REASON, ISSUE_CARD, REPLACE_CARD
from adapters.settings import Settings
from adapters.wiring import City, make_api
from codes.card_tap import CardTap
from tests.adapters.http.conftest import Face, assert_documented
from tests.city_life import FLAT_FARE_FEN, FLAT_LINE, Life
from tests.conftest import CityClock
from tests.virtual_card import VirtualCard, card_number

URL = "https://card.example"
VALID = {"valid_from": "2026-01-01", "valid_to": "2030-12-31"}


class Door:
    """The demo city over HTTP, as one client after another."""

    def __init__(self, city: City, clock: CityClock, settings: Settings) -> None:
        self.life = Life(city, clock)
        self._settings = settings
        self._tokens: dict[str, str] = {}
        self.http: httpx2.AsyncClient

    async def sign_in(self, client_id: str) -> None:
        key = demo_city.client_key(self._settings.clients_home, client_id)
        proof = client_assertion(
            client_id, key, audience=f"{URL}/v1/oauth/token", now=self.life.clock.now
        )
        answer = await self.http.post(
            "/v1/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": proof,
            },
        )
        self._tokens[client_id] = answer.json()["access_token"]

    async def post(
        self, path: str, body: dict[str, Any], *, client_id: str = "card-centre"
    ) -> httpx2.Response:
        headers = {
            "Authorization": f"Bearer {self._tokens[client_id]}",
            "Idempotency-Key": uuid4().hex,
        }
        return await self.http.post(path, json=body, headers=headers)

    async def get(self, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._tokens['card-centre']}"}
        view: dict[str, Any] = (await self.http.get(path, headers=headers)).json()
        return view

    async def ride(self, tap: CardTap) -> httpx2.Response:
        """The validator sends a ride paid by this tap."""
        order = {
            "user": {"card": {"tap": tap.to_text()}},
            "business": {
                "scene": "bus",
                "type": "fare",
                "merchant_id": demo_city.BUS_MERCHANT,
                "terminal_id": demo_city.BUS_TERMINAL,
                "out_trade_no": uuid4().hex,
                "occurred_at": self.life.clock.now.isoformat(),
                "details": {"line": FLAT_LINE, "on_stop": "SC01"},
            },
        }
        return await self.post("/v1/orders", order, client_id=demo_city.BUS_TERMINAL)


@pytest.fixture
async def door(city: City, city_clock: CityClock, city_settings: Settings) -> AsyncIterator[Door]:
    """The demo city behind its HTTP face; every answer is held against the document."""
    opened = Door(city, city_clock, city_settings)
    app = await make_api(city, public_url=URL, clock=city_clock)

    async def documented(response: httpx2.Response) -> None:
        assert_documented(app.document, response)

    opened.http = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url=URL,
        event_hooks={"response": [documented]},
    )
    async with opened.http:
        for client_id in ("card-centre", demo_city.BUS_TERMINAL):
            await opened.sign_in(client_id)
        yield opened


def answer_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


async def test_row_23_the_whole_life_of_a_card(door: Door) -> None:
    """Issued, tapped, tapped again, lost, replaced; the balance is what the taps left."""
    life = door.life
    user_id = await life.person(balance_fen=1000)
    path = f"/v1/users/{user_id}/cards"
    number = card_number(1)
    issued = await door.post(
        path, {"number": number, **VALID, "domains": [{"scene": "bus"}, {"scene": "community"}]}
    )
    assert issued.status_code == 201
    token = {one["scene"]: bytes.fromhex(one["token"]) for one in issued.json()["tokens"]}
    card = VirtualCard(life.city.hsm, number, token["bus"])

    tap = await card.tap(life.clock.now)
    paid = await door.ride(tap)
    assert (paid.status_code, paid.json()["citizen_fen"]) == (201, FLAT_FARE_FEN)
    assert answer_of(await door.ride(tap)) == (409, "code_replayed")
    foreign = await card.tap(life.clock.now, token=token["community"])
    assert answer_of(await door.ride(foreign)) == (422, "card_domain_not_allowed")

    card_path = f"/v1/cards/{issued.json()['card_id']}"
    lost = await door.post(f"{card_path}/loss", CARD_REASON)
    assert lost.json()["status"] == "lost"
    assert lost.json()["liability_from"] is not None
    refused = await door.ride(await card.tap(life.clock.now))
    assert answer_of(refused) == (409, "card_lost")
    assert refused.json()["title"] == "此卡已挂失"
    assert answer_of(await door.post(f"{card_path}/loss", CARD_REASON)) == (409, "card_state")

    life.clock.advance(seconds=1)
    new_number = card_number(2)
    replaced = await door.post(
        f"{card_path}/replacement", {"number": new_number, **VALID, "reason": "lost"}
    )
    assert replaced.status_code == 201
    assert await life.balance_fen(user_id) == 1000 - FLAT_FARE_FEN
    new_token = {one["scene"]: bytes.fromhex(one["token"]) for one in replaced.json()["tokens"]}
    new_card = VirtualCard(life.city.hsm, new_number, new_token["bus"])
    assert (await door.ride(await new_card.tap(life.clock.now))).status_code == 201
    assert answer_of(await door.ride(await card.tap(life.clock.now))) == (409, "card_inactive")
    assert await life.balance_fen(user_id) == 1000 - 2 * FLAT_FARE_FEN

    cards = (await door.get(path))["cards"]
    assert [(one["status"], one["number_masked"]) for one in cards] == [
        ("active", f"3704********{new_number[-4:]}"),
        ("replaced", f"3704********{number[-4:]}"),
    ]
    assert await life.books_are_right()


async def test_a_card_goes_from_one_person_to_another(door: Door) -> None:
    life = door.life
    first, second = await life.person(balance_fen=500), await life.person(balance_fen=500)
    number = card_number(3)
    issued = await door.post(f"/v1/users/{first}/cards", {"number": number, **VALID})
    bind = {"number": number, "user_id": str(second)}
    assert answer_of(await door.post("/v1/card-bindings", bind)) == (409, "card_bound")
    card_path = f"/v1/cards/{issued.json()['card_id']}"
    assert (await door.post(f"{card_path}/unbinding", CARD_REASON)).json()["user_id"] is None
    bound = await door.post("/v1/card-bindings", bind)
    assert (bound.status_code, bound.json()["user_id"]) == (201, str(second))
    card = VirtualCard(life.city.hsm, number, bytes.fromhex(bound.json()["tokens"][0]["token"]))
    assert (await door.ride(await card.tap(life.clock.now))).status_code == 201
    assert await life.balance_fen(second) == 500 - FLAT_FARE_FEN
    for verb, status in (
        ("freeze", "frozen"),
        ("unfreeze", "active"),
        ("loss", "lost"),
        ("found", "active"),
        ("closure", "closed"),
    ):
        assert (await door.post(f"{card_path}/{verb}", CARD_REASON)).json()["status"] == status


async def test_a_terminal_may_not_manage_cards(door: Door) -> None:
    user_id = await door.life.person(balance_fen=0)
    body = {"number": card_number(4), **VALID}
    refused = await door.post(f"/v1/users/{user_id}/cards", body, client_id=demo_city.BUS_TERMINAL)
    assert answer_of(refused) == (403, "forbidden")


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"card": {"tap": "x"}, "credential": "M1:"},
        {"card": {"tap": "x"}, "user_id": str(uuid4())},
        {"card": {}},
        {"card": {"tap": "x", "number": "3704060000000015"}},
        {"card": {"tap": "x" * 1025}},
    ],
)
async def test_a_user_is_named_in_exactly_one_way(
    face: Face, order: dict[str, Any], user: dict[str, Any]
) -> None:
    answer = await face.http.post("/v1/orders", json=order | {"user": user}, headers=face.keyed())
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"number": "370406000000001x"},
        {"valid_to": "2025-12-31"},
        {"domains": [{}]},
        {"domains": [{"scene": "bus"}, {"scene": "bus"}]},
        {"kind": "printed", "key_version": 1},
        {"kind": "gold"},
    ],
)
async def test_a_card_request_that_contradicts_itself_is_refused(
    face: Face, change: dict[str, Any]
) -> None:
    answer = await face.http.post(
        f"/v1/users/{uuid4()}/cards", json=ISSUE_CARD | change, headers=face.keyed()
    )
    assert answer.status_code == 422


async def test_no_number_comes_into_the_log(face: Face) -> None:
    path = f"/v1/users/{uuid4()}/cards"
    issued = await face.http.post(path, json=ISSUE_CARD, headers=face.keyed())
    again = await face.http.post(path, json=ISSUE_CARD, headers=face.keyed())
    assert (issued.status_code, answer_of(again)) == (201, (409, "card_bound"))
    card_path = f"/v1/cards/{issued.json()['card_id']}"
    replaced = await face.http.post(
        f"{card_path}/replacement", json=REPLACE_CARD, headers=face.keyed()
    )
    bound = await face.http.post("/v1/card-bindings", json=BIND_CARD, headers=face.keyed())
    assert (replaced.status_code, answer_of(bound)) == (201, (409, "card_bound"))
    log = face.log_stream.getvalue().decode()
    assert len(face.log_lines()) == 4
    assert ISSUE_CARD["number"] not in log
    assert REPLACE_CARD["number"] not in log

"""Row 40 of the faults: more than can be served, a lock that is held, a worker told to go."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters import demo_city
from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.infrastructure import Addresses
from adapters.server import LeavingServer, http_server, listen
from adapters.settings import Settings
from adapters.wiring import make_api, open_city
from cardcore.errors import ServiceUnavailableError
from tests.adapters.http.conftest import an_order, make_face
from tests.city_life import FLAT_FARE_FEN, VALIDATOR, Life
from tests.conftest import CityClock

URL = "https://card.example"
HIGH = 8


class HeldFace:
    """A face of few places, whose core books nothing until it may go on."""

    def __init__(self, crowd: int) -> None:
        self.face = make_face(in_flight_high=HIGH)
        self.go_on, self.crowded = asyncio.Event(), asyncio.Event()
        self._waiting, self._crowd = 0, crowd
        self._book = self.face.core.order
        self.face.core.order = self._book_later  # type: ignore[method-assign]

    async def _book_later(self, *arguments: Any) -> Any:  # noqa: ANN401  (passes through)
        self._waiting += 1
        if self._waiting == self._crowd:
            self.crowded.set()
        await self.go_on.wait()
        return await self._book(*arguments)


class DeafServer(LeavingServer):
    """Takes no signals from the system: these tests hand them over."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def test_row_40_what_can_wait_is_refused_first_and_orders_get_through() -> None:
    held = HeldFace(HIGH + 1)
    face = held.face
    async with face.http:
        waiting = [
            asyncio.create_task(face.http.post("/v1/orders", json=an_order(), headers=face.keyed()))
            for _ in range(HIGH + 1)
        ]
        await held.crowded.wait()
        name = {"merchant_id": "m", "out_trade_no": "n"}
        list_ = await face.http.get(f"/v1/users/{uuid4()}", headers=face.bearer())
        assert (list_.status_code, list_.json()["code"]) == (503, "service_unavailable")
        assert list_.headers["Retry-After"] == "1"
        asked = await face.http.get("/v1/orders", params=name, headers=face.bearer())
        assert asked.status_code != 503  # what to ask after a lost reply
        assert (await face.http.get("/healthz")).status_code == 200
        held.go_on.set()
        assert {one.status_code for one in await asyncio.gather(*waiting)} == {201}
        again = await face.http.get(f"/v1/users/{uuid4()}", headers=face.bearer())
        assert again.status_code != 503
    assert face.app.load.in_flight == 0


async def test_row_40_a_worker_says_that_it_leaves_before_it_closes_its_door() -> None:
    """How: told to stop, it is asked and served for as long as its notice lasts; then again."""
    held = HeldFace(1)
    face = held.face
    listener = listen("127.0.0.1", 0)
    listener.listen()
    server = DeafServer(http_server(face.app).config, face.app.load, notice_s=3600)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    running = asyncio.create_task(server.serve(sockets=[listener]))
    async with face.http, httpx2.AsyncClient(base_url=url) as outside:
        under_way = asyncio.create_task(
            outside.post("/v1/orders", json=an_order(), headers=face.keyed())
        )
        await held.crowded.wait()
        assert (await outside.get("/readyz")).json()["status"] == "ready"
        server.handle_exit(signal.SIGTERM, None)
        ready = await outside.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["worker"]) == (503, "leaving")
        assert (await outside.get("/healthz")).status_code == 200
        server.handle_exit(signal.SIGTERM, None)
        held.go_on.set()
        assert (await under_way).status_code == 201  # what was under way is finished
    await running
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_row_40_five_times_too_much_loses_nothing_that_was_answered(
    city_addresses: Addresses, city_settings: Settings
) -> None:
    """How: few connections, few places, a crowd of orders and lists at once; then all again."""
    clock = CityClock()
    tight = city_settings.model_copy(update={"pool_connections_max": 2})
    async with open_city(city_addresses, tight, clock=clock) as city:
        life = Life(city, clock)
        app = await make_api(city, public_url=URL, clock=clock)
        app.load.in_flight_high = HIGH
        user_id = await life.person(balance_fen=20_000)
        rides = [life.ride(await life.code(user_id)) for _ in range(5 * HIGH)]
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as http:
            headers = await token(http, demo_city.BUS_TERMINAL, clock, tight)

            async def pay(number: int) -> httpx2.Response:
                return await http.post(
                    "/v1/orders",
                    content=rides[number].model_dump_json(exclude_unset=True),
                    headers={
                        **headers,
                        "Content-Type": "application/json",
                        "Idempotency-Key": f"crowd-{number}",
                    },
                )

            async def look() -> httpx2.Response:
                return await http.get(f"/v1/orders/{uuid4()}/explain", headers=headers)

            crowd = [pay(number) for number in range(len(rides))]
            answers = await asyncio.gather(*crowd, *(look() for _ in rides))
            statuses = Counter(one.status_code for one in answers)
            assert set(statuses) <= {201, 404, 429, 503}
            assert statuses[503] > 0
            paid = {
                number: answer.json()["order_id"]
                for number, answer in enumerate(answers[: len(rides)])
                if answer.status_code == 201
            }
            for number in range(len(rides)):
                again = await pay(number)
                assert again.status_code == 201
                assert again.json()["order_id"] == paid.get(number, again.json()["order_id"])
        assert await life.balance_fen(user_id) == 20_000 - len(rides) * FLAT_FARE_FEN
        assert await life.books_are_right()


async def test_row_40_a_lock_that_is_held_is_503_and_the_retry_books(
    city_addresses: Addresses, city_settings: Settings
) -> None:
    """Why: a migration that waits behind somebody would hold up every request for as long."""
    clock = CityClock()
    given = city_settings.model_copy(update={"lock_wait_s": 1})
    async with open_city(city_addresses, given, clock=clock) as city:
        life = Life(city, clock)
        ride = life.ride(await life.code(await life.person(balance_fen=500)))
        async with city.pool.connection() as migration:
            await migration.execute("LOCK TABLE cardcore.business_order IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(ServiceUnavailableError):
                await city.core.order(VALIDATOR, ride, "key")
        order, replayed = await city.core.order(VALIDATOR, ride, "key")
        assert (order.status, replayed) == ("captured", False)
        assert await life.books_are_right()


async def token(
    http: httpx2.AsyncClient, client_id: str, clock: CityClock, settings: Settings
) -> dict[str, str]:
    key = demo_city.client_key(settings.clients_home, client_id)
    proof = client_assertion(client_id, key, audience=f"{URL}/v1/oauth/token", now=clock.now)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": proof,
    }
    answer = await http.post("/v1/oauth/token", data=form)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}

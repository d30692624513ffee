"""Webhooks from the order to a real receiver on loopback (faults 30, 31)."""

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters import demo_city
from adapters.settings import Settings
from adapters.webhook_sender import ANSWER_BYTES_MAX, HTTPSender
from cardcore.caller import Scope
from cardcore.client.webhooks import WebhookInvalidError, verify_webhook
from cardcore.platform.deliveries import SENT_AT_ONCE_PER_ENDPOINT, Deliveries
from cardcore.platform.webhook_schedule import TRIES_MAX, WAITS, Outcome
from cardcore.platform.webhooks import ENDPOINTS_MAX, Webhooks
from tests.adapters.platform.conftest import Web
from tests.city_life import BUS_OFFICE

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answering(raw: bytes) -> Behave:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return behave


@dataclass
class Receiver:
    """A real HTTP server that behaves as it is told and remembers what came."""

    port: int = 0
    behave: Behave = field(default_factory=lambda: answering(OK))
    messages: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            lines = head.split("\r\n")[1:-2]
            headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.messages.append((headers, body))
            await self.behave(writer)
            await writer.drain()
        except OSError:
            self.cut.set()
        finally:
            writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as made:
        yield made


@pytest.fixture
async def office(web: Web, city_settings: Settings) -> dict[str, str]:
    """Headers of the bus company's office, which may manage its webhooks. Loopback is allowed."""
    platform = web.city.core.platform
    platform.webhooks = Webhooks(web.city.core._parts, LOOPBACK)
    async with web.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.client SET scopes = scopes || %s::text[] WHERE client_id = %s",
            ([Scope.WEBHOOKS_WRITE.value], BUS_OFFICE.client_id),
        )
    return await web.token(BUS_OFFICE.client_id, city_settings)


@pytest.fixture
def deliveries(web: Web) -> Deliveries:
    """The worker's duty, patient for half a second."""
    sender = HTTPSender(LOOPBACK, total_s=0.5)
    return Deliveries(web.city.engine, web.city.hsm, sender, os.urandom)


async def register(
    web: Web, office: dict[str, str], url: str, **changes: object
) -> httpx2.Response:
    body = {"merchant_id": demo_city.BUS_MERCHANT, "url": url} | changes
    return await web.browser().post("/v1/webhook-endpoints", json=body, headers=office)


async def listed(web: Web, office: dict[str, str], endpoint_id: str) -> list[dict[str, Any]]:
    path = f"/v1/webhook-endpoints/{endpoint_id}/deliveries"
    return list((await web.browser().get(path, headers=office)).json()["deliveries"])


async def ride(web: Web) -> str:
    """One paid ride; returns the order's id."""
    return str((await web.life.pay(await web.life.person())).order_id)


async def run(web: Web, deliveries: Deliveries) -> None:
    while await deliveries.relay(web.clock.now):
        pass
    await deliveries.send_due(web.clock.now)


async def keys(web: Web) -> list[str]:
    return list((await web.browser().get("/v1/webhook-keys")).json()["keys"])


async def test_an_order_is_told_once_signed_and_thin(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    endpoint = (await register(web, office, receiver.url)).json()
    order_id = await ride(web)
    await run(web, deliveries)
    await run(web, deliveries)
    ((headers, body),) = receiver.messages
    message = verify_webhook(headers, body, keys=await keys(web), now=web.clock.now)
    assert message["type"] == "order.captured"
    assert message["data"]["order_id"] == order_id
    assert set(message["data"]) == {
        "order_id",
        "scene",
        "status",
        "subject_id",
        "merchant_id",
        "version",
    }
    (delivery,) = await listed(web, office, endpoint["endpoint_id"])
    assert delivery["status"] == "delivered"
    assert delivery["message_id"] == headers["webhook-id"]
    assert [one["status_code"] for one in delivery["attempts"]] == [204]


async def test_row_31_the_verifier_wants_the_message_unchanged_and_of_now(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    await register(web, office, receiver.url)
    await ride(web)
    await run(web, deliveries)
    ((headers, body),) = receiver.messages
    now, own = web.clock.now, await keys(web)
    for seconds in (-300, 300):
        assert verify_webhook(headers, body, keys=own, now=now + timedelta(seconds=seconds))
    other = {**headers, "webhook-signature": "v1,x v1a,AAAA " + headers["webhook-signature"]}
    assert verify_webhook(other, body, keys=["whpk_", "x", *own], now=now)
    changes: list[tuple[dict[str, str], bytes, timedelta]] = [
        (headers, body, timedelta(seconds=301)),
        (headers, body, timedelta(seconds=-301)),
        (headers, body.replace(b"captured", b"refunded"), timedelta(0)),
        ({**headers, "webhook-id": "msg_0"}, body, timedelta(0)),
        ({**headers, "webhook-timestamp": f"0{headers['webhook-timestamp']}"}, body, timedelta(0)),
        ({**headers, "webhook-signature": "v1a,"}, body, timedelta(0)),
        ({"webhook-id": "x"}, body, timedelta(0)),
    ]
    for changed, content, later in changes:
        with pytest.raises(WebhookInvalidError):
            verify_webhook(changed, content, keys=own, now=now + later)


async def test_row_31_of_two_messages_about_an_order_the_later_has_the_higher_version(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    """Why: messages may overtake each other; the version puts them right."""
    await register(web, office, receiver.url)
    order = await web.life.hold(await web.life.person())
    await web.city.core.void(BUS_OFFICE, order.order_id, "v-1")
    await run(web, deliveries)
    found = [
        verify_webhook(headers, body, keys=await keys(web), now=web.clock.now)
        for headers, body in receiver.messages
    ]
    found.sort(key=lambda message: int(message["data"]["version"]))
    assert [message["type"] for message in found] == ["order.held", "order.voided"]
    assert {message["data"]["subject_id"] for message in found} == {str(order.order_id)}


FAILING = {
    "500": (answering(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), Outcome.REFUSED),
    "302": (answering(b"HTTP/1.1 302 F\r\nLocation: /x\r\n\r\n"), Outcome.REDIRECTED),
    "301 to loopback": (
        answering(b"HTTP/1.1 301 M\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
        Outcome.REDIRECTED,
    ),
    "nonsense": (answering(b"nonsense\r\n\r\n"), Outcome.UNREACHABLE),
    "closed": (answering(b""), Outcome.UNREACHABLE),
}


@pytest.mark.parametrize("name", FAILING)
async def test_row_30_a_failure_is_tried_again_on_the_schedule_until_it_ends(
    web: Web,
    office: dict[str, str],
    deliveries: Deliveries,
    receiver: Receiver,
    city_settings: Settings,
    name: str,
) -> None:
    receiver.behave, outcome = FAILING[name]
    endpoint = (await register(web, office, receiver.url)).json()
    await ride(web)
    await run(web, deliveries)
    for tries, wait in enumerate(WAITS, start=1):
        assert len(receiver.messages) == tries
        web.clock.advance(seconds=wait.total_seconds() - 1)
        assert await deliveries.send_due(web.clock.now) == 0
        web.clock.advance(seconds=1)
        assert await deliveries.send_due(web.clock.now) == 1
    web.clock.advance(days=30)
    assert await deliveries.send_due(web.clock.now) == 0
    assert len(receiver.messages) == TRIES_MAX
    assert len({headers["webhook-id"] for headers, _ in receiver.messages}) == 1
    assert len({body for _, body in receiver.messages}) == 1
    office = await web.token(BUS_OFFICE.client_id, city_settings)
    (delivery,) = await listed(web, office, endpoint["endpoint_id"])
    assert delivery["status"] == "failed"
    assert [one["outcome"] for one in delivery["attempts"]] == [outcome] * TRIES_MAX


async def test_row_30_a_hanging_receiver_is_left_and_holds_up_nobody(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    hung = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        await hung.wait()

    receiver.behave = hang
    async with listening() as other:
        hanging = (await register(web, office, receiver.url)).json()
        await register(web, office, other.url)
        user_id = await web.life.person()
        for _ in range(6):
            await web.life.pay(user_id)
        while await deliveries.relay(web.clock.now):
            pass
        await deliveries.send_due(web.clock.now)
        await deliveries.send_due(web.clock.now)
        assert len(other.messages) == 6
    hung.set()
    outcomes = {
        attempt["outcome"]
        for delivery in await listed(web, office, hanging["endpoint_id"])
        for attempt in delivery["attempts"]
    }
    assert outcomes == {Outcome.TIMED_OUT}


async def test_row_30_a_round_does_not_wait_for_a_receiver_that_hangs(
    web: Web, office: dict[str, str], receiver: Receiver
) -> None:
    """How: the receiver hangs through three rounds; what is due for another comes in the next."""
    hung = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.write(OK)

    receiver.behave = hang
    sender = HTTPSender(LOOPBACK, total_s=60)
    impatient = Deliveries(web.city.engine, web.city.hsm, sender, os.urandom, patience_s=0.05)
    async with listening() as other:
        hanging = (await register(web, office, receiver.url)).json()
        await register(web, office, other.url)
        user_id = await web.life.person()
        for told in range(1, 7):
            await web.life.pay(user_id)
            await run(web, impatient)
            while len(other.messages) < told:  # a slow machine
                await impatient.send_due(web.clock.now)
        # Never more at one endpoint than it may have at once, whatever round began them.
        assert len(receiver.messages) == SENT_AT_ONCE_PER_ENDPOINT
        hung.set()
        await impatient.finish()
    attempts = [one["attempts"] for one in await listed(web, office, hanging["endpoint_id"])]
    assert sorted(len(one) for one in attempts) == [0, 0, 1, 1, 1, 1]


async def test_row_30_an_endless_answer_is_read_to_its_bound_and_cut(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            writer.write(bytes(ANSWER_BYTES_MAX))
            await writer.drain()
            sent += ANSWER_BYTES_MAX

    receiver.behave = flood
    endpoint = (await register(web, office, receiver.url)).json()
    await ride(web)
    await run(web, deliveries)
    (delivery,) = await listed(web, office, endpoint["endpoint_id"])
    assert delivery["status"] == "delivered"
    await receiver.cut.wait()
    assert sent < 100 * ANSWER_BYTES_MAX


async def test_row_30_gone_disables_the_endpoint_and_cancels_what_waits(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    receiver.behave = answering(b"HTTP/1.1 410 Gone\r\n\r\n")
    endpoint = (await register(web, office, receiver.url)).json()
    await ride(web)
    await run(web, deliveries)
    query = f"merchant_id={demo_city.BUS_MERCHANT}"
    answer = await web.browser().get(f"/v1/webhook-endpoints?{query}", headers=office)
    (found,) = answer.json()["endpoints"]
    assert (found["status"], found["disabled_reason"]) == ("disabled", "gone")
    await ride(web)
    await run(web, deliveries)
    assert len(receiver.messages) == 1
    (delivery,) = await listed(web, office, endpoint["endpoint_id"])
    assert delivery["status"] == "cancelled"
    path = f"/v1/webhook-deliveries/{delivery['delivery_id']}/replay"
    assert (await web.browser().post(path, headers=office)).status_code == 404


async def test_a_message_is_sent_again_on_request_under_its_own_id(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    endpoint = (await register(web, office, receiver.url)).json()
    await ride(web)
    await run(web, deliveries)
    (delivery,) = await listed(web, office, endpoint["endpoint_id"])
    path = f"/v1/webhook-deliveries/{delivery['delivery_id']}/replay"
    again = await web.browser().post(path, headers=office)
    assert again.json()["status"] == "pending"
    await run(web, deliveries)
    first, second = receiver.messages
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]


async def test_an_attempt_of_a_worker_that_died_is_made_again(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    """How: the sender is cancelled in the middle, as a killed worker is."""
    begun, over = asyncio.Event(), asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        begun.set()
        await over.wait()

    receiver.behave = hang
    await register(web, office, receiver.url)
    await ride(web)
    await deliveries.relay(web.clock.now)
    dying = asyncio.create_task(deliveries.send_due(web.clock.now))
    await begun.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    receiver.behave = answering(OK)
    assert await deliveries.send_due(web.clock.now) == 0
    web.clock.advance(seconds=60)
    assert await deliveries.send_due(web.clock.now) == 1
    assert len(receiver.messages) == 2
    over.set()


async def test_a_name_that_leads_inside_is_not_followed(web: Web) -> None:
    """Why: whoever owns a name decides where it leads, after it was registered."""
    sent = await HTTPSender([]).send("https://localhost/hook", {}, b"{}")
    assert (sent.outcome, sent.status_code) == (Outcome.ADDRESS_REFUSED, None)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://name.invalid/", "http://127.0.0.1:1"]
)
async def test_what_cannot_be_reached_is_an_outcome(url: str) -> None:
    assert (await HTTPSender(LOOPBACK).send(url, {}, b"{}")).outcome is Outcome.UNREACHABLE


async def test_only_what_an_endpoint_waits_for_is_kept(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    await register(web, office, receiver.url, topics=["order.refunded"])
    await ride(web)
    await web.city.core.order(
        BUS_OFFICE, web.life.ride(await web.life.code(await web.life.person())), "k"
    )
    await run(web, deliveries)
    assert receiver.messages == []
    async with web.city.pool.connection() as connection:
        for table in ("outbox", "webhook_event"):
            cursor = await connection.execute(f"SELECT count(*) FROM cardcore.{table}".encode())
            assert await cursor.fetchone() == (0,)


async def test_row_33_endpoints_and_deliveries_of_another_merchant_are_not_found(
    web: Web,
    office: dict[str, str],
    deliveries: Deliveries,
    receiver: Receiver,
    city_settings: Settings,
) -> None:
    endpoint = (await register(web, office, receiver.url)).json()
    await ride(web)
    await run(web, deliveries)
    (delivery,) = await listed(web, office, endpoint["endpoint_id"])
    async with web.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.client SET scopes = scopes || %s::text[] WHERE client_id = %s",
            ([Scope.WEBHOOKS_WRITE.value], demo_city.GATE_TERMINAL),
        )
    foreign = await web.token(demo_city.GATE_TERMINAL, city_settings)
    browser = web.browser()
    of_endpoint = f"/v1/webhook-endpoints/{endpoint['endpoint_id']}"
    answers = [
        await register(web, foreign, receiver.url),
        await browser.get(
            f"/v1/webhook-endpoints?merchant_id={demo_city.BUS_MERCHANT}", headers=foreign
        ),
        await browser.get(f"{of_endpoint}/deliveries", headers=foreign),
        await browser.post(f"{of_endpoint}/disable", headers=foreign),
        await browser.post(
            f"/v1/webhook-deliveries/{delivery['delivery_id']}/replay", headers=foreign
        ),
        await browser.post(f"/v1/webhook-deliveries/{uuid4()}/replay", headers=office),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)


async def test_a_merchant_has_so_many_endpoints_and_one_of_each(
    web: Web, office: dict[str, str]
) -> None:
    made = await register(web, office, "http://127.0.0.1:1/")
    for number in range(ENDPOINTS_MAX):
        made = await register(web, office, f"http://127.0.0.1:{number + 1}/")
        again = await register(web, office, f"http://127.0.0.1:{number + 1}/")
        assert made.json() == again.json()
    full = await register(web, office, "http://127.0.0.1:99/")
    assert (full.status_code, full.json()["code"]) == (409, "webhook_endpoints_full")
    path = f"/v1/webhook-endpoints/{made.json()['endpoint_id']}/disable"
    assert (await web.browser().post(path, headers=office)).json()["status"] == "disabled"
    assert (await register(web, office, "http://127.0.0.1:99/")).status_code == 201
    unfit = await register(web, office, "ftp://127.0.0.1/")
    assert (unfit.status_code, unfit.json()["code"]) == (422, "webhook_url_refused")


async def test_deliveries_are_listed_page_by_page(
    web: Web, office: dict[str, str], deliveries: Deliveries, receiver: Receiver
) -> None:
    endpoint = (await register(web, office, receiver.url)).json()
    user_id = await web.life.person()
    for _ in range(3):
        await web.life.pay(user_id)
        web.clock.advance(seconds=1)
        await deliveries.relay(web.clock.now)
    path = f"/v1/webhook-endpoints/{endpoint['endpoint_id']}/deliveries"
    first = (await web.browser().get(f"{path}?limit=2", headers=office)).json()
    query = f"limit=2&cursor={first['next_cursor']}"
    second = (await web.browser().get(f"{path}?{query}", headers=office)).json()
    ids = [one["delivery_id"] for one in first["deliveries"] + second["deliveries"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    assert second["next_cursor"] is None

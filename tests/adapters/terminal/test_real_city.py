"""The agent with the real city behind it: enrolled, instructed and believed over HTTP."""

import asyncio
import io
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
import uvicorn

import codes
from adapters import demo_city
from adapters.server import listen
from adapters.terminal.agent import Agent, Options, Surroundings, open_agent
from adapters.terminal.display import Display
from adapters.terminal.enrolment import Enrolment, enrol
from adapters.terminal.home import TerminalHome
from adapters.terminal.record_queue import RecordQueue
from adapters.terminal.server import Server, http_client
from adapters.wiring import City, make_api
from cardcore.base64url import decode_base64url, encode_base64url
from cardcore.books import transaction
from cardcore.user.authorisation_request import AuthoriseRequest
from codes.suites import PrivateKey, make_private_key
from codes.text_form import authorisation_from_bytes
from scenes.community import service as community
from scenes.community.access import Grant, Relation
from tests.city_life import CENTRE, FLAT_FARE_FEN, FLAT_LINE, Life
from tests.codes.city import signer_of
from tests.conftest import CityClock

T = TypeVar("T")


@asynccontextmanager
async def served(city: City, clock: CityClock) -> AsyncIterator[str]:
    """The city's HTTP face on a port of its own, in this event loop."""
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = await make_api(city, public_url=url, clock=clock, log_to=io.BytesIO())
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    config.load()
    serving = asyncio.ensure_future(server._serve([listener]))
    try:
        yield url
    finally:
        server.should_exit = True
        await serving


@dataclass
class Street:
    """A terminal in the city, run in a thread beside the city's event loop."""

    life: Life
    url: str
    folder: Path
    screen: io.StringIO = field(default_factory=io.StringIO)

    async def enrol(self, terminal_id: str) -> Enrolment:
        given = await self.life.city.core.give_activation_code(CENTRE, terminal_id)

        def enrol_here() -> Enrolment:
            with http_client(self.url) as http:
                return enrol(
                    TerminalHome(self.folder),
                    Server(http),
                    server_url=self.url,
                    terminal_id=terminal_id,
                    activation_code=given.activation_code.lower(),
                )

        return await asyncio.to_thread(enrol_here)

    async def work(self, what: Callable[[Agent], T], **options: Any) -> T:  # noqa: ANN401  (any option)
        """Open the agent, do something with it, close it."""

        def work_here() -> T:
            around = Surroundings(wall_s=self.life.clock.now.timestamp, random=lambda: 0.0)
            display = Display(self.screen, as_json=True)
            home = TerminalHome(self.folder)
            with open_agent(home, display, Options(**options), around) as agent:
                return what(agent)

        return await asyncio.to_thread(work_here)

    def events(self, name: str) -> list[dict[str, Any]]:
        shown = [json.loads(line) for line in self.screen.getvalue().splitlines()]
        return [event for event in shown if event["event"] == name]


@dataclass
class Phone:
    """A citizen's phone that asked the city for an authorisation."""

    key: PrivateKey
    authorisation: codes.Authorisation
    counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def code(self, life: Life) -> str:
        return await codes.make_d(
            self.authorisation,
            signer_of(self.key),
            made_at_s=int(life.clock.now.timestamp()),
            counter=next(self.counter),
        )


async def phone_of(life: Life, user_id: UUID) -> Phone:
    key = make_private_key(codes.Algorithm.ES256)
    request = AuthoriseRequest.model_validate(
        {
            "device_public_key": encode_base64url(key.public_key.raw),
            "suite": "0x13",
            "scenes": ["bus", "community"],
        }
    )
    view = await life.city.core.authorise(CENTRE, user_id, request)
    return Phone(key, authorisation_from_bytes(decode_base64url(view.authorisation)))


@pytest.fixture
async def street(city: City, city_clock: CityClock, tmp_path: Path) -> AsyncIterator[Street]:
    async with served(city, city_clock) as url:
        yield Street(Life(city, city_clock), url, tmp_path / "terminal")


def pull(agent: Agent) -> None:
    assert agent.uplink is not None
    agent.uplink.turn()


async def test_a_bus_terminal_prices_and_accepts_offline_what_the_city_issued(
    street: Street,
) -> None:
    enrolment = await street.enrol(demo_city.BUS_TERMINAL)
    assert (enrolment.scene, enrolment.merchant_id) == ("bus", demo_city.BUS_MERCHANT)
    life = street.life
    phone = await phone_of(life, await life.person())
    texts = [await phone.code(life), await life.code(await life.person())]
    await street.work(pull)
    assert street.events("package"), street.screen.getvalue()

    outcomes = await street.work(
        lambda agent: [agent.scan(text) for text in (*texts, texts[0])],
        line_id=FLAT_LINE,
        stop_id="SC01",
        offline=True,
    )
    assert [outcome.reason for outcome in outcomes] == [None, None, "code_replayed"]
    assert {outcome.amount_fen for outcome in outcomes[:2]} == {FLAT_FARE_FEN}


async def test_a_phone_that_lost_its_right_is_refused_after_the_next_package(
    street: Street,
) -> None:
    await street.enrol(demo_city.BUS_TERMINAL)
    life = street.life
    user_id = await life.person()
    phone = await phone_of(life, user_id)
    await street.work(pull)
    # A new authorisation for the same key ends the one before.
    request = AuthoriseRequest.model_validate(
        {
            "device_public_key": encode_base64url(phone.key.public_key.raw),
            "suite": "0x13",
            "scenes": ["bus"],
        }
    )
    await life.city.core.authorise(CENTRE, user_id, request)
    life.clock.advance(minutes=10)
    await street.work(pull)
    text = await phone.code(life)
    refused = await street.work(
        lambda agent: agent.scan(text), line_id=FLAT_LINE, stop_id="SC01", offline=True
    )
    assert refused.reason == "code_revoked"


async def test_a_gate_opens_for_whom_the_city_granted_it(street: Street) -> None:
    enrolment = await street.enrol(demo_city.GATE_TERMINAL)
    assert enrolment.place == {"door": "N01"}
    life = street.life
    resident_id, stranger_id = await life.person(), await life.person()
    phones = [await phone_of(life, user_id) for user_id in (resident_id, stranger_id)]
    async with transaction(life.city.engine) as (connection, _):
        await community.put_door_into_groups(
            connection, "N01", {"all"}, recorded_by="test", at=life.clock.now
        )
        await community.give_grant(
            connection,
            uuid4(),
            resident_id,
            Grant(
                door_group="all",
                relation=Relation.RESIDENT,
                valid_from=date(2026, 1, 1),
                valid_to=date(2026, 12, 31),
            ),
            recorded_by="test",
            at=life.clock.now,
        )
    await street.work(pull)
    texts = [await phone.code(life) for phone in phones]
    outcomes = await street.work(lambda agent: [agent.scan(text) for text in texts], offline=True)
    assert [outcome.reason for outcome in outcomes] == [None, "no_relation"]
    assert {outcome.amount_fen for outcome in outcomes} == {0}


def drain(agent: Agent) -> dict[str, int]:
    assert agent.uplink is not None
    assert agent.uplink.drain()
    return RecordQueue(agent._journal).counts()


def forget_the_answers(agent: Agent) -> None:
    """As if the power had gone before the answer was written down."""
    with agent._journal.transaction() as connection:
        connection.execute("UPDATE record SET state = 'queued'")


async def test_rides_taken_offline_are_booked_once_however_often_they_are_sent(
    street: Street,
) -> None:
    await street.enrol(demo_city.BUS_TERMINAL)
    life = street.life
    user_id = await life.person(balance_fen=1000)
    phone = await phone_of(life, user_id)
    await street.work(pull)
    texts = [await phone.code(life) for _ in range(3)]
    await street.work(
        lambda agent: [agent.scan(text) for text in (*texts, texts[0])],
        line_id=FLAT_LINE,
        stop_id="SC01",
        offline=True,
    )
    life.clock.advance(hours=5)
    assert await street.work(drain) == {"booked": 4}, street.screen.getvalue()
    assert await life.balance_fen(user_id) == 1000 - 3 * FLAT_FARE_FEN
    await street.work(forget_the_answers)
    assert await street.work(drain) == {"duplicate": 4}
    assert await life.balance_fen(user_id) == 1000 - 3 * FLAT_FARE_FEN
    assert await life.books_are_right()
    gaps = await street.work(lambda agent: agent._journal.fact("gaps"))
    assert json.loads(gaps or "") == []


async def test_the_city_tells_a_terminal_enrolled_anew_from_a_liar(street: Street) -> None:
    life = street.life
    user_id = await life.person(balance_fen=1000)
    for _ in range(2):
        await street.enrol(demo_city.BUS_TERMINAL)
        phone = await phone_of(life, user_id)
        await street.work(pull)
        text = await phone.code(life)
        await street.work(
            lambda agent, text=text: agent.scan(text),  # type: ignore[misc]
            line_id=FLAT_LINE,
            stop_id="SC01",
            offline=True,
        )
    assert await street.work(drain) == {"booked": 2}, street.screen.getvalue()
    assert await life.balance_fen(user_id) == 1000 - 2 * FLAT_FARE_FEN

"""The walk through a car park in docs/parking.md, as it stands there, over HTTP."""

import json
import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from adapters import demo_city
from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.demo_city import client_key
from adapters.settings import Settings
from adapters.wiring import City, make_api
from tests.adapters.http.conftest import assert_documented
from tests.city_life import Life
from tests.conftest import CityClock

DOCUMENT = Path(__file__).parents[2] / "docs" / "parking.md"
CITY_URL = "https://card.example"
COMMAND = re.compile(r"[A-Z]+=|centre |lanes ")
ASSIGNED = re.compile(r"(?P<name>[A-Z]+)=\$\((?P<command>.*?)(?: \| pick (?P<path>\S+))?\)$")


class Shell:
    """Understands as much of a shell as the page needs."""

    def __init__(self, http: httpx2.AsyncClient, values: dict[str, str]) -> None:
        self.http = http
        self.values = values

    async def run(self, line: str) -> None:
        assigned = ASSIGNED.match(line)
        if assigned is None:
            await self.call(line)
            return
        found = await self.call(assigned["command"])
        for key in (assigned["path"] or "").split("."):
            found = found[int(key) if key.isdigit() else key]
        self.values[assigned["name"]] = str(found)

    def headers_of(self, who: str) -> dict[str, str]:
        """How a system proves who it is."""
        return {"Authorization": f"Bearer {self.values[who.upper()]}"}

    def http_of(self, who: str) -> httpx2.AsyncClient:
        """What a system speaks through."""
        return self.http

    async def call(self, command: str) -> Any:  # noqa: ANN401  (JSON)
        who, *words = shlex.split(re.sub(r"\$([A-Z]+)", lambda one: self.values[one[1]], command))
        headers = self.headers_of(who)
        method, url, body = "GET", "", None
        while words:
            word = words.pop(0)
            if word == "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            elif word == "-d":
                method, body = "POST", json.loads(words.pop(0))
            elif word == "-X":
                method = words.pop(0)
            else:
                url = word
        answer = await self.http_of(who).request(method, url, headers=headers, json=body)
        assert answer.is_success, (command, answer.text)
        return answer.json()


async def test_the_walk_in_the_page_goes_as_it_says(
    city: City, city_clock: CityClock, city_settings: Settings
) -> None:
    app = await make_api(city, public_url=CITY_URL, clock=city_clock)
    block = re.search(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    city_clock.advance(hours=2)
    values = {
        "CITY": CITY_URL,
        "CAME": (city_clock.now - timedelta(hours=2)).isoformat(),
        "LEFT": city_clock.now.isoformat(),
    }
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url=CITY_URL
    ) as http:

        async def documented(response: httpx2.Response) -> None:
            await response.aread()
            assert_documented(app.document, response)

        for name, client_id in (("CENTRE", "card-centre"), ("LANES", "east-gate-lanes")):
            values[name] = await token(http, client_id, city_settings, city_clock)
        http.event_hooks = {"response": [documented]}
        shell = Shell(http, values)
        given = tuple(f"{name}=" for name in values)
        lines = [line for line in block[1].splitlines() if COMMAND.match(line)]
        for line in lines:
            if not line.startswith(given):
                await shell.run(line)
    # Two hours are 500 fen, the purse had 100.
    expected = {"GATE": "on_account", "OWED": "400", "PAID": "0", "CLEAR": "clear"}
    assert {name: values[name] for name in expected} == expected
    assert await Life(city, city_clock).books_are_right()
    assert demo_city.CAR_PARK in DOCUMENT.read_text(encoding="utf-8")


async def token(
    http: httpx2.AsyncClient, client_id: str, settings: Settings, clock: CityClock
) -> str:
    assertion = client_assertion(
        client_id,
        client_key(settings.clients_home, client_id),
        audience=f"{CITY_URL}/v1/oauth/token",
        now=clock.now,
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    answer = await http.post("/v1/oauth/token", data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])

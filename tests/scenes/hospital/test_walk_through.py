"""The walk through the counter in docs/hospital.md, run as it stands there."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.demo_city import HOSPITAL_SYSTEM, client_key
from adapters.settings import Settings
from adapters.wiring import make_api
from scenes.hospital.payment_states import STEPS
from tests.adapters.http.conftest import assert_documented
from tests.scenes.hospital.conftest import Ward

DOCUMENT = Path(__file__).parents[3] / "docs" / "hospital.md"
URL = "https://card.example"
STEP = re.compile(r"```http\n(\w+) (\S+)\n(.*?)```\n→ (\d+)([^\n]*)", re.DOTALL)
KEEPS = re.compile(r"^ `(\w+)`")
SAYS = re.compile(r'`("\w+": [^`]+)`')
PLACE = re.compile(r"\{(\w+)\}")


def steps() -> list[tuple[str, str, str, int, str]]:
    found = STEP.findall(DOCUMENT.read_text(encoding="utf-8"))
    return [(method, path, rest, int(status), says) for method, path, rest, status, says in found]


async def test_the_walk_through_is_true(ward: Ward, city_settings: Settings) -> None:
    app = await make_api(ward.city, public_url=URL, clock=ward.clock)
    user_id = await ward.person()
    known: dict[str, str] = {}

    async def documented(response: httpx2.Response) -> None:
        assert_documented(app.document, response)

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url=URL,
        event_hooks={"response": [documented]},
    ) as http:
        assert len(steps()) > 12
        for method, path, rest, status, says in steps():
            if "check-in" in path:
                ward.clock.now = datetime(2026, 6, 2, 0, 0, tzinfo=UTC)
            known["code"] = (await ward.shown(user_id)).credential or ""
            filled = PLACE.sub(lambda match: known.get(match[1], match[0]), rest)
            head, _, body = f"\n{filled}".partition("\n\n")
            headers = {"Authorization": f"Bearer {await token(ward, http, city_settings)}"}
            headers |= dict(one.split(": ", 1) for one in head.splitlines() if one)
            answer = await http.request(
                method,
                PLACE.sub(lambda match: known[match[1]], path),
                headers=headers,
                json=json.loads(body) if body.strip() else None,
            )
            assert answer.status_code == status, f"{method} {path}: {answer.text}"
            view = answer.json()
            for kept in KEEPS.findall(says):
                known[kept] = view[kept]
            for said in SAYS.findall(says):
                for name, value in json.loads(f"{{{said}}}").items():
                    assert view[name] == value, f"{path}: {name}"


async def token(ward: Ward, http: httpx2.AsyncClient, settings: Settings) -> str:
    proof = client_assertion(
        HOSPITAL_SYSTEM,
        client_key(settings.clients_home, HOSPITAL_SYSTEM),
        audience=f"{URL}/v1/oauth/token",
        now=ward.clock.now,
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": proof,
    }
    return str((await http.post("/v1/oauth/token", data=form)).json()["access_token"])


def test_the_picture_shows_exactly_the_steps_of_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    picture = text.split("stateDiagram-v2")[1].split("```")[0]
    drawn = set(re.findall(r"^\s+(\w+) --> (\w+)", picture, re.MULTILINE))
    assert drawn == {(one.value, to.value) for one, reached in STEPS.items() for to in reached}

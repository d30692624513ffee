"""The simulated host app: its own sign-in, its own key, codes for its own people alone."""

from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters import demo_people
from adapters.demo.api_client import APIClient
from adapters.demo.job import PEOPLE
from adapters.partners.host_app import HostAccount, HostApp
from adapters.wiring import City
from tests.city_life import Life
from tests.conftest import CityClock

CARD = "https://card.example"


class CardCentre(APIClient):
    """The card centre as the app meets it: gives codes, counts how often the app proves itself."""

    def __init__(self) -> None:
        super().__init__(CARD, "aishandong", Ed25519PrivateKey.generate())
        self.sign_ins = 0
        self.asked_for: list[str] = []

    async def sign_in(self, now: object) -> str:
        self.sign_ins += 1
        return f"token {self.sign_ins} at {now}"

    async def post(
        self, path: str, body: dict[str, object] | None = None, *, key: str | None = None
    ) -> dict[str, object]:
        assert (path, key) == ("/v1/host-codes", None)
        assert body is not None
        self.asked_for.append(str(body["user_id"]))
        return {"host_code": f"code {len(self.asked_for)}"}


@pytest.fixture
def centre() -> CardCentre:
    return CardCentre()


def phone(centre: CardCentre, clock: CityClock, *people: UUID, built: Path) -> httpx2.AsyncClient:
    accounts = [HostAccount(name=f"示例{at}", user_id=one) for at, one in enumerate(people)]
    app = HostApp(centre, accounts, clock=clock, built=built).app()
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url="https://app.example")


async def test_a_code_is_given_for_whoever_is_signed_in_to_the_app(
    centre: CardCentre, city_clock: CityClock, tmp_path: Path
) -> None:
    first, second = uuid4(), uuid4()
    http = phone(centre, city_clock, first, second, built=tmp_path)
    assert (await http.post("/api/host-code", json={})).status_code == 401
    assert (await http.post("/api/session", json={"account": "nobody"})).status_code == 404
    setting = (await http.get("/api/setting")).json()
    assert (setting["card_url"], setting["signed_in"]) == (CARD, None)
    for account in setting["accounts"]:
        await http.post("/api/session", json={"account": account["account"]})
        assert (await http.get("/api/setting")).json()["signed_in"] == account["account"]
        assert (await http.post("/api/host-code", json={})).status_code == 200
    assert centre.asked_for == [str(first), str(second)]
    # What the page is told of an account leads to nobody.
    assert not {str(first), str(second)} & {one["account"] for one in setting["accounts"]}


async def test_the_app_proves_itself_anew_when_its_token_grows_old(
    centre: CardCentre, city_clock: CityClock, tmp_path: Path
) -> None:
    http = phone(centre, city_clock, uuid4(), built=tmp_path)
    (account,) = (await http.get("/api/setting")).json()["accounts"]
    await http.post("/api/session", json={"account": account["account"]})
    for minutes in (0, 4, 2):
        city_clock.advance(minutes=minutes)
        await http.post("/api/host-code", json={})
    assert centre.sign_ins == 2


async def test_the_app_s_page_frames_the_card_and_nothing_else(
    centre: CardCentre, city_clock: CityClock, tmp_path: Path
) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "index.html").write_text("<!doctype html>")
    http = phone(centre, city_clock, built=tmp_path)
    answer = await http.get("/")
    assert f"frame-src {CARD};" in answer.headers["content-security-policy"]
    assert (await http.get("/assets/absent.js")).status_code == 404


async def test_the_demo_s_people_are_opened_once(city: City, city_clock: CityClock) -> None:
    first = await demo_people.load(city)
    assert await demo_people.load(city) == first
    assert [one.name for one in first] == [one.name for one in PEOPLE]
    life = Life(city, city_clock)
    balances = [await life.balance_fen(one.user_id) for one in first]
    assert balances == [demo_people.FIRST_TOPUP_FEN] * len(PEOPLE)

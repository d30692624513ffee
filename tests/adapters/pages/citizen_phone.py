"""A citizen's phone: the real page in Chromium, in a native app or in the host app's frame."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import uvicorn
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Frame, Page, expect

from adapters import demo_city
from adapters.demo.api_client import APIClient
from adapters.partners.host_app import HostAccount, HostApp
from adapters.server import guest_server, listen
from adapters.settings import Settings
from adapters.symbol_reader import symbols_in
from adapters.wiring import City, make_api
from tests.city_life import Life
from tests.conftest import CityClock

HOST_CLIENT: Final = "aishandong"
CODE: Final = ".frame[aria-busy=false]"
SCREENSHOTS: Final = Path(__file__).parents[2] / "screenshots" / "citizen"
PHONE: Final = (390, 844)


@dataclass
class Town:
    """The city and the host app, each served on an origin of its own."""

    life: Life
    url: str
    host: HostApp
    host_url: str
    settings: Settings

    async def terminal(self, client_id: str = demo_city.BUS_TERMINAL) -> APIClient:
        """A terminal that calls with its own key, signed in."""
        key = demo_city.client_key(self.settings.clients_home, client_id)
        client = APIClient(self.url, client_id, key)
        await client.sign_in(self.life.clock.now)
        return client

    async def ride(self, text: str) -> dict[str, Any]:
        """Pay a ride at a validator with what it has read."""
        async with await self.terminal() as terminal:
            return await terminal.post("/v1/orders", self.life.ride(text).model_dump(mode="json"))


@asynccontextmanager
async def town(
    city: City, clock: CityClock, settings: Settings, people: list[UUID]
) -> AsyncIterator[Town]:
    """Serve both in this event loop; everybody of ``people`` has an account in the app."""
    async with AsyncExitStack() as stack:
        cards, app = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
        url, host_url = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in (cards, app))
        key = demo_city.client_key(settings.clients_home, HOST_CLIENT)
        client = await stack.enter_async_context(APIClient(url, HOST_CLIENT, key))
        accounts = [
            HostAccount(name=f"示例{number}", user_id=user_id)
            for number, user_id in enumerate(people)
        ]
        host = HostApp(client, accounts, clock=clock)
        api = await make_api(
            city, public_url=url, clock=clock, log_to=io.BytesIO(), frame_ancestors=(host_url,)
        )
        servers = [guest_server(api), guest_server(host.app())]
        for server, listener in zip(servers, (cards, app), strict=True):
            await stack.enter_async_context(_serving(server, listener))
        yield Town(Life(city, clock), url, host, host_url, settings)


@asynccontextmanager
async def _serving(server: uvicorn.Server, listener: Any) -> AsyncIterator[None]:  # noqa: ANN401  (socket)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@dataclass
class Handset:
    """One phone: its browser, and who is signed in to the app on it (None: nobody).

    ``proves``: does the person give their fingerprint when the app asks for it?
    """

    town: Town
    context: BrowserContext
    account: HostAccount | None
    proves: bool = True
    codes_given: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def answer(self, request: str) -> str:
        """What the app's native half says to the page (see ``docs/embedding.md``)."""
        asked = json.loads(request)
        ask = asked["ask"]
        if self.account is None:
            return "{}"
        if ask == "account":
            return json.dumps({"account": self.account.reference, "client_id": HOST_CLIENT})
        if ask == "host_code":
            fresh = asked.get("fresh") is True
            if fresh and not self.proves:
                return "{}"
            self.codes_given.append(await self.town.host.host_code(self.account, proved=fresh))
            return json.dumps({"host_code": self.codes_given[-1]})
        return json.dumps({"done": False})

    async def page(self, hash_: str = "", *, waits: bool = True) -> Page:
        """Open the page in a tab of the app."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        await page.goto(f"{self.town.url}/citizen/{hash_}")
        if waits:
            await expect(page.locator(CODE)).to_be_visible()
        return page

    async def ready_for_the_basement(self, page: Page) -> None:
        """Wait until the page could go on alone: files kept, key enrolled."""
        await page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
        await page.evaluate(
            f"""async () => {{
                while ((await {KEPT}).authorisation === undefined)
                    await new Promise((resolve) => setTimeout(resolve, 50));
            }}"""
        )


# What the page has kept, as its own script would find it.
KEPT: Final = """new Promise((resolve, reject) => {
  const opened = indexedDB.open("cardcore-citizen", 1);
  opened.onupgradeneeded = () => { opened.transaction.abort(); };
  opened.onerror = () => resolve({});
  opened.onsuccess = () => {
    const store = opened.result.transaction("kept").objectStore("kept");
    const keys = store.getAllKeys(), values = store.getAll();
    values.onsuccess = () => {
      opened.result.close();
      resolve(Object.fromEntries(keys.result.map((key, at) => [key, values.result[at]])));
    };
  };
})"""


@asynccontextmanager
async def handset(
    town: Town,
    browser: Browser,
    account: int | None = 0,
    *,
    locale: str = "zh-CN",
    viewport: tuple[int, int] = PHONE,
    native: bool = True,
    device_scale_factor: int = 2,
) -> AsyncIterator[Handset]:
    """A phone with the app on it, new to the page. A fault in the page fails the test.

    ``native``: the app injects its object; otherwise the phone is a plain browser.
    """
    accounts = list(town.host._accounts.values())
    context = await browser.new_context(
        locale=locale,
        viewport={"width": viewport[0], "height": viewport[1]},
        device_scale_factor=device_scale_factor,
    )
    phone = Handset(town, context, None if account is None else accounts[account])
    if native:
        await context.expose_function("askTheApp", phone.answer)
        await context.add_init_script("window.cardcoreHost = { ask: (q) => askTheApp(q) }")
    try:
        yield phone
        assert phone.faults == []
    finally:
        await context.close()


async def read_code(page: Page | Frame) -> str:
    """What an independent reader reads from a picture of the screen."""
    await expect(page.locator(CODE)).to_be_visible()
    picture = Image.open(io.BytesIO(await page.locator(".frame").screenshot()))
    # Of this kind alone: with luck a reader finds the bars of another in any picture.
    (found,) = symbols_in(picture, qr_only=True)
    return found.text


def picture(name: str) -> Path:
    """Where a picture for looking at is kept."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS / f"{name}.png"

"""``cardcore bench pages``: how long a citizen waits for the code, in a real browser.

The page runs in headless Chromium against a city of its own on loopback; each time is the median
of 20 openings. *Cold*: a browser that has never been here, without a session: files, host code,
session, code. *Warm*: the page is opened again in the same browser. Their reference is the icon of
the same server, opened by the same browser right before: what a browser and a server need for
anything at all. One class D code stands beside what it needs whoever makes it: a key out of the
store, a number written for good, a signature.
"""

import asyncio
import io
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from adapters import demo_city, demo_people
from adapters.bench.report import Result, compared
from adapters.database import migrate
from adapters.demo.api_client import APIClient
from adapters.infrastructure import Addresses, running
from adapters.partners.host_app import HostAccount, HostApp
from adapters.server import guest_server, listen
from adapters.settings import Settings
from adapters.wiring import make_api, open_city, utc_now

OPENINGS: Final = 20
OPENINGS_QUICK: Final = 5
HOST_CLIENT: Final = "aishandong"
CHROMIUM_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_CODE: Final = ".frame[aria-busy=false]"
# Told by the page's own clock, in the frame in which the code stands there.
_WATCH: Final = """new MutationObserver((_, watch) => {
  if (document.querySelector(".frame[aria-busy=false]") === null) return;
  watch.disconnect();
  requestAnimationFrame(() => { window.codeAtMs = performance.now(); });
}).observe(document, { subtree: true, childList: true, attributes: true });"""
_TOLD: Final = """new Promise((resolve) => {
  const told = () => window.codeAtMs ? resolve(window.codeAtMs) : requestAnimationFrame(told);
  told();
})"""
# Files kept and key authorised: from now on the page can do without a network.
_READY: Final = """async () => {
  await navigator.serviceWorker.ready;
  const opened = indexedDB.open("cardcore-citizen");
  await new Promise((resolve) => { opened.onsuccess = resolve; });
  const count = () => new Promise((resolve) => {
    const kept = opened.result.transaction("kept").objectStore("kept");
    const asked = kept.count("authorisation");
    asked.onsuccess = () => resolve(asked.result);
  });
  while (await count() === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  opened.result.close();
}"""
# What no page that has just been opened can do without: its key from the store, a number written
# for good, one signature.
_BARE: Final = """async () => {
  const startedMs = performance.now();
  const asked = indexedDB.open("bare");
  asked.onupgradeneeded = () => { asked.result.createObjectStore("kept"); };
  await new Promise((resolve) => { asked.onsuccess = resolve; });
  let key;
  await new Promise((resolve) => {
    const working = asked.result.transaction("kept", "readwrite", { durability: "strict" });
    const kept = working.objectStore("kept");
    kept.get("key").onsuccess = (event) => { key = event.target.result; kept.put(1, "counter"); };
    working.oncomplete = resolve;
  });
  if (key === undefined) {
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const { privateKey } = await crypto.subtle.generateKey(algorithm, false, ["sign"]);
    const keeping = asked.result.transaction("kept", "readwrite");
    keeping.objectStore("kept").put(privateKey, "key");
    await new Promise((resolve) => { keeping.oncomplete = resolve; });
    return null;
  }
  await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new Uint8Array(143));
  return performance.now() - startedMs;
}"""
_ALONE: Final = "performance.getEntriesByName('offline code').map((one) => one.duration)"


class BrowserMissingError(Exception):
    """There is no Chromium on this machine."""


def run(*, quick: bool = False) -> list[Result]:
    """Measure.

    Raises:
        BrowserMissingError: no Chromium.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise BrowserMissingError("no Chromium on this machine")
    with tempfile.TemporaryDirectory(prefix="ccb-", dir="/tmp") as home:
        Path(home).chmod(0o755)
        settings = Settings(home=Path(home) / "city")
        with running(settings) as addresses:
            migrate(addresses.database_url)
            openings = OPENINGS_QUICK if quick else OPENINGS
            return asyncio.run(_measure(addresses, settings, chromium, openings))


async def _measure(
    addresses: Addresses, settings: Settings, chromium: str, openings: int
) -> list[Result]:
    async with (
        _city(addresses, settings) as (url, host, account),
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=list(CHROMIUM_FLAGS), chromium_sandbox=False
        )
        stand = _Stand(browser, url, host, account)
        # First, because a person may authorise only so many phones.
        warm, alone, signed = await stand.again(openings)
        cold, empty, sizes = [], [], []
        for _ in range(openings):
            async with stand.phone() as (context, page):
                empty.append(await stand.bare_ms(page))
                size = await _bytes_of(context, page)
                cold.append(await stand.code_ms(page))
                sizes.append(float(sum(size)))
        await browser.close()
    return [
        compared(
            "cold_open_to_code", median(cold), "ms", reference="icon", reference_value=median(empty)
        ),
        compared(
            "warm_open_to_code", median(warm), "ms", reference="icon", reference_value=median(empty)
        ),
        Result(name="cold_open_transferred", value=median(sizes), unit="bytes"),
        compared(
            "class_d_code_in_page",
            median(alone),
            "ms",
            reference="its key, one strict write and the signature alone",
            reference_value=median(signed),
        ),
    ]


@asynccontextmanager
async def _city(
    addresses: Addresses, settings: Settings
) -> AsyncIterator[tuple[str, HostApp, HostAccount]]:
    """A demo city, served; the app that embeds the page, and one of its people."""
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(open_city(addresses, settings))
        await demo_city.load(city, clients_home=settings.clients_home, now=utc_now())
        account, *_ = await demo_people.load(city)
        listener = listen("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = guest_server(await make_api(city, public_url=url, log_to=io.BytesIO()))
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        key = demo_city.client_key(settings.clients_home, HOST_CLIENT)
        client = await stack.enter_async_context(APIClient(url, HOST_CLIENT, key))
        try:
            yield url, HostApp(client, [account], clock=utc_now), account
        finally:
            server.should_exit = True
            await serving


class _Stand:
    """The browser, and the app around the page."""

    def __init__(self, browser: Browser, url: str, host: HostApp, account: HostAccount) -> None:
        self._browser = browser
        self._url = url
        self._host = host
        self._account = account

    @asynccontextmanager
    async def phone(self) -> AsyncIterator[tuple[BrowserContext, Page]]:
        """A browser that has never been here."""
        context = await self._browser.new_context(viewport={"width": 390, "height": 844})
        await context.expose_function("askTheApp", self._answer)
        await context.add_init_script("window.cardcoreHost = { ask: (q) => askTheApp(q) }")
        await context.add_init_script(_WATCH)
        try:
            yield context, await context.new_page()
        finally:
            await context.close()

    async def bare_ms(self, page: Page) -> float:
        """The icon alone."""
        await page.goto(f"{self._url}/citizen/icon.svg")
        ended: Any = await page.evaluate(
            "performance.getEntriesByType('navigation')[0].loadEventEnd || performance.now()"
        )
        return float(ended)

    async def code_ms(self, page: Page) -> float:
        """From the beginning of the navigation to the code on the screen."""
        await page.goto(f"{self._url}/citizen/")
        await page.locator(_CODE).wait_for()
        return float(await page.evaluate(_TOLD))

    async def again(self, openings: int) -> tuple[list[float], list[float], list[float]]:
        """Warm openings, then openings without a network: their times of making one code.

        At last, in the same browser, what such a code needs whoever makes it.
        """
        async with self.phone() as (context, page):
            await self.code_ms(page)
            await page.evaluate(_READY)
            warm = [await self.code_ms(page) for _ in range(openings)]
            await context.set_offline(offline=True)
            alone: list[float] = []
            for _ in range(openings):
                await self.code_ms(page)
                alone += await page.evaluate(_ALONE)
            signed: list[float] = []
            while len(signed) < openings:
                await page.goto(f"{self._url}/citizen/icon.svg")
                took: float | None = await page.evaluate(_BARE)
                # The first time there is no key yet.
                signed += [] if took is None else [took]
        return warm, alone, signed

    async def _answer(self, question: str) -> str:
        if json.loads(question)["ask"] == "account":
            account = {"account": self._account.reference, "client_id": HOST_CLIENT}
            return json.dumps(account)
        return json.dumps({"host_code": await self._host.host_code(self._account)})


async def _bytes_of(context: BrowserContext, page: Page) -> list[int]:
    """What comes over the wire from now on, heads included; the list grows as it comes."""
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    return sizes

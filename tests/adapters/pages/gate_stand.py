"""A gate on a tablet: the real page in Chromium, the real city behind it, a phone before it."""

import asyncio
import io
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, expect

import codes
from adapters import demo_city
from adapters.pages.build import BUILT
from adapters.server import listen
from adapters.wiring import City, make_api
from cardcore.base64url import decode_base64url, encode_base64url
from cardcore.books import transaction
from cardcore.business.merchants import register_merchant, register_terminal
from cardcore.user.authorisation_request import AuthoriseRequest
from codes.suites import PrivateKey, make_private_key
from codes.text_form import authorisation_from_bytes
from scenes.community import service as community
from scenes.community.access import Grant, Relation
from tests.city_life import CENTRE, Life
from tests.codes.city import signer_of
from tests.conftest import CityClock

DOOR: Final = "N01"
PASS: Final = ".result.pass"
REFUSAL: Final = ".result.refusal"
# A machine at work is slow; nobody waits longer than it takes.
expect.set_options(timeout=20_000)
SCREENSHOTS: Final = Path(__file__).parents[2] / "screenshots" / "gate"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
)

# Makes a promise of the reason of the next answer that comes on the screen.
_WATCH_FOR_VERDICT: Final = """() => {
    window.nextVerdict = new Promise((resolve) => {
        new MutationObserver(([written], watching) => {
            watching.disconnect();
            resolve(written.target.dataset.reason);
        }).observe(document, { subtree: true, attributeFilter: ["data-record"] });
    });
}"""


def chromium() -> str:
    """Path of Chromium; the test skips where it or the built pages are absent."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no Chromium on this machine")
    if not (BUILT / "gate").is_dir():
        pytest.skip("the pages are not built: run `make setup` where Node 20 is")
    return found


@asynccontextmanager
async def served(city: City, clock: CityClock) -> AsyncIterator[str]:
    """The city's HTTP face and pages on a port of its own, in this event loop."""
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
class Phone:
    """A citizen's phone that asked the city for an authorisation."""

    user_id: UUID
    key: PrivateKey
    authorisation: codes.Authorisation
    counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def code(self, life: Life, *, age_s: int = 0) -> str:
        """A class D code, made ``age_s`` seconds ago."""
        return await codes.make_d(
            self.authorisation,
            signer_of(self.key),
            made_at_s=int(life.clock.now.timestamp()) - age_s,
            counter=next(self.counter),
        )


async def phone_of(life: Life, user_id: UUID, *scenes: str) -> Phone:
    """A phone with an authorisation for these scenes; by default the community's."""
    key = make_private_key(codes.Algorithm.ES256)
    request = AuthoriseRequest.model_validate(
        {
            "device_public_key": encode_base64url(key.public_key.raw),
            "suite": "0x13",
            "scenes": list(scenes or ("community",)),
        }
    )
    view = await life.city.core.authorise(CENTRE, user_id, request)
    return Phone(user_id, key, authorisation_from_bytes(decode_base64url(view.authorisation)))


async def grant(life: Life, user_id: UUID) -> None:
    """Give a resident the door, for the whole of the city clock's year."""
    now = life.clock.now
    async with transaction(life.city.engine) as (connection, _):
        await community.put_door_into_groups(connection, DOOR, {"all"}, recorded_by="test", at=now)
        await community.give_grant(
            connection,
            uuid4(),
            user_id,
            Grant(
                door_group="all",
                relation=Relation.RESIDENT,
                valid_from=now.date().replace(month=1, day=1),
                valid_to=now.date().replace(month=12, day=31),
            ),
            recorded_by="test",
            at=now,
        )


@dataclass
class Stand:
    """One tablet: its page, its browser's context, and the city."""

    life: Life
    url: str
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)

    async def open(self) -> None:
        """Load the page. Its clock is the city's."""
        await self.context.clock.set_fixed_time(self.life.clock.now)
        await self.page.goto(f"{self.url}/gate/")

    async def enrol(self, terminal_id: str = demo_city.GATE_TERMINAL) -> None:
        """Type number and activation code, and wait until the data has come."""
        given = await self.life.city.core.give_activation_code(CENTRE, terminal_id)
        await self.page.fill("#terminal-id", terminal_id)
        await self.page.fill("#activation-code", given.activation_code.lower())
        await self.page.click("button[type=submit]")
        await self.ready()

    async def ready(self) -> None:
        """Wait until the terminal has a package and is on-line."""
        await expect(self.page.locator(".chip.online")).to_be_visible()
        await expect(self.page.locator(".notice")).not_to_contain_text("数据")

    async def scan(self, text: str) -> str:
        """What a keyboard-wedge scanner does, at its speed; the reason shown, "" for a pass."""
        async with self.verdict() as told:
            await self.page.evaluate(
                """(text) => {
                    for (const key of [...text, "Enter"]) {
                        const pressed = { key, bubbles: true, cancelable: true };
                        document.body.dispatchEvent(new KeyboardEvent("keydown", pressed));
                    }
                }""",
                text,
            )
        return await told

    async def type(self, text: str) -> str:
        """As ``scan``, key by key through the browser's own keyboard."""
        async with self.verdict() as told:
            await self.page.keyboard.type(text)
            await self.page.keyboard.press("Enter")
        return await told

    @asynccontextmanager
    async def verdict(self, *, timeout_s: float = 30) -> AsyncIterator["asyncio.Task[str]"]:
        """The next answer on the screen, "" for a pass, watched for from now on.

        The page itself tells it: an answer stands there for seconds, and who asks now and then from
        outside may miss it on a busy machine.
        """
        await self.page.evaluate(_WATCH_FOR_VERDICT)
        asked = self.page.evaluate("window.nextVerdict")
        told = asyncio.create_task(asyncio.wait_for(asked, timeout_s))
        try:
            yield told
            await told
        finally:
            told.cancel()

    async def picture(self, name: str) -> None:
        """Keep a picture of the page for looking at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    async def resident(self) -> Phone:
        """The phone of somebody who may pass."""
        user_id = await self.life.person()
        await grant(self.life, user_id)
        return await phone_of(self.life, user_id)

    async def passed(self, user_id: UUID, *, times: int = 1) -> int:
        """As ``passages``, once the page has brought in what it decided so many times."""
        async with asyncio.timeout(30):
            # The database tells nobody: it is asked until it knows of them.
            while (found := await self.passages(user_id)) < times:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return found

    async def passages(self, user_id: UUID) -> int:
        """How many orders a person has."""
        async with transaction(self.life.city.engine) as (_, raw):
            rows = await raw.execute(
                "SELECT count(*) FROM cardcore.business_order WHERE user_id = %s", (user_id,)
            )
            found = await rows.fetchone()
        assert found is not None
        return int(found[0])


@asynccontextmanager
async def standing(
    city: City,
    clock: CityClock,
    browser: Browser,
    *,
    locale: str = "zh-CN",
    viewport: tuple[int, int] = (1024, 768),
) -> AsyncIterator[Stand]:
    """A tablet before the city, new to the page. A fault in the page fails the test."""
    async with served(city, clock) as url:
        context = await browser.new_context(
            locale=locale, viewport={"width": viewport[0], "height": viewport[1]}
        )
        page = await context.new_page()
        stand = Stand(Life(city, clock), url, context, page)
        page.on("pageerror", lambda error: stand.faults.append(str(error)))
        try:
            yield stand
            assert stand.faults == []
        finally:
            await context.close()


@asynccontextmanager
async def with_camera(browser: Browser, film: Path) -> AsyncIterator[Browser]:
    """A browser whose camera sees ``film`` for ever: a camera is a browser's, not a tab's."""
    sees = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    seeing = await browser.browser_type.launch(
        executable_path=chromium(), args=[*FLAGS, *sees], chromium_sandbox=False
    )
    try:
        yield seeing
    finally:
        await seeing.close()


async def axe_findings(page: Page, source: str) -> list[dict[str, Any]]:
    """What axe-core finds wrong on the page as it stands: rule and first place of each."""
    if not await page.evaluate("'axe' in window"):
        # Through the debugger: the page's own policy lets no foreign script in.
        await page.evaluate(source + "\n;0")
    found: list[dict[str, Any]] = await page.evaluate(
        """async () => (await axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
        })).violations.map((one) => ({ rule: one.id, at: one.nodes[0].html }))"""
    )
    return found


async def shop_of(city: City, now: datetime) -> str:
    """Register a counter where things are sold; its terminal's number."""
    terminal_id = "counter-01"
    async with transaction(city.engine) as (connection, raw):
        await register_merchant(
            connection,
            raw,
            city.book,
            merchant_id="corner-shop",
            name_zh="街角小店",
            name_en="Corner Shop",
            now=now,
        )
        await register_terminal(
            connection,
            terminal_id=terminal_id,
            merchant_id="corner-shop",
            scene="retail",
            place={},
            now=now,
        )
    return terminal_id

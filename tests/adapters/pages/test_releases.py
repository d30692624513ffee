"""Pages as installed programs: a new build takes the place of the old one, network or not."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from starlette.applications import Starlette

from adapters.pages.build import BUILT
from adapters.pages.routes import served_pages
from adapters.server import guest_server, listen

# What a page without a city behind it says, and what the next build of it says in that place.
SAID = {"gate": ("终端入网", "终端入网二"), "citizen": ("市民卡", "市民卡二")}


@dataclass
class Site:
    """The pages alone, as a server without a city."""

    url: str
    app: Starlette

    def serve(self, built: Path) -> None:
        """From now on this build and no file of another."""
        self.app.router.routes[:] = served_pages(built=built)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    listener = listen("127.0.0.1", 0)
    app = Starlette()
    server = guest_server(app)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", app)
    finally:
        server.should_exit = True
        await serving


def next_build(page: str, folder: Path) -> Path:
    """A copy of what is built, in which the script of ``page`` says something else."""
    shutil.copytree(BUILT, folder)
    before, after = SAID[page]
    (script,) = (folder / "assets").glob(f"{page}-*.js")
    text = script.read_text(encoding="utf-8")
    assert before in text
    newer = script.with_name(f"{page}-NEXTBLD1.js")
    newer.write_text(text.replace(before, after), encoding="utf-8")
    for old in script.parent.glob(f"{script.name}*"):
        old.unlink()
    for name in ("index.html", "worker.js"):
        file = folder / page / name
        told = file.read_text(encoding="utf-8").replace(script.name, newer.name)
        file.write_text(re.sub(r"\b[0-9a-f]{16}\b", "0123456789abcdef", told), encoding="utf-8")
        for coded in file.parent.glob(f"{name}.*"):
            coded.unlink()
    return folder


async def controlled(page: Page) -> None:
    """Wait until the page's files are kept and its worker answers for it."""
    await page.evaluate(
        """navigator.serviceWorker.ready.then(() => new Promise((resolve) => {
            const told = () => { if (navigator.serviceWorker.controller !== null) resolve(); };
            navigator.serviceWorker.addEventListener("controllerchange", told);
            told();
        }))"""
    )


async def shows(page: Page, name: str, *, which: int) -> None:
    """Wait for what a build says in the place that tells the two apart."""
    said = SAID[name][which]
    if name == "gate":
        await expect(page.locator("h1")).to_have_text(said)
    else:
        await expect(page).to_have_title(re.compile(f"{said}$"))


@pytest.mark.parametrize("name", SAID)
async def test_a_new_build_is_shown_after_one_reload_and_kept_for_the_basement(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    newer = next_build(name, tmp_path / "built")
    async with site() as here, await browser.new_context(locale="zh-CN") as context:
        here.serve(BUILT)
        page = await context.new_page()
        await page.goto(f"{here.url}/{name}/")
        await shows(page, name, which=0)
        await controlled(page)
        # Cut off, it is the page it was.
        await context.set_offline(offline=True)
        await page.reload()
        await shows(page, name, which=0)
        await context.set_offline(offline=False)

        here.serve(newer)
        await page.reload()
        await shows(page, name, which=1)
        await context.set_offline(offline=True)
        await page.reload()
        await shows(page, name, which=1)
        kept = await page.evaluate("caches.keys()")
        assert kept == [f"{name}-0123456789abcdef"]


async def test_a_gate_that_is_never_closed_follows_when_nobody_is_at_it(
    browser: Browser, tmp_path: Path
) -> None:
    newer = next_build("gate", tmp_path / "built")
    async with site() as here, await browser.new_context(locale="zh-CN") as context:
        here.serve(BUILT)
        page, other = await context.new_page(), await context.new_page()
        for one in (page, other):
            await one.goto(f"{here.url}/gate/")
            await controlled(one)
        await page.fill("#terminal-id", "gate-01")
        here.serve(newer)
        # As the page does by itself every hour.
        await page.evaluate("navigator.serviceWorker.ready.then((one) => one.update())")
        # The other tab has nothing under way; this one is not taken from whoever types in it.
        await shows(other, "gate", which=1)
        await shows(page, "gate", which=0)
        await page.fill("#terminal-id", "")
        await shows(page, "gate", which=1)


@pytest.mark.parametrize("name", SAID)
async def test_a_browser_finds_nothing_against_installing_the_page(
    browser: Browser, name: str
) -> None:
    async with site() as here, await browser.new_context() as context:
        here.serve(BUILT)
        page = await context.new_page()
        await page.goto(f"{here.url}/{name}/")
        await controlled(page)
        debugger = await context.new_cdp_session(page)
        manifest = await debugger.send("Page.getAppManifest")
        assert (manifest["url"], manifest["errors"]) == (
            f"{here.url}/{name}/{name}.webmanifest",
            [],
        )
        found = await debugger.send("Page.getInstallabilityErrors")
        # A context of a test is a private window.
        named = {one["errorId"] for one in found["installabilityErrors"]} - {"in-incognito"}
        assert named == set()

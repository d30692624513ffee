"""``cardcore bench gate``: what the gate page does in a second, in a real browser.

The page runs in headless Chromium, enrolled at a city of its own; its camera is a film of moving
phones. *Scan to decision* runs from the frame that showed the code to the answer on the screen:
reading the symbol, both signatures, the signed record, and the write that survives a power cut;
beside it stands the reader's library alone on the same frames. *verify* is the TypeScript verifier
alone, beside Python's on the same code in the same run. At the end ``qr_photographs`` says which
share of phones 30 cm away is read.
"""

import asyncio
import io
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import UUID

from playwright.async_api import Page, async_playwright

import codes
from adapters import demo_city
from adapters.bench.film import FRAMES_PER_S, pictures, write_film
from adapters.bench.qr_photographs import photograph_rates
from adapters.bench.report import Result, compared
from adapters.database import migrate
from adapters.infrastructure import Addresses, running
from adapters.pages.build import WEB, find_node
from adapters.server import guest_server, listen
from adapters.settings import Settings
from adapters.symbol_reader import symbols_in
from adapters.wiring import City, make_api, open_city, utc_now
from cardcore.base64url import decode_base64url, encode_base64url
from cardcore.caller import Caller, Scope
from cardcore.user.authorisation_request import AuthoriseRequest
from cardcore.user.request import OpenUserRequest
from codes.status import IssuerStatus, Status
from codes.suites import Algorithm, PrivateKey, make_private_key
from codes.text_form import authorisation_from_bytes

PHONES: Final = 12
PHONES_QUICK: Final = 6
ROUNDS: Final = 300
ROUNDS_QUICK: Final = 60
_FRAMES_EACH: Final = 16
_WAIT_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.2
_VECTORS: Final = WEB.parents[2] / "docs" / "vectors" / "codes.json"
_CENTRE: Final = Caller(
    client_id="card-centre",
    merchant_id=None,
    scopes=frozenset(scope.value for scope in Scope),
)
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
_DECISIONS: Final = "performance.getEntriesByName('scan-to-decision').map((one) => one.duration)"


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
    with tempfile.TemporaryDirectory(prefix="ccg-", dir="/tmp") as home:
        Path(home).chmod(0o755)
        settings = Settings(home=Path(home) / "city")
        with running(settings) as addresses:
            migrate(addresses.database_url)
            measured = _measure(addresses, settings, chromium, Path(home) / "film.y4m", quick=quick)
            return asyncio.run(measured)


async def _measure(
    addresses: Addresses, settings: Settings, chromium: str, film: Path, *, quick: bool
) -> list[Result]:
    async with _city(addresses, settings) as (city, url), async_playwright() as playwright:
        phones = [await _phone(city) for _ in range(PHONES_QUICK if quick else PHONES)]
        given = await city.core.give_activation_code(_CENTRE, demo_city.GATE_TERMINAL)
        texts = [await phone.code() for phone in phones]
        bare_ms = _bare_reading_ms(texts)
        write_film(texts, film, frames_each=_FRAMES_EACH)
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=[*_FLAGS, f"--use-file-for-fake-video-capture={film}"],
            chromium_sandbox=False,
        )
        page = await browser.new_page()
        await page.goto(f"{url}/gate/")
        await page.fill("#terminal-id", demo_city.GATE_TERMINAL)
        await page.fill("#activation-code", given.activation_code)
        await page.click("button[type=submit]")
        decisions = await _decisions(page, len(texts))
        rate = float((await page.inner_text(".frames")).split()[0])
        # Away from the camera, which would read on meanwhile.
        await page.goto(f"{url}/problems")
        verified = await _verify_times(page, rounds=ROUNDS_QUICK if quick else ROUNDS)
        await browser.close()
    bare = "zxing-cpp alone on the same frames"
    return [
        compared(
            "frames_read",
            rate,
            "1/s",
            reference="frames of the film",
            reference_value=FRAMES_PER_S,
        ),
        compared(
            "scan_to_decision_median",
            median(decisions),
            "ms",
            reference=bare,
            reference_value=median(bare_ms),
        ),
        compared(
            "scan_to_decision_worst",
            max(decisions),
            "ms",
            reference=bare,
            reference_value=max(bare_ms),
        ),
        *verified,
        *photograph_rates(quick=quick),
    ]


def _bare_reading_ms(texts: Sequence[str]) -> list[float]:
    """Milliseconds in which the reader's library alone, without a page, reads each frame."""
    times = []
    for picture in pictures(texts, frames_each=_FRAMES_EACH):
        started_s = time.perf_counter()
        symbols_in(picture, qr_only=True)
        times.append(1e3 * (time.perf_counter() - started_s))
    return times


async def _decisions(page: Page, count: int) -> list[float]:
    """Milliseconds of the first ``count`` decisions. Raises ``TimeoutError``."""
    # Asked again and again: the page's policy lets no predicate be planted in it.
    async with asyncio.timeout(_WAIT_S):
        while len(found := await page.evaluate(_DECISIONS)) < count:  # noqa: ASYNC110  (no event comes out of a page)
            await asyncio.sleep(_LOOK_AGAIN_S)
    return [float(one) for one in found[:count]]


@asynccontextmanager
async def _city(addresses: Addresses, settings: Settings) -> AsyncIterator[tuple[City, str]]:
    """A demo city, served on loopback."""
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(open_city(addresses, settings))
        await demo_city.load(city, clients_home=settings.clients_home, now=utc_now())
        listener = listen("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = guest_server(await make_api(city, public_url=url, log_to=io.BytesIO()))
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            yield city, url
        finally:
            server.should_exit = True
            await serving


@dataclass(frozen=True, slots=True)
class _Phone:
    key: PrivateKey
    authorisation: codes.Authorisation

    async def code(self) -> str:
        """A class D code of this moment."""

        async def sign(message: bytes) -> bytes:
            return self.key.sign(message)

        made_at_s = int(utc_now().timestamp())
        return await codes.make_d(self.authorisation, sign, made_at_s=made_at_s, counter=1)


async def _phone(city: City) -> _Phone:
    """The phone of somebody new."""
    key = make_private_key(Algorithm.ES256)
    user, _ = await city.core.open_user(
        _CENTRE, OpenUserRequest(level="anonymous"), f"bench-{key.public_key.raw.hex()}"
    )
    user_id: UUID = user.user_id
    request = AuthoriseRequest.model_validate(
        {
            "device_public_key": encode_base64url(key.public_key.raw),
            "suite": "0x13",
            "scenes": ["community"],
        }
    )
    view = await city.core.authorise(_CENTRE, user_id, request)
    return _Phone(key, authorisation_from_bytes(decode_base64url(view.authorisation)))


# --- the verifier alone -------------------------------------------------------------------------


class _AllValid:
    """A status list of any issuer that says yes to everything."""

    issued_at_s = 0
    expires_at_s = 1 << 62

    def for_issuer(self, issuer_id: int) -> IssuerStatus:  # noqa: ARG002  (the Protocol's)
        return self

    def status(self, index: int) -> Status:  # noqa: ARG002  (the Protocol's)
        return Status.VALID


async def _verify_times(page: Page, *, rounds: int) -> list[Result]:
    """One verification of each class and suite of the public vectors, in page and in Python."""
    document = json.loads(_VECTORS.read_text(encoding="utf-8"))
    subjects = _subjects(document["vectors"])
    ring_json = json.dumps(document["key_ring"])
    # Through the debugger: the page's own policy lets nothing else in.
    await page.evaluate(_bundle() + ";0")
    in_page: dict[str, float] = await page.evaluate(
        "([ring, subjects, rounds]) => measureVerifier(ring, subjects, rounds)",
        [ring_json, subjects, rounds],
    )
    ring = codes.KeyRing.from_json(ring_json)
    return [
        compared(
            f"verify_{subject['name']}",
            in_page[subject["name"]],
            "us",
            reference="python",
            reference_value=_python_us(ring, subject, rounds),
        )
        for subject in subjects
    ]


def _subjects(vectors: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first accepted code of each class and suite that needs nothing of its place."""
    found: dict[str, dict[str, Any]] = {}
    for vector in vectors:
        if vector["expect"] != "accepted" or vector["policy"]["place_ids"]:
            continue
        shown = codes.decode(vector["text"])
        name = f"{shown.code_class.name}_{shown.suite:02x}"
        needed = {"scope": vector["policy"]["scope"], "text": vector["text"]}
        found.setdefault(name, {"name": name, "nowS": vector["now_s"], **needed})
    return list(found.values())


def _python_us(ring: codes.KeyRing, subject: dict[str, Any], rounds: int) -> float:
    policy = codes.Policy(
        scope=codes.Scope(subject["scope"]), needs=codes.Purpose.IDENTITY, list_age_max_s=1 << 62
    )
    verify: Callable[[], object] = lambda: codes.verify(  # noqa: E731  (timed below)
        subject["text"], ring, _AllValid(), policy, subject["nowS"], None
    )
    times = []
    for _ in range(rounds):
        started_s = time.perf_counter()
        verify()
        times.append(1e6 * (time.perf_counter() - started_s))
    return median(times)


def _bundle() -> str:
    """The measuring script, bundled with the verifier."""
    esbuild = WEB / "node_modules" / "esbuild" / "bin" / "esbuild"
    asked = ["src/verifier/measure.ts", "--bundle", "--format=iife", "--minify"]
    command = [*find_node().command, str(esbuild), *asked]
    made = subprocess.run(command, cwd=WEB, check=True, capture_output=True, text=True)  # noqa: S603  (our own build tool)
    return made.stdout

"""Every view of the citizen's page in both modes and languages: for all eyes, fingers and ears.

Pictures of each are kept in ``tests/screenshots/citizen`` for looking at.
"""

import itertools
from uuid import UUID

from playwright.async_api import Browser, Page, expect

from adapters.http.examples import ISSUE_CARD
from adapters.http.family import INVITE
from adapters.pages.build import WEB
from adapters.settings import Settings
from adapters.wiring import City
from cardcore.business.dispute_request import DisputeReason, OpenDisputeRequest
from cardcore.caller import Caller
from cardcore.user.card_request import IssueCardRequest
from cardcore.user.invitation_request import InviteRequest
from cardcore.user.people_request import GrantDelegationRequest
from tests.adapters.pages.citizen_phone import CODE, handset, picture, town
from tests.adapters.pages.gate_stand import axe_findings
from tests.city_life import CENTRE, Life
from tests.conftest import CityClock

MODES = ("standard", "elder")
LANGUAGES = ("zh-CN", "en")
# Wide as a phone, as the narrowest there is, and as a phone whose text is at 200 %.
WIDTHS = (390, 320, 195)


async def lived(life: Life) -> tuple[UUID, str]:
    """Somebody with something on every page, and one order's id."""
    elder, child = await life.person(concession="senior"), await life.person()
    core = life.city.core
    await life.pay(elder)
    order = await life.pay(child)
    await core.open_dispute(
        CENTRE, order.order_id, OpenDisputeRequest(reason=DisputeReason.WRONG_AMOUNT), "dispute"
    )
    await core.issue_card(CENTRE, child, IssueCardRequest.model_validate(ISSUE_CARD), "card")
    family = {
        "payer_id": child,
        "kind": "agent",
        "scenes": ["bus", "hospital"],
        "order_fen_max": 500,
        "day_fen_max": 2_000,
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_to": "2027-01-01T00:00:00Z",
    }
    await core.grant_delegation(
        CENTRE, elder, GrantDelegationRequest.model_validate(family), "family"
    )
    caller = Caller(
        client_id=f"user:{child}",
        merchant_id=None,
        scopes=frozenset(),
        user_id=child,
        authenticated_at=life.clock.now,
    )
    await core.family.invite(
        caller, InviteRequest.model_validate(INVITE | {"valid_to": "2027-01-01T00:00:00Z"})
    )
    return child, str(order.order_id)


def views(order_id: str) -> dict[str, str]:
    """Names of the views and what shows that each has loaded."""
    return {
        "code": CODE,
        "funds": ".fund",
        "orders": ".entry",
        f"order/{order_id}": ".line",
        f"dispute/{order_id}": "form",
        "more": ".hello:not(:empty)",
        "scenes": ".scenes",
        "cards": ".card",
        "disputes": ".card",
        "family": ".badge.good",
        "family/pay": "form",
        "family/ask": "form",
        "family/join": "form",
        "guidance": "textarea",
        "accesses": ".card",
        "settings": ".segments",
    }


async def look(page: Page, url: str, mode: str, language: str) -> None:
    """Set mode and language as the settings would."""
    kept = f'{{"language": "{language}", "elder": {str(mode == "elder").lower()}}}'
    await page.evaluate("(kept) => localStorage.setItem('cardcore.look', kept)", kept)
    await page.goto(f"{url}/citizen/#more")
    await page.reload()


SMALL_TARGETS = """(least) => [...document.querySelectorAll('a, button, label.choice')]
    .filter((one) => one.checkVisibility())
    .map((one) => [one.textContent, one.getBoundingClientRect()])
    .filter(([_, box]) => box.height < least - 0.5 || box.width < least - 0.5)
    .map(([text, box]) => `${text} ${box.width}x${box.height}`)"""
SMALL_TEXT = """(least) => [...document.querySelectorAll('#page *')]
    .filter((one) => one.checkVisibility() && [...one.childNodes].some(
        (child) => child.nodeType === 3 && child.textContent.trim() !== ''))
    .map((one) => [one.textContent, parseFloat(getComputedStyle(one).fontSize)])
    .filter(([_, size]) => size < least || size > 30)
    .map(([text, size]) => `${text} ${size}px`)"""
# Words of one line that stand letter below letter, or run into the sum beside them.
SQUEEZED = """() => [...document.querySelectorAll('.badge, .entry > *, .place')]
    .filter((one) => one.checkVisibility() && one.textContent.trim() !== '')
    .filter((one, at, all) => {
        const box = one.getBoundingClientRect();
        const runs = one.scrollWidth > one.clientWidth + 1;
        const under = all.some((other) => {
            if (other === one || other.contains(one) || one.contains(other)) return false;
            const its = other.getBoundingClientRect();
            return box.left < its.right - 1 && its.left < box.right - 1
                && box.top < its.bottom - 1 && its.top < box.bottom - 1;
        });
        return runs || under || box.height > 1.6 * box.width;
    })
    .map((one) => one.textContent)"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def faults_of(page: Page, view: str, mode: str, language: str, axe: str) -> list[str]:
    """What is wrong with the view that is shown, at every width; pictures are kept."""
    # All in view: of a long form something is half under the bar wherever it is scrolled to.
    await page.set_viewport_size({"width": WIDTHS[0], "height": 4_000})
    wrong = [str(found) for found in await axe_findings(page, axe)]
    if mode == "elder":
        wrong += await page.evaluate(SMALL_TARGETS, 60)
        wrong += await page.evaluate(SMALL_TEXT, 18)
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 844})
        if await page.evaluate(TOO_WIDE) > 0:
            wrong.append(f"wider than {width} px")
        squeezed = await page.evaluate(SQUEEZED)
        wrong += [f"squeezed at {width} px: {text}" for text in squeezed]
        # Narrow ones are kept where room is shortest: in elder mode.
        if width == WIDTHS[0] or mode == "elder":
            path = picture(f"{view}-{mode}-{language}-{width}")
            await page.screenshot(path=path, full_page=True)
    await page.set_viewport_size({"width": WIDTHS[0], "height": 844})
    return [f"{view} {mode} {language}: {one}" for one in wrong]


async def test_every_view_is_fit_for_everybody(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings
) -> None:
    """Accessible by axe-core's rules of WCAG 2.2 AA; large in elder mode; no sideways scrolling."""
    user_id, order_id = await lived(Life(city, city_clock))
    axe = (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    wrong: list[str] = []
    async with (
        town(city, city_clock, city_settings, [user_id]) as here,
        handset(here, browser, device_scale_factor=1) as phone,
    ):
        page = await phone.page()
        for mode, language in itertools.product(MODES, LANGUAGES):
            await look(page, here.url, mode, language)
            for hash_, shown in views(order_id).items():
                await page.evaluate("(hash) => { location.hash = hash }", hash_)
                await expect(page.locator(shown).first).to_be_visible()
                name = (
                    hash_.replace("/", "-") if hash_.startswith("family") else hash_.split("/")[0]
                )
                wrong += await faults_of(page, name, mode, language, axe)
    assert wrong == []

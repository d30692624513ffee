"""Keys of the issuer by two operators: published, signing, believed, ended."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, true

from adapters.demo_city import BUS_TERMINAL
from adapters.key_watch import KeyWatch
from adapters.worker import terminal_duties
from cardcore.errors import CardcoreError, CodeRefusedError, ServiceUnavailableError
from cardcore.platform.errors import ProposalImpossibleError
from cardcore.platform.key_epochs import BEGINS_AFTER, ENDS_AFTER
from cardcore.platform.proposals import Proposals
from cardcore.platform.request import Decision, NewProposal
from cardcore.terminals.packages import PACKAGE_LIFE
from cardcore.terminals.tables import terminal_package
from codes.key_ring import KeyRing, KeyUse
from codes.signed_document import DocumentError
from codes.terminal_package import open_package
from hsm_sim.interface import (
    AlgorithmUnavailableError,
    HSMError,
    HSMUnavailableError,
    KeyInfo,
)
from tests.adapters.platform.conftest import Desk, Web
from tests.city_life import BUS_OFFICE, CENTRE, VALIDATOR


async def desk(web: Web, name: str) -> Desk:
    """An operator signed in anew: each one-time password is good once."""
    web.clock.advance(seconds=30)
    return await web.desk(name)


async def rotate(web: Web, use: str, suite: str, *, at_once: bool = False) -> dict[str, Any]:
    security, supervisor = await desk(web, "zhao.min"), await desk(web, "li.na")
    content = {"kind": "rotate_issuer_key", "use": use, "suite": suite, "at_once": at_once}
    return dict((await supervisor.decide(await security.propose(content))).json())


async def keys(web: Web, use: str) -> dict[int, str]:
    """State of each key of a use, by kid."""
    security = await desk(web, "zhao.min")
    found = (await security.get("/v1/issuer-keys")).json()["keys"]
    return {one["kid"]: one["state"] for one in found if one["use"] == use}


def kid_of(text: str, web: Web) -> int:
    """Which key signed a code, found by taking it out of the ring."""
    ring = web.city.core._parts.codes.ring
    for key in ring:
        others = KeyRing(one for one in ring if one is not key)
        web.city.core._parts.codes.ring = others
        try:
            accepts(text, web)
        except CodeRefusedError:
            return key.kid
        finally:
            web.city.core._parts.codes.ring = ring
    raise AssertionError("no key is needed for this code")


def accepts(text: str, web: Web) -> None:
    web.city.core._parts.codes.accept(
        text, scene="bus", places=(BUS_TERMINAL,), pays=False, now=web.clock.now
    )


async def test_a_new_code_key_is_published_first_signs_later_and_the_old_stays_good(
    web: Web,
) -> None:
    watch = KeyWatch(web.city)
    user_id = await web.life.person()
    assert (await rotate(web, "codes", "p256"))["status"] == "approved"
    assert await watch.look()
    assert not await watch.look()
    assert await keys(web, "codes") == {1: "signing", 2: "signing", 3: "waiting"}
    ring = (await web.browser().get("/v1/key-ring")).json()
    assert 3 in {one["kid"] for one in ring["keys"]}
    before = await web.life.code(user_id)
    assert kid_of(before, web) == 2
    web.clock.advance(days=1, seconds=-10)
    old = await web.life.code(user_id)
    web.clock.advance(seconds=10)
    assert await watch.look()
    assert await keys(web, "codes") == {1: "signing", 2: "believed", 3: "signing"}
    new = await web.life.code(user_id)
    assert kid_of(new, web) == 3
    for code in (old, new):
        order, _ = await web.city.core.order(VALIDATOR, web.life.ride(code), f"ride-{code[-9:]}")
        assert order.status == "captured"


async def test_a_leaked_code_key_ends_within_seconds_and_what_it_signed_with_it(web: Web) -> None:
    watch = KeyWatch(web.city)
    user_id = await web.life.person()
    stolen = await web.life.code(user_id)
    assert (await rotate(web, "codes", "p256", at_once=True))["status"] == "approved"
    await watch.look()
    web.clock.advance(seconds=BEGINS_AFTER.total_seconds())
    assert await watch.look()
    fresh = await web.life.code(user_id)
    assert kid_of(fresh, web) == 3
    web.clock.advance(seconds=(ENDS_AFTER - BEGINS_AFTER).total_seconds())
    assert await keys(web, "codes") == {1: "signing", 2: "ended", 3: "signing"}
    await watch.look()
    with pytest.raises(CodeRefusedError):
        accepts(stolen, web)
    accepts(fresh, web)


async def test_a_key_that_waits_takes_the_place_of_one_that_leaked(web: Web) -> None:
    """Why: terminals know it already; one made on the day would be unknown to them."""
    await rotate(web, "packages", "ed25519")
    assert (await keys(web, "packages")) == {128: "signing", 3: "waiting"}
    again = await rotate(web, "packages", "ed25519")
    assert (again["code"], again["facts"]["kid"]) == ("proposal_impossible", 3)
    await rotate(web, "packages", "ed25519", at_once=True)
    web.clock.advance(seconds=ENDS_AFTER.total_seconds())
    assert await keys(web, "packages") == {128: "ended", 3: "signing"}


class Away:
    """A security module that makes no keys."""

    def __init__(self, why: HSMError) -> None:
        self._why = why

    async def list_keys(self) -> list[KeyInfo]:
        return []

    async def generate(self, *_: object) -> KeyInfo:
        raise self._why


@pytest.mark.parametrize(
    ("why", "refusal"),
    [
        (AlgorithmUnavailableError("no SM2 here"), ProposalImpossibleError),
        (HSMUnavailableError("away"), ServiceUnavailableError),
    ],
)
async def test_what_the_module_does_not_make_is_refused_and_the_proposal_stays_open(
    web: Web, why: HSMError, refusal: type[CardcoreError]
) -> None:
    parts = replace(web.city.core._parts, hsm=Away(why))
    proposals = Proposals(parts)
    content = {"kind": "rotate_issuer_key", "use": "codes", "suite": "sm2"}
    asked = NewProposal.model_validate({"content": content, "purpose": "x"})
    proposal, _ = await proposals.propose(CENTRE, asked, "one")
    decision = Decision(digest=proposal.digest, purpose="y")
    with pytest.raises(refusal):
        await proposals.approve(BUS_OFFICE, proposal.proposal_id, decision)
    assert (await proposals.read(CENTRE, proposal.proposal_id)).status == "open"


async def built(web: Web) -> int:
    building, *_ = terminal_duties(web.city.engine, web.city.hsm, web.settings)
    return await building.run(web.clock.now)


async def test_packages_are_signed_before_anybody_asks_and_by_the_next_key_in_its_time(
    web: Web,
) -> None:
    """How: a terminal that pulls now and then; each package is believed by the one before."""
    watch, ring = KeyWatch(web.city), web.city.core._parts.codes.ring
    pinned = KeyRing(key for key in ring if KeyUse.PACKAGES in key.uses)
    everywhere = await built(web)
    assert everywhere == len(await signed_since(web)) > 1
    assert await built(web) == 0
    first = await pulled(web, pinned)
    await rotate(web, "packages", "ed25519")
    await watch.look()
    assert await built(web) == everywhere
    second = await pulled(web, first.keys)
    assert 3 in {key.kid for key in second.keys}
    web.clock.advance(seconds=PACKAGE_LIFE.total_seconds())
    await watch.look()
    assert await built(web) == everywhere
    third = await pulled(web, second.keys)
    with pytest.raises(DocumentError, match="kid 3 unknown"):
        open_package(third.container(), pinned, int(web.clock.now.timestamp()))


async def pulled(web: Web, believed: KeyRing) -> Any:  # noqa: ANN401  (a package)
    served = await web.city.core.terminal_package(VALIDATOR, held=None, has=frozenset())
    assert served.container is not None
    return open_package(served.container, believed, int(web.clock.now.timestamp()))


async def signed_since(web: Web, at: datetime | None = None) -> set[str]:
    """Scenes that have a package made at an instant, or at any."""
    async with web.city.engine.connect() as connection:
        table = terminal_package.c
        found = await connection.execute(
            select(table.scene).where(true() if at is None else table.made_at == at)
        )
    return set(found.scalars())


async def test_old_lists_are_signed_again_though_nothing_has_changed(web: Web) -> None:
    """Why: a bus may work with lists of two hours, a community's door with those of a day."""
    await built(web)
    web.clock.advance(hours=1)
    await built(web)
    after_an_hour = await signed_since(web, web.clock.now)
    assert "bus" in after_an_hour
    assert "community" not in after_an_hour
    web.clock.advance(hours=12)
    await built(web)
    assert await signed_since(web, web.clock.now) == await signed_since(web)


async def test_keys_that_end_are_told_of_two_months_before(web: Web) -> None:
    *_, watching = terminal_duties(web.city.engine, web.city.hsm, web.settings)
    assert await watching.run(web.clock.now) == 0
    later = web.clock.now + timedelta(days=345)
    assert await watching.run(later) == 3


async def test_the_register_of_keys_only_lets_them_sign_or_end_sooner(web: Web) -> None:
    for statement in (
        "UPDATE cardcore.issuer_key SET not_after = not_after + interval '1 day'",
        "UPDATE cardcore.issuer_key SET public_key = decode(repeat('00', 32), 'hex')",
        "DELETE FROM cardcore.issuer_key",
    ):
        with pytest.raises(psycopg.errors.RaiseException):
            async with web.city.pool.connection() as connection:
                await connection.execute(statement.encode())

"""From the loss report to the terminal: the package a terminal pulls next carries the card."""

from datetime import date

import pytest

from adapters.first_keys import ISSUER_ID
from cardcore.books import transaction
from cardcore.terminals.packages import Packages
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import CardReasonRequest, IssueCardRequest
from cardcore.user.card_taps import register_card_key
from cardcore.user.card_views import IssuedCardView
from codes.card_hash_list import CardHashList, read_card_hash_list
from codes.card_tap import CardSuite
from codes.status import Status
from codes.status_list import StatusList
from tests.city_life import CENTRE, Life
from tests.virtual_card import card_number


class Puller:
    """Builds what a bus terminal would get now."""

    def __init__(self, life: Life) -> None:
        parts = life.city.core._parts
        self._life = life
        self._packages = Packages(
            parts.codes, parts.package_signing, parts.terminal_scenes, parts.random_bytes
        )

    async def pull(self) -> tuple[StatusList, CardHashList | None]:
        # Packages look for changes now and then, not at every pull.
        self._life.clock.advance(minutes=10)
        now = self._life.clock.now
        async with transaction(self._life.city.engine) as (connection, raw):
            served = await self._packages.serve(
                connection,
                raw,
                scene="bus",
                held=None,
                has=frozenset(),
                now=now,
                on=date(2026, 6, 1),
            )
        package = served.package
        cards = package.blobs.get("cards")
        listed = None
        if cards is not None:
            listed = read_card_hash_list(cards, package.keys, int(now.timestamp()))
        return package.status_lists[ISSUER_ID], listed


async def issue(life: Life, kind: str) -> IssuedCardView:
    user_id = await life.person(balance_fen=0)
    request = IssueCardRequest.model_validate(
        {
            "number": card_number(next(life.numbers)),
            "kind": kind,
            "valid_from": "2026-01-01",
            "valid_to": "2026-12-31",
        }
    )
    view, _ = await life.city.core.issue_card(
        CENTRE, user_id, request, f"issue-{next(life.numbers)}"
    )
    return view


@pytest.fixture
async def legacy_key(life: Life) -> None:
    """The register knows a 3DES master key; no tap is made by it here."""
    async with life.city.engine.begin() as connection:
        await register_card_key(
            connection,
            issuer_id=ISSUER_ID,
            key_version=2,
            suite=CardSuite.TDES,
            label="legacy",
            now=life.clock.now,
        )


async def test_row_23_the_next_package_carries_the_lost_card_and_drops_the_found_one(
    life: Life, legacy_key: None
) -> None:
    cpu, legacy, good = [await issue(life, kind) for kind in ("cpu", "legacy", "cpu")]
    assert cpu.status_index is not None
    assert good.status_index is not None
    puller = Puller(life)
    statuses, hashes = await puller.pull()
    assert statuses.status(cpu.status_index) is Status.VALID
    assert hashes is None or not hashes.must_ask_online(legacy.tokens[0].token)

    async def change(card: IssuedCardView, verb: CardVerb) -> None:
        await life.city.core.change_card(
            CENTRE,
            card.card_id,
            verb,
            CardReasonRequest(reason="test"),
            f"{verb}-{card.card_id}",
        )

    await change(cpu, CardVerb.LOSE)
    await change(legacy, CardVerb.LOSE)
    statuses, hashes = await puller.pull()
    assert statuses.status(cpu.status_index) is Status.SUSPENDED
    assert statuses.status(good.status_index) is Status.VALID
    assert hashes is not None
    assert hashes.must_ask_online(legacy.tokens[0].token)
    assert not hashes.must_ask_online(good.tokens[0].token)

    await change(cpu, CardVerb.FIND)
    await change(legacy, CardVerb.CLOSE)
    statuses, hashes = await puller.pull()
    assert statuses.status(cpu.status_index) is Status.VALID
    assert hashes is not None
    assert hashes.must_ask_online(legacy.tokens[0].token)

"""Taps judged by security modules that hold another key, or do not answer."""

import secrets
from dataclasses import replace
from datetime import date

import pytest

from adapters.first_keys import ISSUER_ID
from cardcore.errors import (
    ServiceUnavailableError,
)
from cardcore.user.card_errors import (
    CardTapError,
)
from cardcore.user.card_taps import CardTaps, find_tap, register_card_key
from cardcore.user.card_vault import key_number
from codes.card_tap import CardSuite
from hsm_sim import card as hsm_card
from hsm_sim import key_block
from hsm_sim.ceremony import new_components
from hsm_sim.in_process import InProcessHSM
from hsm_sim.interface import (
    Algorithm,
    CardHSM,
    HSMError,
    HSMUnavailableError,
    KeyUnknownError,
    KeyUsage,
)
from hsm_sim.keys import BlockKey, load_key
from hsm_sim.session import Session
from hsm_sim.simulator import Simulator
from tests.cardcore.user.card_acts import BUS, issue, ride
from tests.city_life import VALIDATOR, Life


class BoxWithLegacyKey(InProcessHSM):
    """A box that got a 3DES master key in a ceremony; numbers lie in the city's own box."""

    def __init__(self, numbers: CardHSM, master: BlockKey) -> None:
        session = Session(Simulator.in_memory(), "test")
        super().__init__(session)
        self._numbers = numbers
        components = new_components(secrets.token_bytes)
        named = tuple(zip(("one", "two", "three"), components, strict=True))
        session.load_components("zmk", Algorithm.AES256, KeyUsage.TRANSPORT, named)
        whole = bytes(a ^ b ^ c for a, b, c in zip(*(one.value for one in components), strict=True))
        transport = load_key("zmk", Algorithm.AES256, KeyUsage.TRANSPORT, whole)
        assert isinstance(transport, BlockKey)
        sealed = key_block.seal(master, transport, secrets.token_bytes)
        session.import_key(master.info.label, sealed, transport="zmk")

    async def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        return await self._numbers.unwrap(label, wrapped, context=context)


async def test_a_legacy_card_is_read_by_its_3des_key(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    master = load_key("legacy", Algorithm.TDES, KeyUsage.CARD, bytes(range(16)))
    assert isinstance(master, BlockKey)
    taps = CardTaps(BoxWithLegacyKey(life.city.hsm, master))
    async with life.city.engine.begin() as connection:
        await register_card_key(
            connection,
            issuer_id=ISSUER_ID,
            key_version=2,
            suite=CardSuite.TDES,
            label="legacy",
            now=life.clock.now,
        )
    view, legacy = await issue(life, user_id, kind="legacy")
    sm4 = await legacy.tap(life.clock.now)
    unsigned = replace(sm4, suite=CardSuite.TDES, key_version=2)
    key = hsm_card.card_key(master, key_number(legacy.number))
    tap = replace(unsigned, tac=hsm_card.transaction_code(key, unsigned.tac_message))
    now, on = life.clock.now, date(2026, 6, 1)
    async with life.city.pool.connection() as connection:
        found = await find_tap(connection, tap.to_text())
        shown = await taps.judge(found, BUS, pays=True, at=now, on=on)
        assert (shown.user_id, shown.card_id) == (user_id, view.card_id)
        for forged in (sm4, unsigned, replace(tap, suite=CardSuite.SM4)):
            found = await find_tap(connection, forged.to_text())
            with pytest.raises(CardTapError):
                await taps.judge(found, BUS, pays=True, at=now, on=on)


class SilentBox(InProcessHSM):
    """A box that does not answer, or answers with a fault of its own."""

    def __init__(self, fault: HSMError) -> None:
        super().__init__(Session(Simulator.in_memory(), "test"))
        self._fault = fault

    async def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        raise self._fault


async def test_a_box_that_does_not_answer_is_no_refusal_of_the_card(life: Life) -> None:
    """Why: the same tap may be sent again; a card refused for our own fault would not be."""
    user_id = await life.person(balance_fen=0)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now)
    cases: list[tuple[HSMError, type[Exception]]] = [
        (HSMUnavailableError(), ServiceUnavailableError),
        (KeyUnknownError(), KeyUnknownError),
    ]
    for fault, answer in cases:
        async with life.city.pool.connection() as connection:
            found = await find_tap(connection, tap.to_text())
        with pytest.raises(answer):
            await CardTaps(SilentBox(fault)).judge(
                found, BUS, pays=True, at=life.clock.now, on=date(2026, 6, 1)
            )


async def test_a_box_away_is_told_to_the_terminal_as_a_service_away(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    core = life.city.core
    core._taps = CardTaps(SilentBox(HSMUnavailableError()))
    request = ride(life, await card.tap(life.clock.now))
    with pytest.raises(ServiceUnavailableError):
        await core.order(VALIDATOR, request, "key")
    core._taps = CardTaps(life.city.hsm)
    _, replayed = await core.order(VALIDATOR, request, "key")
    assert not replayed

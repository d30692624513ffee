"""A card as a terminal sees it: keeps its counter, makes TACs with its own key."""

import itertools
from dataclasses import dataclass, replace
from datetime import datetime

from stdnum import luhn

from adapters import demo_city
from adapters.first_keys import CARD_KEY, CARD_KEY_VERSION, ISSUER_ID
from codes.card_tap import CardSuite, CardTap, TapKind, terminal_digest
from hsm_sim.interface import CardHSM

_TAP_NUMBERS = itertools.count(1)


def card_number(order: int, prefix: str = "370406") -> str:
    """A synthetic 16-digit card number with a right check digit."""
    body = f"{prefix}{order:09d}"
    return body + luhn.calc_check_digit(body)


@dataclass
class VirtualCard:
    """A CPU card. Its key is diversified inside the security module, as at a card's maker."""

    hsm: CardHSM
    number: str
    token: bytes
    counter: int = 0
    label: str = CARD_KEY

    async def tap(
        self,
        at: datetime,
        *,
        amount_fen: int = 200,
        terminal_id: str = demo_city.BUS_TERMINAL,
        token: bytes | None = None,
        key_number: str | None = None,
    ) -> CardTap:
        """One transaction at a terminal; an amount of 0 only identifies."""
        self.counter += 1
        unsigned = CardTap(
            suite=CardSuite.SM4,
            issuer_id=ISSUER_ID,
            key_version=CARD_KEY_VERSION,
            token=self.token if token is None else token,
            amount_fen=amount_fen,
            kind=TapKind.PURCHASE if amount_fen else TapKind.IDENTITY,
            terminal=terminal_digest(terminal_id),
            transaction_no=next(_TAP_NUMBERS),
            made_at_s=int(at.timestamp()),
            counter=self.counter,
            tac=bytes(4),
        )
        card_no = bytes.fromhex((key_number or self.number)[-16:])
        tac = await self.hsm.tac(self.label, unsigned.tac_message, card_no=card_no)
        return replace(unsigned, tac=tac)

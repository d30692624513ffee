"""Card numbers: which are good, how they are kept, found and shown.

A number is in clear only in the request that brings it and inside the call that checks a tap. The
table has it sealed by the security module, bound to its card, and a keyed hash to find it by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from stdnum import luhn

from cardcore.user.card_errors import CardNumberError
from cardcore.user.card_tables import card_format
from hsm_sim.interface import HSM

NUMBER_WRAPPING_KEY: Final = "card-number-wrap"
NUMBER_INDEX_KEY: Final = "card-number-index"
_KEY_DIGITS: Final = 16
_SHOWN_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFormat:
    """One range of numbers: its issuer, its digits, its check (``luhn`` or ``none``)."""

    prefix: str
    issuer_id: int
    digit_count: int
    check_digit: str


def format_of(number: str, formats: Sequence[CardFormat]) -> CardFormat:
    """The range ``number`` belongs to; the longest prefix decides.

    Raises:
        CardNumberError: no range, another length, or a wrong check digit. The number itself is
            never in the message.

    Source:
        ISO/IEC 7812-1 annex B (Luhn) for the check digit; the ranges are data.
    """
    found = max(
        (one for one in formats if number.startswith(one.prefix)),
        key=lambda one: len(one.prefix),
        default=None,
    )
    if found is None:
        raise CardNumberError("no issuer gives out such numbers", field="number")
    if len(number) != found.digit_count:
        raise CardNumberError(f"the number has {found.digit_count} digits", field="number")
    if found.check_digit == "luhn" and not luhn.is_valid(number):
        raise CardNumberError("the check digit does not match", field="number")
    return found


def mask_number(number: str) -> str:
    """The first and the last four digits, stars between."""
    hidden = len(number) - 2 * _SHOWN_DIGITS
    return number[:_SHOWN_DIGITS] + "*" * hidden + number[-_SHOWN_DIGITS:]


def key_number(number: str) -> bytes:
    """What a card's key is made from: its last 16 digits, two to a byte."""
    return bytes.fromhex(number[-_KEY_DIGITS:])


async def read_formats(connection: AsyncConnection) -> list[CardFormat]:
    """All ranges."""
    rows = await connection.execute(select(card_format))
    return [
        CardFormat(
            prefix=row.prefix,
            issuer_id=row.issuer_id,
            digit_count=row.digit_count,
            check_digit=row.check_digit,
        )
        for row in rows
    ]


class CardVault:
    """Seals and finds numbers with keys in the security module."""

    def __init__(self, hsm: HSM) -> None:
        self._hsm = hsm

    async def index(self, number: str) -> bytes:
        """Blind index of a number: the same number, the same 32 bytes."""
        return await self._hsm.mac(NUMBER_INDEX_KEY, b"card_no\0" + number.encode())

    async def seal(self, card_id: UUID, number: str) -> bytes:
        """The number as the table keeps it; it opens for this card alone."""
        return await self._hsm.wrap(NUMBER_WRAPPING_KEY, number.encode(), context=card_id.bytes)

    async def open(self, card_id: UUID, number_sealed: bytes) -> str:
        """The number in clear, for the one call that needs it."""
        opened = await self._hsm.unwrap(NUMBER_WRAPPING_KEY, number_sealed, context=card_id.bytes)
        return opened.decode()

"""The evidence of a card tap: what a card says of one transaction, under a code by its own key.

A tap stands in a validator's record where a scanned code would stand, and goes to the server in an
order just so. It names the card by a token, never by its number. The key of one card is made from
the issuer's master key by card number inside the security module, so only the issuer can check the
transaction code (TAC); everything else is checked here. Source: docs/validator-record.md.

| off | len | field |
|---|---|---|
| 0 | 1 | 0x19: version 1, type 9 |
| 1 | 1 | suite of the card: 1 SM4, 2 3DES (only read) |
| 2 | 2 | issuer id |
| 4 | 1 | version of the issuer's master key |
| 5 | 8 | token, random |
| 13 | 4 | amount, fen; 0 exactly when the kind is 0 |
| 17 | 1 | kind: 0 identity, 6 purchase, 9 composite purchase |
| 18 | 6 | terminal: first 6 bytes of SHA-256 of its id |
| 24 | 4 | terminal transaction number, from 1 |
| 28 | 7 | date and time as the card takes them: BCD YYYYMMDDhhmmss, UTC+8 |
| 35 | 2 | card counter, from 1, never twice |
| 37 | 4 | TAC over [13..37) |

Kinds and the order of the fields under the TAC follow the electronic purse of JR/T 0025 as
deployed, with the card's counter appended; the standard's own text was not available.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from struct import Struct
from typing import Final

from codes.errors import (
    ClockSkewError,
    CodeExpiredError,
    CodeMalformedError,
    ContextMismatchError,
    PurposeNotAllowedError,
)
from codes.replay import ReplayIdentity

FIRST_BYTE: Final = 0x19
TAC_SIZE: Final = 4
TERMINAL_SIZE: Final = 6
TOKEN_SIZE: Final = 8
COUNTER_MAX: Final = 0xFFFF
_HEAD: Final = Struct(">BBHB8s")
_BODY: Final = Struct(">IB6sI7sH")
TAP_SIZE: Final = _HEAD.size + _BODY.size + TAC_SIZE
_TEXT_SIZE: Final = -(-TAP_SIZE * 4 // 3)
_TEXT: Final = re.compile(rf"[A-Za-z0-9_-]{{{_TEXT_SIZE}}}", re.ASCII)
_U32_MAX: Final = 0xFFFFFFFF
# One time and no summer time since 1991: a fixed offset, not a table that may change.
CARD_ZONE: Final = timezone(timedelta(hours=8))
_CENTURY: Final = range(2000, 2100)


class CardSuite(IntEnum):
    """The cipher of the card's key."""

    SM4 = 1
    TDES = 2


class TapKind(IntEnum):
    """What the card was asked for. A composite purchase is one of tap-on and tap-off."""

    IDENTITY = 0
    PURCHASE = 6
    COMPOSITE_PURCHASE = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTap:
    """One tap; see the table. ``made_at_s`` is Unix seconds by the terminal's clock.

    Raises ``CodeMalformedError`` when a field does not fit the table.
    """

    suite: CardSuite
    issuer_id: int
    key_version: int
    token: bytes
    amount_fen: int
    kind: TapKind
    terminal: bytes
    transaction_no: int
    made_at_s: int
    counter: int
    tac: bytes

    def __post_init__(self) -> None:
        sizes = (len(self.token), len(self.terminal), len(self.tac))
        if sizes != (TOKEN_SIZE, TERMINAL_SIZE, TAC_SIZE):
            raise CodeMalformedError("token, terminal or TAC of another size")
        if not (0 <= self.issuer_id <= 0xFFFF and 0 <= self.key_version <= 0xFF):
            raise CodeMalformedError("issuer or key version out of range")
        if not (0 <= self.amount_fen <= _U32_MAX and 0 < self.transaction_no <= _U32_MAX):
            raise CodeMalformedError("amount or transaction number out of range")
        if not 0 < self.counter <= COUNTER_MAX:
            raise CodeMalformedError("card counter out of range")
        if (self.kind is TapKind.IDENTITY) != (self.amount_fen == 0):
            raise CodeMalformedError("exactly an identity tap has no amount")
        if datetime.fromtimestamp(self.made_at_s, CARD_ZONE).year not in _CENTURY:
            raise CodeMalformedError("instant out of range")

    @property
    def tac_message(self) -> bytes:
        """The bytes under the TAC."""
        local = datetime.fromtimestamp(self.made_at_s, CARD_ZONE)
        return _BODY.pack(
            self.amount_fen,
            self.kind,
            self.terminal,
            self.transaction_no,
            bytes.fromhex(local.strftime("%Y%m%d%H%M%S")),
            self.counter,
        )

    def to_bytes(self) -> bytes:
        """The 41 bytes of the table."""
        head = _HEAD.pack(FIRST_BYTE, self.suite, self.issuer_id, self.key_version, self.token)
        return head + self.tac_message + self.tac

    def to_text(self) -> str:
        """base64url without padding, 55 characters: how an order carries it."""
        return base64.urlsafe_b64encode(self.to_bytes()).rstrip(b"=").decode()

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes, the evidence kept with an order."""
        return hashlib.sha256(self.to_bytes()).digest()

    @property
    def identity(self) -> ReplayIdentity:
        """What makes two taps the same: ``T``, issuer, token, counter.

        A card may have several tokens; who can tell them (the issuer) puts the card in its place.
        """
        key = b"T" + self.issuer_id.to_bytes(2, "big") + self.token
        key += self.counter.to_bytes(2, "big")
        return ReplayIdentity(key, self.issuer_id, self.token, self.counter)


def terminal_digest(terminal_id: str) -> bytes:
    """How a tap names a terminal: 6 bytes, as the card takes a terminal number."""
    return hashlib.sha256(terminal_id.encode()).digest()[:TERMINAL_SIZE]


def read_tap(data: bytes) -> CardTap:
    """The tap in ``data``, its form checked, its TAC not. One tap has one form.

    Raises:
        CodeMalformedError: anything that is not a tap in canonical form.
    """
    if len(data) != TAP_SIZE or data[0] != FIRST_BYTE:
        raise CodeMalformedError("unknown version or wrong length")
    _, suite, issuer_id, key_version, token = _HEAD.unpack_from(data)
    amount_fen, kind, terminal, transaction_no, moment, counter = _BODY.unpack_from(
        data, _HEAD.size
    )
    try:
        return CardTap(
            suite=CardSuite(suite),
            issuer_id=issuer_id,
            key_version=key_version,
            token=token,
            amount_fen=amount_fen,
            kind=TapKind(kind),
            terminal=terminal,
            transaction_no=transaction_no,
            made_at_s=_read_moment(moment.hex()),
            counter=counter,
            tac=data[-TAC_SIZE:],
        )
    except ValueError as error:
        raise CodeMalformedError(str(error)) from None


def _read_moment(digits: str) -> int:
    if not digits.isdecimal():
        raise CodeMalformedError("date and time are decimal digits")
    year, *rest = (int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2)))
    month, day, hour, minute, second = rest
    return int(datetime(year, month, day, hour, minute, second, tzinfo=CARD_ZONE).timestamp())


def decode_tap(text: str) -> CardTap:
    """The tap in ``text`` (see ``to_text``). Raises ``CodeMalformedError``."""
    if not _TEXT.fullmatch(text):
        raise CodeMalformedError("not the text of a tap")
    tap = read_tap(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    # The last character carries bits that no byte needs: only one of its values is canonical.
    if tap.to_text() != text:
        raise CodeMalformedError("not in canonical form")
    return tap


@dataclass(frozen=True, slots=True, kw_only=True)
class TapPolicy:
    """How far the terminal's clock in a tap may be from now, both ways, in seconds."""

    age_s_max: int = 300
    ahead_s_max: int = 30


def check_tap(
    tap: CardTap, *, terminal_id: str, pays: bool, now_s: int, policy: TapPolicy | None = None
) -> None:
    """What can be checked without a key: is it of this terminal, of now, and for this purpose?

    Raises:
        ContextMismatchError: made at another terminal.
        PurposeNotAllowedError: it is to pay and names no amount.
        ClockSkewError, CodeExpiredError: made in the future, or too long ago.
    """
    policy = policy or TapPolicy()
    if tap.terminal != terminal_digest(terminal_id):
        raise ContextMismatchError("tapped at another terminal")
    if pays and tap.kind is TapKind.IDENTITY:
        raise PurposeNotAllowedError("an identity tap pays nothing")
    if tap.made_at_s > now_s + policy.ahead_s_max:
        raise ClockSkewError(f"made {tap.made_at_s - now_s} s ahead")
    if now_s > tap.made_at_s + policy.age_s_max:
        raise CodeExpiredError(f"made {now_s - tap.made_at_s} s ago")

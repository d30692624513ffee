"""The vectors of ``taps.json``: card taps in both suites, and what must be refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from codes.card_tap import CardSuite, CardTap, TapKind, terminal_digest
from hsm_sim import card
from hsm_sim.interface import Algorithm, KeyUsage
from hsm_sim.keys import BlockKey, load_key
from tests.vectors.vector_keys import ISSUER_ID, NOW_S

CARD_NO: Final = bytes.fromhex("3704060000012345")
# Public on purpose, good for nothing else.
MASTER_KEYS: Final = {
    CardSuite.SM4: bytes.fromhex("0123456789abcdeffedcba9876543210"),
    CardSuite.TDES: bytes(range(16)),
}
_ALGORITHM: Final = {CardSuite.SM4: Algorithm.SM4, CardSuite.TDES: Algorithm.TDES}
# Issuer, key version and token stand outside the TAC: they choose the key and name the card.
_GUARDED: Final = {
    "suite": 1,
    "amount": 16,
    "kind": 17,
    "terminal": 20,
    "transaction number": 27,
    "minute": 33,
    "counter": 36,
    "TAC": 40,
}


def block_key(suite: CardSuite, secret: bytes) -> BlockKey:
    """A master key as the security module holds it."""
    key = load_key("vector", _ALGORITHM[suite], KeyUsage.CARD, secret)
    assert isinstance(key, BlockKey)
    return key


def make_tap(suite: CardSuite = CardSuite.SM4, **changes: Any) -> CardTap:  # noqa: ANN401  (any field)
    """A purchase of 2 yuan on a bus, with its TAC."""
    fields: dict[str, Any] = {
        "suite": suite,
        "issuer_id": ISSUER_ID,
        "key_version": 1,
        "token": bytes(range(8)),
        "amount_fen": 200,
        "kind": TapKind.PURCHASE,
        "terminal": terminal_digest("bus-4711"),
        "transaction_no": 4711,
        "made_at_s": NOW_S,
        "counter": 17,
        "tac": bytes(4),
    }
    tap = CardTap(**fields | changes)
    key = card.card_key(block_key(suite, MASTER_KEYS[suite]), CARD_NO)
    return replace(tap, tac=card.transaction_code(key, tap.tac_message))


def _cases(suite: CardSuite) -> Iterator[tuple[str, bytes, bytes, bool]]:
    good = make_tap(suite).to_bytes()
    yield "purchase", good, CARD_NO, True
    identity = make_tap(suite, kind=TapKind.IDENTITY, amount_fen=0)
    yield "identity", identity.to_bytes(), CARD_NO, True
    composite = make_tap(suite, kind=TapKind.COMPOSITE_PURCHASE, counter=0xFFFF)
    yield "composite purchase, last counter", composite.to_bytes(), CARD_NO, True
    yield "another card's key", good, CARD_NO[:-1] + b"\x46", False
    yield "cut off", good[:-1], CARD_NO, False
    yield "one byte more", good + b"\0", CARD_NO, False
    yield "unknown version", b"\x29" + good[1:], CARD_NO, False
    yield "purchase of nothing", good[:13] + bytes(4) + good[17:], CARD_NO, False
    yield "minute 60", good[:33] + b"\x60" + good[34:], CARD_NO, False
    for name, place in _GUARDED.items():
        changed = bytearray(good)
        changed[place] ^= 0x01
        yield f"bit flipped in {name}", bytes(changed), CARD_NO, False


def tap_vectors() -> dict[str, Any]:
    """The document of ``taps.json``."""
    return {
        "taps": [
            {
                "note": f"{suite.name} {note}",
                "suite": int(suite),
                "master_key": MASTER_KEYS[suite].hex(),
                "card_no": card_no.hex(),
                "tap": tap.hex(),
                "valid": valid,
            }
            for suite in CardSuite
            for note, tap, card_no, valid in _cases(suite)
        ]
    }

"""What stands in a code: the words of its fields, their limits, and the rules between them.

The tables of docs/codes.md. ``codes.layout`` holds the values these rules guard, and acceptance
calls the same rules on raw bytes. Pure.
"""

from enum import IntEnum, IntFlag
from struct import Struct
from typing import Final

from codes.errors import CodeMalformedError
from codes.suites import DEVICE_SUITES, ISSUER_ONLY_SUITES, PUBLIC_KEY_SIZE, Algorithm

VERSION: Final = 1
CAP_UNIT_FEN: Final = 10
SCOPE_KNOWN_MAX: Final = 0x01FF
TTL_S_PAY_UNBOUND_MAX: Final = 30
VALIDITY_MIN_MAX: Final = 10_080
DYNAMIC_TTL_S_MIN: Final = 15
DYNAMIC_TTL_S_MAX: Final = 60
CONTEXT_NONE: Final = bytes(4)
COMPANIONS_MAX: Final = 0x0F

TAG_S: Final = b"CC1-S"
TAG_AUTHORISATION: Final = b"CC1-A"
TAG_D: Final = b"CC1-D"
TAG_P: Final = b"CC1-P"


class Scope(IntFlag):
    """Scenes a code may be used in: the scope bitmap."""

    BUS = 1 << 0
    HOSPITAL = 1 << 1
    SCENIC = 1 << 2
    SCHOOL = 1 << 3
    COMMUNITY = 1 << 4
    PARKING = 1 << 5
    VENUE = 1 << 6
    SERVICE_WINDOW = 1 << 7
    RETAIL = 1 << 8


class Purpose(IntFlag):
    """What a code may be used for: low three bits of the tariff byte."""

    IDENTITY = 1
    PAY = 2
    ONLINE_REQUIRED = 4


class FlagS(IntFlag):
    """High bits of the class S flags byte; the low four count companions."""

    USER_VERIFIED = 0x80
    MINOR = 0x40
    GUARDIAN = 0x20


class FlagD(IntFlag):
    """High bits of the class D flags byte; the low four count companions."""

    USER_VERIFIED = 0x80
    SCREEN_SECURE = 0x40
    PHONE_OFFLINE = 0x20


class FlagP(IntFlag):
    """Bits of the class P flags byte."""

    PHOTO_CHECK = 0x80
    PIN_REQUIRED = 0x40
    MINOR = 0x20


class CodeClass(IntEnum):
    """Low nibble of the first byte."""

    S = 1
    D = 2
    P = 3


_PAY: Final = Purpose.PAY.value
U8_MAX: Final = 0xFF
U16_MAX: Final = 0xFFFF
U24_MAX: Final = 0xFFFFFF
U32_MAX: Final = 0xFFFFFFFF
_FLAGS_PRINTED: Final = frozenset(range(0, 0x100, 0x20))
_FLAGS_WITH_COMPANIONS: Final = frozenset(
    flags | companions for flags in _FLAGS_PRINTED for companions in range(COMPANIONS_MAX + 1)
)
DEVICE_KEY_SIZE: Final = {
    suite: PUBLIC_KEY_SIZE[Algorithm(suite & 0x0F)] for suite in DEVICE_SUITES
}
S_BODY: Final = Struct(">BBHB8sHBIHHH8s4sBB")
D_HEAD: Final = Struct(">BBHB8sIHBIHHHBB")
P_BODY: Final = Struct(">BBHB8sIHBIHHBB")


def check_form_s(
    *, suite: int, scope: int, purpose: int, ttl_s: int, context: bytes, flags: int
) -> None:
    """The rules of the class S table beyond field sizes. Raises ``CodeMalformedError``."""
    if suite not in ISSUER_ONLY_SUITES:
        raise CodeMalformedError("suite not legal for class S")
    if not 0 <= scope <= SCOPE_KNOWN_MAX:
        raise CodeMalformedError("reserved scope bit")
    if flags not in _FLAGS_WITH_COMPANIONS:
        raise CodeMalformedError("reserved flag")
    if ttl_s == 0:
        raise CodeMalformedError("time to live is zero")
    if ttl_s > TTL_S_PAY_UNBOUND_MAX and purpose & _PAY and context == CONTEXT_NONE:
        raise CodeMalformedError("a paying code without context lives at most 30 s")


def check_form_authorisation(
    *, suite: int, scope: int, validity_min: int, dynamic_ttl_s: int, device_key_size: int
) -> None:
    """The rules of the authorisation table beyond field sizes. Raises ``CodeMalformedError``."""
    if DEVICE_KEY_SIZE.get(suite) != device_key_size:
        raise CodeMalformedError("suite not legal for class D, or device key of another size")
    if not 0 <= scope <= SCOPE_KNOWN_MAX:
        raise CodeMalformedError("reserved scope bit")
    if not 0 < validity_min <= VALIDITY_MIN_MAX:
        raise CodeMalformedError("validity out of range")
    if not DYNAMIC_TTL_S_MIN <= dynamic_ttl_s <= DYNAMIC_TTL_S_MAX:
        raise CodeMalformedError("dynamic time to live out of range")


def check_flags_d(flags: int) -> None:
    """Reserved bits of the class D flags. Raises ``CodeMalformedError``."""
    if flags not in _FLAGS_WITH_COMPANIONS:
        raise CodeMalformedError("reserved flag")


def check_form_p(*, suite: int, scope: int, validity_days: int, flags: int) -> None:
    """The rules of the class P table beyond field sizes. Raises ``CodeMalformedError``."""
    if suite not in ISSUER_ONLY_SUITES:
        raise CodeMalformedError("suite not legal for class P")
    if not 0 <= scope <= SCOPE_KNOWN_MAX:
        raise CodeMalformedError("reserved scope bit")
    if validity_days == 0:
        raise CodeMalformedError("validity out of range")
    if flags not in _FLAGS_PRINTED:
        raise CodeMalformedError("reserved flag")

"""The three classes of code as values, and the bytes of each.

The tables of docs/codes.md, field by field; integers are big-endian. A value that breaks a rule of
its table cannot be made. The way back from bytes and text is ``codes.text_form``; signatures are
checked in ``codes.acceptance``. Pure: no clock, no keys.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import ClassVar, Final

from codes.errors import CodeMalformedError
from codes.suites import (
    DEVICE_SUITES,
    ISSUER_ONLY_SUITES,
    PUBLIC_KEY_SIZE,
    SIGNATURE_SIZE,
    Algorithm,
)

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


_U8_MAX: Final = 0xFF
_U16_MAX: Final = 0xFFFF
_U24_MAX: Final = 0xFFFFFF
_U32_MAX: Final = 0xFFFFFFFF
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassS:
    """A code issued by the server while the phone is online: 104 bytes.

    ``issued_at_s`` is Unix seconds UTC, ``ttl_s`` the life in seconds, ``cap_10fen`` the single-use
    cap in units of 10 fen (0: may not pay), ``domain`` the only merchant or domain (0: any).
    """

    code_class: ClassVar[CodeClass] = CodeClass.S

    suite: int
    issuer_id: int
    kid: int
    token: bytes
    scope: int
    tariff_class: int
    purpose: int
    issued_at_s: int
    ttl_s: int
    cap_10fen: int
    domain: int
    jti: bytes
    context: bytes
    flags: int
    signature: bytes

    def __post_init__(self) -> None:
        if self.suite not in ISSUER_ONLY_SUITES:
            raise CodeMalformedError("suite not legal for class S")
        _check_shared(self)
        if not (
            0 <= self.issued_at_s <= _U32_MAX
            and 0 < self.ttl_s <= _U16_MAX
            and 0 <= self.domain <= _U16_MAX
            and len(self.jti) == 8
            and len(self.context) == 4
        ):
            raise CodeMalformedError("class S field out of range")
        if self.flags not in _FLAGS_WITH_COMPANIONS:
            raise CodeMalformedError("reserved flag")
        if (
            self.ttl_s > TTL_S_PAY_UNBOUND_MAX
            and self.purpose & Purpose.PAY.value
            and self.context == CONTEXT_NONE
        ):
            raise CodeMalformedError("a paying code without context lives at most 30 s")

    @property
    def issuer_algorithm(self) -> Algorithm:
        """Algorithm of the issuer's signature."""
        return Algorithm(self.suite >> 4)

    @property
    def signed_part(self) -> bytes:
        """What the issuer signs, without the tag."""
        return S_BODY.pack(
            VERSION << 4 | CodeClass.S,
            self.suite,
            self.issuer_id,
            self.kid,
            self.token,
            self.scope,
            self.tariff_class << 3 | self.purpose,
            self.issued_at_s,
            self.ttl_s,
            self.cap_10fen,
            self.domain,
            self.jti,
            self.context,
            self.flags,
            0,
        )

    def to_bytes(self) -> bytes:
        """The 104 bytes."""
        return self.signed_part + self.signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """What the issuer allows a phone to do offline: the fixed part of a class D code.

    ``validity_min`` in minutes after ``authorised_at_s``; caps in units of 10 fen; ``uses_max`` the
    most offline uses; ``dynamic_ttl_s`` the life of each code; ``device_key`` raw public key.
    """

    suite: int
    issuer_id: int
    kid: int
    token: bytes
    status_index: int
    scope: int
    tariff_class: int
    purpose: int
    authorised_at_s: int
    validity_min: int
    cap_10fen: int
    cumulative_cap_10fen: int
    uses_max: int
    dynamic_ttl_s: int
    device_key: bytes
    signature: bytes

    def __post_init__(self) -> None:
        if self.suite not in DEVICE_SUITES:
            raise CodeMalformedError("suite not legal for class D")
        _check_shared(self)
        if not (
            0 <= self.status_index <= _U32_MAX
            and 0 <= self.authorised_at_s <= _U32_MAX
            and 0 <= self.cumulative_cap_10fen <= _U16_MAX
            and 0 <= self.uses_max <= _U8_MAX
            and len(self.device_key) == DEVICE_KEY_SIZE[self.suite]
        ):
            raise CodeMalformedError("authorisation field out of range")
        if not 0 < self.validity_min <= VALIDITY_MIN_MAX:
            raise CodeMalformedError("validity out of range")
        if not DYNAMIC_TTL_S_MIN <= self.dynamic_ttl_s <= DYNAMIC_TTL_S_MAX:
            raise CodeMalformedError("dynamic time to live out of range")

    @property
    def issuer_algorithm(self) -> Algorithm:
        """Algorithm of the issuer's signature."""
        return Algorithm(self.suite >> 4)

    @property
    def device_algorithm(self) -> Algorithm:
        """Algorithm of the phone's signature."""
        return Algorithm(self.suite & 0x0F)

    @property
    def signed_part(self) -> bytes:
        """What the issuer signs, without the tag."""
        head = D_HEAD.pack(
            VERSION << 4 | CodeClass.D,
            self.suite,
            self.issuer_id,
            self.kid,
            self.token,
            self.status_index,
            self.scope,
            self.tariff_class << 3 | self.purpose,
            self.authorised_at_s,
            self.validity_min,
            self.cap_10fen,
            self.cumulative_cap_10fen,
            self.uses_max,
            self.dynamic_ttl_s,
        )
        return head + self.device_key

    def to_bytes(self) -> bytes:
        """The 129 bytes (128 with an Ed25519 device key)."""
        return self.signed_part + self.signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassD:
    """A code made by the phone alone: 204 bytes (203 with an Ed25519 device key).

    ``made_after_s`` is seconds after ``authorisation.authorised_at_s``; ``counter`` rises strictly
    for each device key.
    """

    code_class: ClassVar[CodeClass] = CodeClass.D

    authorisation: Authorisation
    made_after_s: int
    counter: int
    context: bytes
    flags: int
    signature: bytes

    def __post_init__(self) -> None:
        if not (
            0 <= self.made_after_s <= _U24_MAX
            and 0 <= self.counter <= _U24_MAX
            and len(self.context) == 4
            and len(self.signature) == SIGNATURE_SIZE
        ):
            raise CodeMalformedError("class D field out of range")
        if self.flags not in _FLAGS_WITH_COMPANIONS:
            raise CodeMalformedError("reserved flag")

    @property
    def suite(self) -> int:
        """The suite byte."""
        return self.authorisation.suite

    @property
    def issuer_id(self) -> int:
        """Who authorised."""
        return self.authorisation.issuer_id

    @property
    def kid(self) -> int:
        """Which of the issuer's keys."""
        return self.authorisation.kid

    @property
    def token(self) -> bytes:
        """Random alias of this authorisation."""
        return self.authorisation.token

    @property
    def made_at_s(self) -> int:
        """When the phone made it by its own clock, Unix seconds UTC."""
        return self.authorisation.authorised_at_s + self.made_after_s

    @property
    def signed_part(self) -> bytes:
        """What the phone signs, without the tag."""
        return (
            self.authorisation.to_bytes()
            + self.made_after_s.to_bytes(3, "big")
            + self.counter.to_bytes(3, "big")
            + self.context
            + bytes((self.flags,))
        )

    def to_bytes(self) -> bytes:
        """The 204 or 203 bytes."""
        return self.signed_part + self.signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassP:
    """A printed code: 94 bytes. ``validity_days`` after ``issued_at_s``; cap 0: identity only."""

    code_class: ClassVar[CodeClass] = CodeClass.P

    suite: int
    issuer_id: int
    kid: int
    token: bytes
    status_index: int
    scope: int
    tariff_class: int
    purpose: int
    issued_at_s: int
    validity_days: int
    cap_10fen: int
    flags: int
    signature: bytes

    def __post_init__(self) -> None:
        if self.suite not in ISSUER_ONLY_SUITES:
            raise CodeMalformedError("suite not legal for class P")
        _check_shared(self)
        if not (
            0 <= self.status_index <= _U32_MAX
            and 0 <= self.issued_at_s <= _U32_MAX
            and 0 < self.validity_days <= _U16_MAX
        ):
            raise CodeMalformedError("class P field out of range")
        if self.flags not in _FLAGS_PRINTED:
            raise CodeMalformedError("reserved flag")

    @property
    def issuer_algorithm(self) -> Algorithm:
        """Algorithm of the issuer's signature."""
        return Algorithm(self.suite >> 4)

    @property
    def signed_part(self) -> bytes:
        """What the issuer signs, without the tag."""
        return P_BODY.pack(
            VERSION << 4 | CodeClass.P,
            self.suite,
            self.issuer_id,
            self.kid,
            self.token,
            self.status_index,
            self.scope,
            self.tariff_class << 3 | self.purpose,
            self.issued_at_s,
            self.validity_days,
            self.cap_10fen,
            self.flags,
            0,
        )

    def to_bytes(self) -> bytes:
        """The 94 bytes."""
        return self.signed_part + self.signature


Code = ClassS | ClassD | ClassP


def _check_shared(code: ClassS | Authorisation | ClassP) -> None:
    """The fields all three tables have in common."""
    if not (
        0 <= code.issuer_id <= _U16_MAX
        and 0 <= code.kid <= _U8_MAX
        and len(code.token) == 8
        and 0 <= code.tariff_class < 32
        and 0 <= code.purpose < 8
        and 0 <= code.cap_10fen <= _U16_MAX
        and len(code.signature) == SIGNATURE_SIZE
    ):
        raise CodeMalformedError("field out of range")
    if not 0 <= code.scope <= SCOPE_KNOWN_MAX:
        raise CodeMalformedError("reserved scope bit")

"""The three classes of code as values, and the bytes of each.

The tables of docs/codes.md, field by field; integers are big-endian. A value that breaks a rule of
its table cannot be made. The way back from bytes and text is ``codes.text_form``; signatures are
checked in ``codes.acceptance``. Pure: no clock, no keys.
"""

from dataclasses import dataclass
from typing import ClassVar

from codes.errors import CodeMalformedError
from codes.fields import (
    D_HEAD,
    P_BODY,
    S_BODY,
    U8_MAX,
    U16_MAX,
    U24_MAX,
    U32_MAX,
    VERSION,
    CodeClass,
    check_flags_d,
    check_form_authorisation,
    check_form_p,
    check_form_s,
)
from codes.suites import SIGNATURE_SIZE, Algorithm


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
        _check_shared(self)
        if not (
            0 <= self.issued_at_s <= U32_MAX
            and 0 <= self.ttl_s <= U16_MAX
            and 0 <= self.domain <= U16_MAX
            and len(self.jti) == 8
            and len(self.context) == 4
        ):
            raise CodeMalformedError("class S field out of range")
        check_form_s(
            suite=self.suite,
            scope=self.scope,
            purpose=self.purpose,
            ttl_s=self.ttl_s,
            context=self.context,
            flags=self.flags,
        )

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
        _check_shared(self)
        if not (
            0 <= self.status_index <= U32_MAX
            and 0 <= self.authorised_at_s <= U32_MAX
            and 0 <= self.cumulative_cap_10fen <= U16_MAX
            and 0 <= self.uses_max <= U8_MAX
        ):
            raise CodeMalformedError("authorisation field out of range")
        check_form_authorisation(
            suite=self.suite,
            scope=self.scope,
            validity_min=self.validity_min,
            dynamic_ttl_s=self.dynamic_ttl_s,
            device_key_size=len(self.device_key),
        )

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
            0 <= self.made_after_s <= U24_MAX
            and 0 <= self.counter <= U24_MAX
            and len(self.context) == 4
            and len(self.signature) == SIGNATURE_SIZE
        ):
            raise CodeMalformedError("class D field out of range")
        check_flags_d(self.flags)

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
        _check_shared(self)
        if not (
            0 <= self.status_index <= U32_MAX
            and 0 <= self.issued_at_s <= U32_MAX
            and 0 <= self.validity_days <= U16_MAX
        ):
            raise CodeMalformedError("class P field out of range")
        check_form_p(
            suite=self.suite,
            scope=self.scope,
            validity_days=self.validity_days,
            flags=self.flags,
        )

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
        0 <= code.issuer_id <= U16_MAX
        and 0 <= code.kid <= U8_MAX
        and len(code.token) == 8
        and 0 <= code.tariff_class < 32
        and 0 <= code.purpose < 8
        and 0 <= code.cap_10fen <= U16_MAX
        and len(code.signature) == SIGNATURE_SIZE
    ):
        raise CodeMalformedError("field out of range")

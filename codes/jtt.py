"""The ride code of the Ministry of Transport's family (JT/T 1179), as deployed: read, judge, write.

So that existing validators can read our citizens and ours can read other cities' codes. The layout
was recovered from a deployed sample whose two SM2 signatures verify; the standard's own text was
not at hand, hence "as deployed". Its weaknesses stay on its side of this module: the account number
is in clear, there is no counter, a code lives up to ten minutes. What we do about them: instants
are Unix seconds and nothing is guessed, an issuer is believed by a configured root key and never by
what its own certificate says, and replay identity is (issuer, account, generated at) and not the
bytes. What we cannot tell: whether the length field counts the bytes after it (what we write) or
all of them; both are read.

Code, 332 + n bytes:

| off | len | field |
|---|---|---|
| 0 | 1 | version 0x81 |
| 1 | 2 | length |
| 3 | 117 | issuer certificate |
| 120 | 16 | payment account, ASCII |
| 136 | 10 | card account, BCD |
| 146 | 4 | issuer |
| 150 | 4 | platform |
| 154 | 1 | card type |
| 155 | 3 | cap of one use, fen |
| 158 | 33 | user key, compressed SM2 point |
| 191 | 4 | authorisation expires at, Unix s |
| 195 | 2 | validity of a code, s |
| 197 | 1 | n, length of the custom field |
| 198 | n | custom field |
| 198+n | 1+64 | 0x15, issuer signature over [3, 198+n) |
| 263+n | 4 | generated at, Unix s |
| 267+n | 1+64 | 0x15, user signature over [0, 267+n) |

Certificate, 117 bytes: 0x24, service id 4, root key index 1, format 0x12, issuer 4, expiry MMYY in
BCD 2, serial 3, signature algorithm 0x04, encryption algorithm 0x04, parameters 1, key length 0x21,
key 33, root signature 64 over certificate bytes [6, 53).
"""

from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass, replace
from struct import Struct
from typing import Final

from codes.errors import (
    CapExceededError,
    ClockSkewError,
    CodeExpiredError,
    CodeIssuerError,
    CodeMalformedError,
    CodeSignatureError,
)
from codes.replay import ReplayGuard, ReplayIdentity
from codes.suites import (
    POINT_SIZE,
    SIGNATURE_SIZE,
    Algorithm,
    KeyFormError,
    PrivateKey,
    PublicKey,
    SignatureError,
    load_public_key,
)

VERSION: Final = 0x81
SIZE_MIN: Final = 332
CUSTOM_SIZE_MAX: Final = 255
SIZE_MAX: Final = SIZE_MIN + CUSTOM_SIZE_MAX
VALIDITY_S_MAX: Final = 600
CHINA_OFFSET_S: Final = 8 * 3600

_CERTIFICATE: Final = Struct(">B4sBB4s2s3sBBBB33s64s")
_CERTIFICATE_SIGNED: Final = slice(6, 53)
_BODY: Final = Struct(">16s10s4s4sB3s33sIHB")
_CERTIFICATE_AT: Final = 3
_BODY_AT: Final = 120
_CUSTOM_AT: Final = 198
_CERTIFICATE_HEADER: Final = 0x24
_CERTIFICATE_FORMAT: Final = 0x12
_ALGORITHM_SM2: Final = 0x04
_KEY_SIZE: Final = 0x21
_SIGNATURE_MARK: Final = b"\x15"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerCertificate:
    """An issuer's certificate as it stands in a code; believed only through a configured root."""

    service_id: bytes
    root_index: int
    issuer: bytes
    expires_month: int
    expires_year: int
    serial: bytes
    parameters: int
    public_key: bytes
    root_signature: bytes

    def __post_init__(self) -> None:
        _check_sizes(
            (self.service_id, 4),
            (self.issuer, 4),
            (self.serial, 3),
            (self.public_key, POINT_SIZE),
            (self.root_signature, SIGNATURE_SIZE),
        )
        if not (1 <= self.expires_month <= 12 and 2000 <= self.expires_year <= 2099):
            raise CodeMalformedError("certificate month")
        if not (0 <= self.root_index <= 0xFF and 0 <= self.parameters <= 0xFF):
            raise CodeMalformedError("certificate field out of range")

    def to_bytes(self) -> bytes:
        """The 117 bytes."""
        return _CERTIFICATE.pack(
            _CERTIFICATE_HEADER,
            self.service_id,
            self.root_index,
            _CERTIFICATE_FORMAT,
            self.issuer,
            bytes.fromhex(f"{self.expires_month:02d}{self.expires_year % 100:02d}"),
            self.serial,
            _ALGORITHM_SM2,
            _ALGORITHM_SM2,
            self.parameters,
            _KEY_SIZE,
            self.public_key,
            self.root_signature,
        )

    @property
    def signed_part(self) -> bytes:
        """What the root signs."""
        return self.to_bytes()[_CERTIFICATE_SIGNED]

    @property
    def expires_at_s(self) -> int:
        """End of the month it names, China time, as Unix seconds (first second not covered)."""
        month_after = self.expires_year * 12 + self.expires_month
        year, month = month_after // 12, month_after % 12 + 1
        return timegm((year, month, 1, 0, 0, 0)) - CHINA_OFFSET_S


@dataclass(frozen=True, slots=True, kw_only=True)
class RideCode:
    """One code. ``cap_fen`` per use; instants in Unix seconds; ``card_account`` digits."""

    certificate: IssuerCertificate
    payment_account: str
    card_account: str
    issuer: bytes
    platform: bytes
    card_type: int
    cap_fen: int
    user_key: bytes
    authorisation_expires_at_s: int
    validity_s: int
    custom: bytes
    issuer_signature: bytes
    generated_at_s: int
    user_signature: bytes

    def __post_init__(self) -> None:
        _check_sizes(
            (self.payment_account, 16),
            (self.card_account, 20),
            (self.issuer, 4),
            (self.platform, 4),
            (self.user_key, POINT_SIZE),
            (self.issuer_signature, SIGNATURE_SIZE),
            (self.user_signature, SIGNATURE_SIZE),
        )
        if not (self.payment_account.isascii() and self.payment_account.isprintable()):
            raise CodeMalformedError("account is not printable ASCII")
        if not (self.card_account.isascii() and self.card_account.isdigit()):
            raise CodeMalformedError("card account is not digits")
        if not (
            0 <= self.card_type <= 0xFF
            and 0 <= self.cap_fen <= 0xFFFFFF
            and 0 <= self.validity_s <= 0xFFFF
            and len(self.custom) <= CUSTOM_SIZE_MAX
            and 0 <= self.authorisation_expires_at_s <= 0xFFFFFFFF
            and 0 <= self.generated_at_s <= 0xFFFFFFFF
        ):
            raise CodeMalformedError("field out of range")

    @property
    def issuer_signed_part(self) -> bytes:
        """What the issuer signs: certificate, account, limits, user key."""
        body = _BODY.pack(
            self.payment_account.encode("ascii"),
            bytes.fromhex(self.card_account),
            self.issuer,
            self.platform,
            self.card_type,
            self.cap_fen.to_bytes(3, "big"),
            self.user_key,
            self.authorisation_expires_at_s,
            self.validity_s,
            len(self.custom),
        )
        return self.certificate.to_bytes() + body + self.custom

    @property
    def user_signed_part(self) -> bytes:
        """What the user's phone signs: all before its signature."""
        length = SIZE_MIN + len(self.custom) - _CERTIFICATE_AT
        return (
            bytes((VERSION,))
            + length.to_bytes(2, "big")
            + self.issuer_signed_part
            + _SIGNATURE_MARK
            + self.issuer_signature
            + self.generated_at_s.to_bytes(4, "big")
        )

    def to_bytes(self) -> bytes:
        """The 332 + n bytes."""
        return self.user_signed_part + _SIGNATURE_MARK + self.user_signature

    @property
    def identity(self) -> ReplayIdentity:
        """Issuer, account and instant: the format has no counter, so nothing better exists."""
        account = self.payment_account.encode("ascii")
        key = b"J" + self.issuer + account + self.generated_at_s.to_bytes(4, "big")
        return ReplayIdentity(key, int.from_bytes(self.issuer, "big"), account, None)


def _check_sizes(*values: tuple[bytes | str, int]) -> None:
    if any(len(value) != size for value, size in values):
        raise CodeMalformedError("field of another size")


def read(data: bytes) -> RideCode:
    """The code in ``data``, its form checked, its signatures not.

    Raises:
        CodeMalformedError: wrong size, unknown version or algorithm, bytes that are not BCD or
            ASCII where they should be.
    """
    if len(data) < SIZE_MIN or data[0] != VERSION:
        raise CodeMalformedError("not a ride code of version 0x81")
    custom_size = data[_CUSTOM_AT - 1]
    if len(data) != SIZE_MIN + custom_size:
        raise CodeMalformedError("wrong length")
    if int.from_bytes(data[1:3], "big") not in (len(data), len(data) - _CERTIFICATE_AT):
        raise CodeMalformedError("length field")
    issuer_mark_at = _CUSTOM_AT + custom_size
    generated_at = issuer_mark_at + 1 + SIGNATURE_SIZE
    user_mark_at = generated_at + 4
    if {data[issuer_mark_at], data[user_mark_at]} != {_SIGNATURE_MARK[0]}:
        raise CodeMalformedError("signature mark")
    body = _BODY.unpack_from(data, _BODY_AT)
    return RideCode(
        certificate=_read_certificate(data[_CERTIFICATE_AT:_BODY_AT]),
        payment_account=body[0].decode("latin-1"),
        card_account=_bcd(body[1]),
        issuer=body[2],
        platform=body[3],
        card_type=body[4],
        cap_fen=int.from_bytes(body[5], "big"),
        user_key=body[6],
        authorisation_expires_at_s=body[7],
        validity_s=body[8],
        custom=data[_CUSTOM_AT:issuer_mark_at],
        issuer_signature=data[issuer_mark_at + 1 : generated_at],
        generated_at_s=int.from_bytes(data[generated_at:user_mark_at], "big"),
        user_signature=data[user_mark_at + 1 :],
    )


def _read_certificate(data: bytes) -> IssuerCertificate:
    fields = _CERTIFICATE.unpack(data)
    header, form, signing, encrypting, key_size = (fields[i] for i in (0, 3, 7, 8, 10))
    if (header, form, signing, encrypting, key_size) != (
        _CERTIFICATE_HEADER,
        _CERTIFICATE_FORMAT,
        _ALGORITHM_SM2,
        _ALGORITHM_SM2,
        _KEY_SIZE,
    ):
        raise CodeMalformedError("certificate form or algorithm")
    expiry = _bcd(fields[5])
    return IssuerCertificate(
        service_id=fields[1],
        root_index=fields[2],
        issuer=fields[4],
        expires_month=int(expiry[:2]),
        expires_year=2000 + int(expiry[2:]),
        serial=fields[6],
        parameters=fields[9],
        public_key=fields[11],
        root_signature=fields[12],
    )


def _bcd(data: bytes) -> str:
    digits = data.hex()
    if not digits.isdigit():
        raise CodeMalformedError("not BCD")
    return digits


def verify(
    data: bytes,
    roots: Mapping[int, PublicKey],
    now_s: int,
    replay: ReplayGuard | None,
    *,
    amount_fen: int = 0,
    skew_s: int = 30,
) -> RideCode:
    """Accept a ride code of a city whose root is configured, or raise.

    Args:
        data: the code's bytes.
        roots: believed root keys by root key index.
        now_s: Unix seconds.
        replay: guard to claim in; None when the caller claims ``RideCode.identity`` itself.
        amount_fen: what is to be paid.
        skew_s: clock tolerance.

    Raises:
        CodeError: kin, as ``codes.verify``.
    """
    code = read(data)
    _check_issuer(code, roots, now_s)
    expires_at_s = _check_windows(code, now_s, skew_s)
    # The bytes as they came are what was signed; the length field has two readings.
    issuer_part_end = _CUSTOM_AT + len(code.custom)
    _check_signature(
        code.certificate.public_key, code.issuer_signature, data[_CERTIFICATE_AT:issuer_part_end]
    )
    _check_signature(code.user_key, code.user_signature, data[: -1 - SIGNATURE_SIZE])
    if replay is not None:
        replay.claim(code.identity, now_s=now_s, expires_at_s=expires_at_s + skew_s)
    if amount_fen > code.cap_fen:
        raise CapExceededError(f"{amount_fen} fen above {code.cap_fen}")
    return code


def _check_issuer(code: RideCode, roots: Mapping[int, PublicKey], now_s: int) -> None:
    certificate = code.certificate
    root = roots.get(certificate.root_index)
    if root is None:
        raise CodeIssuerError(f"root key {certificate.root_index} is not configured")
    if certificate.issuer != code.issuer:
        raise CodeIssuerError("certificate of another issuer")
    if now_s >= certificate.expires_at_s:
        raise CodeIssuerError("issuer certificate has expired")
    try:
        root.verify(certificate.root_signature, certificate.signed_part)
    except SignatureError as error:
        raise CodeSignatureError(f"root: {error}") from None


def _check_windows(code: RideCode, now_s: int, skew_s: int) -> int:
    """When the code ends, Unix seconds."""
    if not 0 < code.validity_s <= VALIDITY_S_MAX:
        raise CodeMalformedError("validity above ten minutes")
    if code.generated_at_s > now_s + skew_s:
        raise ClockSkewError(f"generated {code.generated_at_s - now_s} s in the future")
    expires_at_s = code.generated_at_s + code.validity_s
    ends_at_s = code.authorisation_expires_at_s
    if now_s > expires_at_s + skew_s or now_s > ends_at_s or code.generated_at_s > ends_at_s:
        raise CodeExpiredError(f"expired {now_s - expires_at_s} s ago")
    return expires_at_s


def _check_signature(key: bytes, signature: bytes, message: bytes) -> None:
    try:
        load_public_key(Algorithm.SM2_SM3, key).verify(signature, message)
    except (KeyFormError, SignatureError) as error:
        raise CodeSignatureError(str(error)) from None


def sign_certificate(certificate: IssuerCertificate, root: PrivateKey) -> IssuerCertificate:
    """``certificate`` with the root's signature; for a city's own root and for tests."""
    return replace(certificate, root_signature=root.sign(certificate.signed_part))


def sign_as_issuer(code: RideCode, issuer: PrivateKey) -> RideCode:
    """``code`` with the issuer's signature: done online, the phone keeps the result."""
    return replace(code, issuer_signature=issuer.sign(code.issuer_signed_part))


def sign_as_user(code: RideCode, user: PrivateKey, generated_at_s: int) -> RideCode:
    """``code`` generated at this instant and signed by the phone."""
    generated = replace(code, generated_at_s=generated_at_s)
    return replace(generated, user_signature=user.sign(generated.user_signed_part))

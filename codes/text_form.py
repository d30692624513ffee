"""From text to code and back: ``M1:`` and base45, made for QR alphanumeric mode.

``decode`` accepts exactly one text for each code: ``encode(decode(text)) == text``. Whatever is
handed in, the answer is a code or ``CodeMalformedError``. Signatures are *not* checked here.
Source: docs/codes.md; RFC 9285.
"""

from typing import Final

from codes import base45
from codes.errors import CodeMalformedError
from codes.fields import D_HEAD, DEVICE_KEY_SIZE, P_BODY, S_BODY, VERSION, CodeClass
from codes.layout import Authorisation, ClassD, ClassP, ClassS, Code
from codes.suites import SIGNATURE_SIZE

TEXT_PREFIX: Final = "M1:"
S_SIZE: Final = S_BODY.size + SIGNATURE_SIZE
P_SIZE: Final = P_BODY.size + SIGNATURE_SIZE
DYNAMIC_SIZE: Final = 11 + SIGNATURE_SIZE
D_SIZE_MAX: Final = D_HEAD.size + 33 + SIGNATURE_SIZE + DYNAMIC_SIZE
TEXT_SIZE_MAX: Final = len(TEXT_PREFIX) + D_SIZE_MAX // 2 * 3 + D_SIZE_MAX % 2 * 2

_FIRST_S: Final = VERSION << 4 | CodeClass.S
_FIRST_D: Final = VERSION << 4 | CodeClass.D
_FIRST_P: Final = VERSION << 4 | CodeClass.P


def encode(code: Code) -> str:
    """Text of ``code``: 159 (S), 309 or 308 (D) or 144 (P) characters."""
    return TEXT_PREFIX + base45.encode(code.to_bytes())


def decode(text: str) -> Code:
    """The code in ``text``, its form checked, its signatures not.

    Raises:
        CodeMalformedError: anything that is not the text of a code in canonical form.
    """
    return from_bytes(decode_bytes(text))


def decode_bytes(text: str) -> bytes:
    """The bytes in ``text``, at most 204. Raises ``CodeMalformedError``."""
    # The length is asked first, so that a text of megabytes costs nothing.
    if len(text) > TEXT_SIZE_MAX:
        raise CodeMalformedError("text too long")
    if not text.startswith(TEXT_PREFIX):
        raise CodeMalformedError("unknown prefix")
    try:
        return base45.decode(text[len(TEXT_PREFIX) :])
    except base45.Base45Error as error:
        raise CodeMalformedError(f"base45: {error}") from None


def from_bytes(data: bytes) -> Code:
    """The code in ``data``. Raises ``CodeMalformedError``."""
    if len(data) < 2:
        raise CodeMalformedError("too short")
    first = data[0]
    if first == _FIRST_S:
        return _class_s(data)
    if first == _FIRST_D:
        return _class_d(data)
    if first == _FIRST_P:
        return _class_p(data)
    raise CodeMalformedError("unknown version or class")


def _class_s(data: bytes) -> ClassS:
    if len(data) != S_SIZE:
        raise CodeMalformedError("wrong length for class S")
    fields = S_BODY.unpack_from(data)
    if fields[14]:
        raise CodeMalformedError("reserved byte")
    return ClassS(
        suite=fields[1],
        issuer_id=fields[2],
        kid=fields[3],
        token=fields[4],
        scope=fields[5],
        tariff_class=fields[6] >> 3,
        purpose=fields[6] & 7,
        issued_at_s=fields[7],
        ttl_s=fields[8],
        cap_10fen=fields[9],
        domain=fields[10],
        jti=fields[11],
        context=fields[12],
        flags=fields[13],
        signature=data[S_BODY.size :],
    )


def authorisation_from_bytes(data: bytes) -> Authorisation:
    """The authorisation in ``data``, 129 or 128 bytes. Raises ``CodeMalformedError``."""
    if len(data) < 2 or data[0] != _FIRST_D:
        raise CodeMalformedError("unknown version or class")
    key_size = DEVICE_KEY_SIZE.get(data[1])
    if key_size is None:
        raise CodeMalformedError("suite not legal for class D")
    if len(data) != D_HEAD.size + key_size + SIGNATURE_SIZE:
        raise CodeMalformedError("wrong length for an authorisation")
    fields = D_HEAD.unpack_from(data)
    return Authorisation(
        suite=fields[1],
        issuer_id=fields[2],
        kid=fields[3],
        token=fields[4],
        status_index=fields[5],
        scope=fields[6],
        tariff_class=fields[7] >> 3,
        purpose=fields[7] & 7,
        authorised_at_s=fields[8],
        validity_min=fields[9],
        cap_10fen=fields[10],
        cumulative_cap_10fen=fields[11],
        uses_max=fields[12],
        dynamic_ttl_s=fields[13],
        device_key=data[D_HEAD.size : -SIGNATURE_SIZE],
        signature=data[-SIGNATURE_SIZE:],
    )


def _class_d(data: bytes) -> ClassD:
    dynamic = data[-DYNAMIC_SIZE:]
    authorisation = authorisation_from_bytes(data[:-DYNAMIC_SIZE])
    return ClassD(
        authorisation=authorisation,
        made_after_s=int.from_bytes(dynamic[0:3], "big"),
        counter=int.from_bytes(dynamic[3:6], "big"),
        context=dynamic[6:10],
        flags=dynamic[10],
        signature=dynamic[11:],
    )


def _class_p(data: bytes) -> ClassP:
    if len(data) != P_SIZE:
        raise CodeMalformedError("wrong length for class P")
    fields = P_BODY.unpack_from(data)
    if fields[12]:
        raise CodeMalformedError("reserved byte")
    return ClassP(
        suite=fields[1],
        issuer_id=fields[2],
        kid=fields[3],
        token=fields[4],
        status_index=fields[5],
        scope=fields[6],
        tariff_class=fields[7] >> 3,
        purpose=fields[7] & 7,
        issued_at_s=fields[8],
        validity_days=fields[9],
        cap_10fen=fields[10],
        flags=fields[11],
        signature=data[P_BODY.size :],
    )

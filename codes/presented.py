"""What acceptance asks of a code, the same for every class, read straight from its bytes.

A verifier judges a code by these facts and the bytes alone; the whole value (``ClassS`` and so on)
is made only when somebody asks an accepted code for it. The form rules are those of
``codes.fields``, called here with the same fields.
"""

from typing import Final, NamedTuple

from codes.errors import CodeMalformedError
from codes.fields import (
    CONTEXT_NONE,
    D_HEAD,
    DEVICE_KEY_SIZE,
    P_BODY,
    S_BODY,
    VERSION,
    CodeClass,
    check_flags_d,
    check_form_authorisation,
    check_form_p,
    check_form_s,
)
from codes.replay import ReplayIdentity
from codes.suites import SIGNATURE_SIZE
from codes.text_form import DYNAMIC_SIZE, P_SIZE, S_SIZE

DAY_S: Final = 86_400
MINUTE_S: Final = 60
END_OF_TIME_S: Final = 1 << 63

_S: Final = CodeClass.S
_D: Final = CodeClass.D
_P: Final = CodeClass.P
_FIRST_S: Final = VERSION << 4 | _S
_FIRST_D: Final = VERSION << 4 | _D
_FIRST_P: Final = VERSION << 4 | _P


class Presented(NamedTuple):
    """Facts of one code whose form is right and whose signatures nobody has checked yet.

    Instants are Unix seconds. ``expires_at_s`` gets the clock tolerance, ``ends_at_s`` (end of a
    class D authorisation) does not. What a class lacks is 0, none of it, or None for the index.
    """

    code_class: CodeClass
    suite: int
    issuer_id: int
    kid: int
    token: bytes
    scope: int
    tariff_and_purpose: int
    cap_10fen: int
    authorised_at_s: int
    made_at_s: int
    expires_at_s: int
    ends_at_s: int
    domain: int
    context: bytes
    flags: int
    status_index: int | None
    cumulative_cap_10fen: int
    uses_max: int


def _facts(values: tuple[object, ...]) -> Presented:
    """``values`` in order of the fields; the constructor of a named tuple takes twice as long."""
    return tuple.__new__(Presented, values)


def present(data: bytes) -> Presented:
    """The facts in ``data``. Raises ``CodeMalformedError`` exactly when ``from_bytes`` does."""
    first = data[0] if data else 0
    if first == _FIRST_S:
        return _present_s(data)
    if first == _FIRST_D:
        return _present_d(data)
    if first == _FIRST_P:
        return _present_p(data)
    raise CodeMalformedError("unknown version or class")


def _present_s(data: bytes) -> Presented:
    if len(data) != S_SIZE:
        raise CodeMalformedError("wrong length for class S")
    (
        _,
        suite,
        issuer_id,
        kid,
        token,
        scope,
        tariff_and_purpose,
        issued_at_s,
        ttl_s,
        cap_10fen,
        domain,
        _,
        context,
        flags,
        reserved,
    ) = S_BODY.unpack_from(data)
    if reserved:
        raise CodeMalformedError("reserved byte")
    check_form_s(
        suite=suite,
        scope=scope,
        purpose=tariff_and_purpose & 7,
        ttl_s=ttl_s,
        context=context,
        flags=flags,
    )
    return _facts(
        (
            _S,
            suite,
            issuer_id,
            kid,
            token,
            scope,
            tariff_and_purpose,
            cap_10fen,
            issued_at_s,
            issued_at_s,
            issued_at_s + ttl_s,
            END_OF_TIME_S,
            domain,
            context,
            flags,
            None,
            0,
            0,
        )
    )


def _present_d(data: bytes) -> Presented:
    key_size = DEVICE_KEY_SIZE.get(data[1]) if len(data) > 1 else None
    if key_size is None or len(data) != D_HEAD.size + key_size + SIGNATURE_SIZE + DYNAMIC_SIZE:
        raise CodeMalformedError("suite not legal for class D, or wrong length")
    (
        _,
        suite,
        issuer_id,
        kid,
        token,
        status_index,
        scope,
        tariff_and_purpose,
        authorised_at_s,
        validity_min,
        cap_10fen,
        cumulative_cap_10fen,
        uses_max,
        dynamic_ttl_s,
    ) = D_HEAD.unpack_from(data)
    check_form_authorisation(
        suite=suite,
        scope=scope,
        validity_min=validity_min,
        dynamic_ttl_s=dynamic_ttl_s,
        device_key_size=key_size,
    )
    dynamic = data[-DYNAMIC_SIZE:-SIGNATURE_SIZE]
    flags = dynamic[10]
    check_flags_d(flags)
    made_at_s = authorised_at_s + int.from_bytes(dynamic[:3], "big")
    return _facts(
        (
            _D,
            suite,
            issuer_id,
            kid,
            token,
            scope,
            tariff_and_purpose,
            cap_10fen,
            authorised_at_s,
            made_at_s,
            made_at_s + dynamic_ttl_s,
            authorised_at_s + MINUTE_S * validity_min,
            0,
            dynamic[6:10],
            flags,
            status_index,
            cumulative_cap_10fen,
            uses_max,
        )
    )


def _present_p(data: bytes) -> Presented:
    if len(data) != P_SIZE:
        raise CodeMalformedError("wrong length for class P")
    (
        _,
        suite,
        issuer_id,
        kid,
        token,
        status_index,
        scope,
        tariff_and_purpose,
        issued_at_s,
        validity_days,
        cap_10fen,
        flags,
        reserved,
    ) = P_BODY.unpack_from(data)
    if reserved:
        raise CodeMalformedError("reserved byte")
    check_form_p(suite=suite, scope=scope, validity_days=validity_days, flags=flags)
    return _facts(
        (
            _P,
            suite,
            issuer_id,
            kid,
            token,
            scope,
            tariff_and_purpose,
            cap_10fen,
            issued_at_s,
            issued_at_s,
            issued_at_s + DAY_S * validity_days,
            END_OF_TIME_S,
            0,
            CONTEXT_NONE,
            flags,
            status_index,
            0,
            0,
        )
    )


def identity_of(data: bytes) -> ReplayIdentity:
    """Semantic identity of the code in ``data``, whose form is right.

    Class S: issuer and jti; D: issuer, token and counter; P: issuer and token, and never claimed,
    since a printed code is shown again and again.
    """
    issuer_id = int.from_bytes(data[2:4], "big")
    token = data[5:13]
    if data[0] == _FIRST_S:
        return ReplayIdentity(b"S" + data[2:4] + data[26:34], issuer_id, token, None)
    if data[0] == _FIRST_P:
        return ReplayIdentity(b"P" + data[2:4] + token, issuer_id, token, None)
    counter = data[3 - DYNAMIC_SIZE : 6 - DYNAMIC_SIZE]
    key = b"D" + data[2:4] + token + counter
    return ReplayIdentity(key, issuer_id, token, int.from_bytes(counter, "big"))

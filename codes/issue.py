"""Making codes: fields in, signed code out.

The private key is never here. ``Signer`` is an async call that signs with it: the server passes its
hardware security module bound to a key label, a phone its secure element, a test a key in memory.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from codes.fields import (
    CAP_UNIT_FEN,
    CONTEXT_NONE,
    TAG_AUTHORISATION,
    TAG_D,
    TAG_P,
    TAG_S,
    Purpose,
    Scope,
)
from codes.layout import Authorisation, ClassD, ClassP, ClassS
from codes.suites import SIGNATURE_SIZE, Algorithm
from codes.text_form import encode

Signer = Callable[[bytes], Awaitable[bytes]]
TTL_S_DEFAULT: Final = 60
TTL_S_PAY_DEFAULT: Final = 30
_UNSIGNED: Final = bytes(SIGNATURE_SIZE)


def cap_units(cap_fen: int) -> int:
    """``cap_fen`` in units of 10 fen, rounded down: a cap is never widened by rounding."""
    return cap_fen // CAP_UNIT_FEN


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsS:
    """What the issuer decides about one class S code.

    ``token`` and ``jti`` are 8 random bytes each, made by the caller for this code alone.
    ``ttl_s`` None: 30 s for a paying code without context, else 60 s. ``flags`` includes the
    companions.
    """

    algorithm: Algorithm
    issuer_id: int
    kid: int
    token: bytes
    jti: bytes
    scope: Scope
    purpose: Purpose
    issued_at_s: int
    tariff_class: int = 0
    cap_fen: int = 0
    domain: int = 0
    context: bytes = CONTEXT_NONE
    flags: int = 0
    ttl_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsAuthorisation:
    """What the issuer allows a phone to do offline; fields as in ``Authorisation``, caps in fen."""

    algorithm: Algorithm
    issuer_id: int
    kid: int
    token: bytes
    status_index: int
    scope: Scope
    purpose: Purpose
    authorised_at_s: int
    validity_min: int
    cap_fen: int
    cumulative_cap_fen: int
    uses_max: int
    dynamic_ttl_s: int
    device_algorithm: Algorithm
    device_key: bytes
    tariff_class: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsP:
    """What the issuer decides about one printed code; ``flags`` as in ``FlagP``."""

    algorithm: Algorithm
    issuer_id: int
    kid: int
    token: bytes
    status_index: int
    scope: Scope
    purpose: Purpose
    issued_at_s: int
    validity_days: int
    tariff_class: int = 0
    cap_fen: int = 0
    flags: int = 0


async def issue_s(fields: FieldsS, signer: Signer) -> str:
    """Text of a new class S code.

    Raises:
        CodeMalformedError: a field breaks a rule of the table.
    """
    is_unbound_pay = fields.purpose & Purpose.PAY and fields.context == CONTEXT_NONE
    default_s = TTL_S_PAY_DEFAULT if is_unbound_pay else TTL_S_DEFAULT
    unsigned = ClassS(
        suite=fields.algorithm << 4,
        issuer_id=fields.issuer_id,
        kid=fields.kid,
        token=fields.token,
        scope=fields.scope,
        tariff_class=fields.tariff_class,
        purpose=fields.purpose,
        issued_at_s=fields.issued_at_s,
        ttl_s=default_s if fields.ttl_s is None else fields.ttl_s,
        cap_10fen=cap_units(fields.cap_fen),
        domain=fields.domain,
        jti=fields.jti,
        context=fields.context,
        flags=fields.flags,
        signature=_UNSIGNED,
    )
    return encode(replace(unsigned, signature=await signer(TAG_S + unsigned.signed_part)))


async def authorise_d(fields: FieldsAuthorisation, signer: Signer) -> Authorisation:
    """A new authorisation for a phone; its bytes (``to_bytes``) are what the phone keeps.

    Raises:
        CodeMalformedError: a field breaks a rule of the table.
    """
    unsigned = Authorisation(
        suite=fields.algorithm << 4 | fields.device_algorithm,
        issuer_id=fields.issuer_id,
        kid=fields.kid,
        token=fields.token,
        status_index=fields.status_index,
        scope=fields.scope,
        tariff_class=fields.tariff_class,
        purpose=fields.purpose,
        authorised_at_s=fields.authorised_at_s,
        validity_min=fields.validity_min,
        cap_10fen=cap_units(fields.cap_fen),
        cumulative_cap_10fen=cap_units(fields.cumulative_cap_fen),
        uses_max=fields.uses_max,
        dynamic_ttl_s=fields.dynamic_ttl_s,
        device_key=fields.device_key,
        signature=_UNSIGNED,
    )
    message = TAG_AUTHORISATION + unsigned.signed_part
    return replace(unsigned, signature=await signer(message))


async def make_d(
    authorisation: Authorisation,
    signer: Signer,
    *,
    made_at_s: int,
    counter: int,
    context: bytes = CONTEXT_NONE,
    flags: int = 0,
) -> str:
    """Text of a class D code: what a phone does offline with its own key.

    Raises:
        CodeMalformedError: ``made_at_s`` before the authorisation, or a field out of range.
    """
    unsigned = ClassD(
        authorisation=authorisation,
        made_after_s=made_at_s - authorisation.authorised_at_s,
        counter=counter,
        context=context,
        flags=flags,
        signature=_UNSIGNED,
    )
    return encode(replace(unsigned, signature=await signer(TAG_D + unsigned.signed_part)))


async def issue_p(fields: FieldsP, signer: Signer) -> str:
    """Text of a new printed code.

    Raises:
        CodeMalformedError: a field breaks a rule of the table.
    """
    unsigned = ClassP(
        suite=fields.algorithm << 4,
        issuer_id=fields.issuer_id,
        kid=fields.kid,
        token=fields.token,
        status_index=fields.status_index,
        scope=fields.scope,
        tariff_class=fields.tariff_class,
        purpose=fields.purpose,
        issued_at_s=fields.issued_at_s,
        validity_days=fields.validity_days,
        cap_10fen=cap_units(fields.cap_fen),
        flags=fields.flags,
        signature=_UNSIGNED,
    )
    return encode(replace(unsigned, signature=await signer(TAG_P + unsigned.signed_part)))

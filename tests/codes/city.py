"""A city to test against: issuer keys of every algorithm, phones, a ring, and codes to order."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from codes import (
    Algorithm,
    FieldsAuthorisation,
    FieldsP,
    FieldsS,
    IssuerKey,
    KeyRing,
    KeyUse,
    Policy,
    Purpose,
    Scope,
    Signer,
    authorise_d,
    issue_p,
    issue_s,
    make_d,
)
from codes.layout import Authorisation
from codes.signed_document import DocumentSigner
from codes.suites import PrivateKey, make_private_key

T = TypeVar("T")

NOW_S = 1_790_000_000
ISSUER_ID = 0x3704
ALL_USES = frozenset(KeyUse)
ALGORITHMS = (Algorithm.ED25519, Algorithm.SM2_SM3, Algorithm.ES256)
DEVICE_SUITES = (
    (Algorithm.ED25519, Algorithm.ED25519),
    (Algorithm.ED25519, Algorithm.ES256),
    (Algorithm.SM2_SM3, Algorithm.SM2_SM3),
    (Algorithm.SM2_SM3, Algorithm.ES256),
    (Algorithm.ES256, Algorithm.ES256),
)
BUS = Policy(scope=Scope.BUS)
GATE = Policy(scope=Scope.COMMUNITY, needs=Purpose.IDENTITY)

_numbers = itertools.count(1)


def fresh(size: int = 8) -> bytes:
    """Bytes that no other call returns."""
    return next(_numbers).to_bytes(size, "big")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for ``coroutine`` from an ordinary test."""
    return asyncio.run(coroutine)


def signer_of(key: PrivateKey) -> Signer:
    """The async call that signs with ``key``."""

    async def sign(message: bytes) -> bytes:
        return key.sign(message)

    return sign


ISSUER = {algorithm: make_private_key(algorithm) for algorithm in ALGORITHMS}
PHONE = {algorithm: make_private_key(algorithm) for algorithm in ALGORITHMS}
RING = KeyRing(
    IssuerKey(
        issuer_id=ISSUER_ID,
        kid=algorithm,
        algorithm=algorithm,
        public_key=ISSUER[algorithm].public_key.raw,
        not_before_s=NOW_S - 10_000_000,
        not_after_s=NOW_S + 10_000_000,
        uses=ALL_USES,
    )
    for algorithm in ALGORITHMS
)


def document_signer(algorithm: Algorithm = Algorithm.ES256) -> DocumentSigner:
    """The issuer as signer of lists and packages."""
    return DocumentSigner(
        algorithm=algorithm,
        issuer_id=ISSUER_ID,
        kid=algorithm,
        sign=signer_of(ISSUER[algorithm]),
    )


def code_s(
    algorithm: Algorithm = Algorithm.ES256,
    *,
    sign: Signer | None = None,
    **changes: Any,  # noqa: ANN401  (any field of the table)
) -> str:
    """A class S code that pays up to 20 yuan on a bus, made now."""
    values: dict[str, Any] = {
        "algorithm": algorithm,
        "issuer_id": ISSUER_ID,
        "kid": algorithm,
        "token": fresh(),
        "jti": fresh(),
        "scope": Scope.BUS,
        "purpose": Purpose.PAY | Purpose.IDENTITY,
        "issued_at_s": NOW_S,
        "cap_fen": 2000,
    }
    fields = FieldsS(**{**values, **changes})
    return run(issue_s(fields, sign or signer_of(ISSUER[algorithm])))


def authorisation(
    algorithm: Algorithm = Algorithm.ES256,
    device: Algorithm = Algorithm.ES256,
    **changes: Any,  # noqa: ANN401  (any field of the table)
) -> Authorisation:
    """An authorisation made an hour ago: a day, 20 yuan a use, 100 yuan or 20 uses in all."""
    values: dict[str, Any] = {
        "algorithm": algorithm,
        "issuer_id": ISSUER_ID,
        "kid": algorithm,
        "token": fresh(),
        "status_index": 5,
        "scope": Scope.BUS,
        "purpose": Purpose.PAY | Purpose.IDENTITY,
        "authorised_at_s": NOW_S - 3600,
        "validity_min": 1440,
        "cap_fen": 2000,
        "cumulative_cap_fen": 10_000,
        "uses_max": 20,
        "dynamic_ttl_s": 30,
        "device_algorithm": device,
        "device_key": PHONE[device].public_key.raw,
    }
    fields = FieldsAuthorisation(**{**values, **changes})
    return run(authorise_d(fields, signer_of(ISSUER[algorithm])))


def code_d(
    granted: Authorisation | None = None,
    *,
    sign: Signer | None = None,
    **changes: Any,  # noqa: ANN401  (any field of the table)
) -> str:
    """A class D code made now under ``granted``."""
    granted = granted or authorisation()
    values: dict[str, Any] = {"made_at_s": NOW_S, "counter": 7}
    sign = sign or signer_of(PHONE[granted.device_algorithm])
    return run(make_d(granted, sign, **{**values, **changes}))


def code_p(
    algorithm: Algorithm = Algorithm.ES256,
    **changes: Any,  # noqa: ANN401  (any field of the table)
) -> str:
    """A printed code good for a community gate, issued a day ago for a year."""
    values: dict[str, Any] = {
        "algorithm": algorithm,
        "issuer_id": ISSUER_ID,
        "kid": algorithm,
        "token": fresh(),
        "status_index": 6,
        "scope": Scope.COMMUNITY,
        "purpose": Purpose.IDENTITY,
        "issued_at_s": NOW_S - 86_400,
        "validity_days": 365,
    }
    fields = FieldsP(**{**values, **changes})
    return run(issue_p(fields, signer_of(ISSUER[algorithm])))


CODE_OF_CLASS: dict[str, Callable[[], str]] = {"S": code_s, "D": code_d, "P": code_p}

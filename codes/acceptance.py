"""The acceptance of a presented code: every rule, in one fixed order, fail closed.

1. prefix and base45, exact length, version, class and suite (``codes.text_form``)
2. issuer and key known, key inside its window
3. authorisation window (class D)
4. code window: now - ttl - skew <= made at <= now + skew; nobody guesses time zones
5. scope, purpose, domain, context, user verification
6. status bit, from a list young enough or within the stale cap (classes D and P)
7. issuer signature (remembered for authorisations seen before)
8. device signature (class D)
9. replay (classes S and D)
10. caps: per use, cumulative, count

The clock is read once by the caller and passed in; nothing here reads files or network. The two
things with memory, replay guard and offline uses, come last and only see codes whose signatures
hold. Source: docs/codes.md, "Acceptance order".
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

from codes import text_form
from codes.accepted import Accepted
from codes.errors import (
    AskOnlineError,
    CapExceededError,
    ClockSkewError,
    CodeExpiredError,
    CodeIssuerError,
    CodeRevokedError,
    CodeSignatureError,
    CodeSuspendedError,
    ContextMismatchError,
    DomainNotAllowedError,
    ListStaleError,
    PurposeNotAllowedError,
    SceneNotAllowedError,
    UserNotVerifiedError,
)
from codes.key_ring import IssuerKey, KeyRing
from codes.layout import (
    CAP_UNIT_FEN,
    TAG_AUTHORISATION,
    TAG_D,
    TAG_P,
    TAG_S,
    Authorisation,
    ClassD,
    ClassP,
    ClassS,
    Code,
    FlagD,
    Purpose,
)
from codes.offline_uses import OfflineUse, OfflineUses
from codes.policy import Policy
from codes.replay import ReplayGuard, identity_of
from codes.status import Status, StatusSource
from codes.suites import SIGNATURE_SIZE, KeyFormError, PublicKey, SignatureError, load_public_key

DAY_S: Final = 86_400
AUTHORISATIONS_MAX: Final = 2048
LIST_IS_STALE: Final = "list_stale"

_PAY: Final = Purpose.PAY.value
_ONLINE_REQUIRED: Final = Purpose.ONLINE_REQUIRED.value
_USER_VERIFIED: Final = FlagD.USER_VERIFIED.value


@dataclass(frozen=True, slots=True)
class _KnownAuthorisation:
    """An authorisation whose issuer signature held under ``issuer_key``; its device key parsed."""

    authorisation: Authorisation
    issuer_key: bytes
    device_key: PublicKey


class AuthorisationCache:
    """Authorisations already verified, by their exact bytes; least recently used go first.

    Remembering one saves one of the two signatures of a class D code. An entry counts only for the
    very issuer key it was verified with. Safe between threads.
    """

    def __init__(self, authorisations_max: int = AUTHORISATIONS_MAX) -> None:
        self._authorisations_max = authorisations_max
        self._known: OrderedDict[bytes, _KnownAuthorisation] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, data: bytes) -> _KnownAuthorisation | None:
        """The entry of these authorisation bytes, if any."""
        with self._lock:
            known = self._known.get(data)
            if known is not None:
                self._known.move_to_end(data)
            return known

    def add(
        self,
        data: bytes,
        authorisation: Authorisation,
        *,
        issuer_key: bytes,
        device_key: PublicKey,
    ) -> None:
        """Remember that ``issuer_key`` signed these bytes."""
        with self._lock:
            self._known[data] = _KnownAuthorisation(authorisation, issuer_key, device_key)
            if len(self._known) > self._authorisations_max:
                self._known.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierMemory:
    """What a verifier remembers of class D authorisations from one code to the next.

    ``authorisations`` saves signature checks; ``offline_uses`` counts uses against the caps.
    """

    authorisations: AuthorisationCache | None = None
    offline_uses: OfflineUses | None = None


_NO_MEMORY: Final = VerifierMemory()


def verify(
    text: str,
    key_ring: KeyRing,
    status_list: StatusSource | None,
    policy: Policy,
    now: datetime | int,
    replay: ReplayGuard | None,
    *,
    amount_fen: int = 0,
    memory: VerifierMemory | None = None,
) -> Accepted:
    """Accept ``text`` or raise.

    Args:
        text: what the scanner read, ``M1:`` and base45.
        key_ring: trusted public keys.
        status_list: list of the issuer, or of several issuers; None where only class S is accepted
            (D and P are then refused as ``list_stale``) or the policy leaves status to the caller.
        policy: rules of this place.
        now: aware datetime, or whole Unix seconds.
        replay: the guard to claim in; None when the caller claims ``Accepted.replay_key`` itself,
            for example in the transaction that books the order.
        amount_fen: what is to be paid, 0 for none or not yet known.
        memory: what this verifier remembers of class D authorisations. Without it each code is
            judged as if its authorisation had never been seen.

    Raises:
        CodeError: kin, with a stable ``code``. A refusal in steps 1 to 8 leaves no trace; one in
            step 10 leaves the code claimed.
    """
    assert amount_fen >= 0
    memory = memory or _NO_MEMORY
    now_s = _unix_s(now)
    data = text_form.decode_bytes(text)
    code, known = _read(data, memory.authorisations)
    issuer_key = _issuer_key(code, key_ring, now_s)
    made_at_s, expires_at_s = _check_windows(code, policy.skew_s, now_s)
    _check_rights(code, policy, amount_fen)
    warnings = _check_status(code, status_list, policy, now_s, amount_fen)
    _check_signatures(code, data, issuer_key, known, memory.authorisations)
    if replay is not None and not isinstance(code, ClassP):
        until_s = expires_at_s + policy.skew_s
        warnings += replay.claim(identity_of(code), now_s=now_s, expires_at_s=until_s)
    _check_caps(code, policy, now_s, amount_fen, memory.offline_uses)
    return Accepted(
        code=code,
        digest=hashlib.sha256(data).digest(),
        made_at_s=made_at_s,
        expires_at_s=expires_at_s,
        replay_claimed=replay is not None,
        warnings=warnings,
    )


def _unix_s(now: datetime | int) -> int:
    if isinstance(now, int):
        return now
    assert now.tzinfo is not None, "time must be aware"
    return int(now.timestamp())


def _read(
    data: bytes, authorisations: AuthorisationCache | None
) -> tuple[Code, _KnownAuthorisation | None]:
    if authorisations is not None:
        known = authorisations.get(data[: -text_form.DYNAMIC_SIZE])
        if known is not None:
            return text_form.class_d(data, known.authorisation), known
    return text_form.from_bytes(data), None


def _issuer_key(code: Code, key_ring: KeyRing, now_s: int) -> IssuerKey:
    key = key_ring.get(code.issuer_id, code.kid)
    if key is None:
        raise CodeIssuerError(f"issuer {code.issuer_id} kid {code.kid} unknown")
    if not key.signs_codes:
        raise CodeIssuerError(f"issuer {code.issuer_id} kid {code.kid} is not for codes")
    # A key signs with one algorithm; the suite byte cannot talk a verifier into another.
    if key.algorithm != code.suite >> 4:
        raise CodeIssuerError("suite and key disagree")
    if not key.is_current(now_s):
        raise CodeIssuerError(f"issuer {code.issuer_id} kid {code.kid} outside its window")
    return key


def _check_windows(code: Code, skew_s: int, now_s: int) -> tuple[int, int]:
    """When the code was made and when it ends, both Unix seconds."""
    if isinstance(code, ClassS):
        made_at_s, expires_at_s = code.issued_at_s, code.issued_at_s + code.ttl_s
    elif isinstance(code, ClassP):
        made_at_s = code.issued_at_s
        expires_at_s = made_at_s + code.validity_days * DAY_S
    else:
        authorisation = code.authorisation
        ends_at_s = authorisation.authorised_at_s + 60 * authorisation.validity_min
        if authorisation.authorised_at_s > now_s + skew_s:
            raise ClockSkewError("authorised in the future")
        made_at_s = code.made_at_s
        if now_s > ends_at_s or made_at_s > ends_at_s:
            raise CodeExpiredError(f"authorisation ended at {ends_at_s}")
        expires_at_s = made_at_s + authorisation.dynamic_ttl_s
    if made_at_s > now_s + skew_s:
        raise ClockSkewError(f"made {made_at_s - now_s} s in the future")
    if now_s > expires_at_s + skew_s:
        raise CodeExpiredError(f"expired {now_s - expires_at_s} s ago")
    return made_at_s, expires_at_s


def _check_rights(code: Code, policy: Policy, amount_fen: int) -> None:
    grant = code.authorisation if isinstance(code, ClassD) else code
    if not grant.scope & policy.scope_bit:
        raise SceneNotAllowedError(f"scope {grant.scope:#06x} lacks {policy.scope.name}")
    needs = policy.purpose_bits | (_PAY if amount_fen else 0)
    if needs & ~grant.purpose:
        raise PurposeNotAllowedError(f"purpose {grant.purpose} lacks {needs}")
    if not policy.online:
        if grant.purpose & _ONLINE_REQUIRED:
            raise AskOnlineError("the code demands an online check")
        if isinstance(code, ClassP) and needs & _PAY:
            raise AskOnlineError("a printed code pays online only")
    if isinstance(code, ClassP):
        return
    if isinstance(code, ClassS) and code.domain not in (0, policy.domain):
        raise DomainNotAllowedError(f"domain {code.domain}, here {policy.domain}")
    if not policy.context_fits(code.context, code.suite):
        raise ContextMismatchError(f"context {code.context.hex()} is not of this place")
    if policy.user_verified_required and not code.flags & _USER_VERIFIED:
        raise UserNotVerifiedError("user not verified on the phone")


def _check_status(
    code: Code,
    status_list: StatusSource | None,
    policy: Policy,
    now_s: int,
    amount_fen: int,
) -> tuple[str, ...]:
    """Refuse by the status bit; the warnings say whether a stale list was used."""
    if isinstance(code, ClassS) or policy.status_by_caller:
        return ()
    index = code.authorisation.status_index if isinstance(code, ClassD) else code.status_index
    of_issuer = None if status_list is None else status_list.for_issuer(code.issuer_id)
    if of_issuer is None:
        raise ListStaleError(f"no status list of issuer {code.issuer_id}")
    status = of_issuer.status(index)
    # A stale list can only know too little: what it refuses stays refused.
    if status is Status.REVOKED:
        raise CodeRevokedError(f"index {index} revoked")
    if status is Status.SUSPENDED:
        raise CodeSuspendedError(f"index {index} suspended")
    if status is Status.ASK_ONLINE and not policy.online:
        raise AskOnlineError(f"index {index} must be asked online")
    age_s = now_s - of_issuer.issued_at_s
    if -policy.skew_s <= age_s <= policy.list_age_max_s and now_s <= of_issuer.expires_at_s:
        return ()
    if policy.stale_cap_fen is None or amount_fen > policy.stale_cap_fen:
        raise ListStaleError(f"status list is {age_s} s old")
    return (LIST_IS_STALE,)


def _check_signatures(
    code: Code,
    data: bytes,
    issuer_key: IssuerKey,
    known: _KnownAuthorisation | None,
    authorisations: AuthorisationCache | None,
) -> None:
    if isinstance(code, ClassS):
        _check_signature(issuer_key.key, data, TAG_S)
    elif isinstance(code, ClassP):
        _check_signature(issuer_key.key, data, TAG_P)
    else:
        if known is not None and known.issuer_key == issuer_key.public_key:
            device_key = known.device_key
        else:
            signed = data[: -text_form.DYNAMIC_SIZE]
            _check_signature(issuer_key.key, signed, TAG_AUTHORISATION)
            device_key = _device_key(code.authorisation)
            if authorisations is not None:
                authorisations.add(
                    signed,
                    code.authorisation,
                    issuer_key=issuer_key.public_key,
                    device_key=device_key,
                )
        _check_signature(device_key, data, TAG_D)


def _check_signature(key: PublicKey, data: bytes, tag: bytes) -> None:
    """``data`` ends with a signature over ``tag`` and all before it."""
    try:
        key.verify(data[-SIGNATURE_SIZE:], tag + data[:-SIGNATURE_SIZE])
    except SignatureError as error:
        raise CodeSignatureError(f"{tag.decode()}: {error}") from None


def _device_key(authorisation: Authorisation) -> PublicKey:
    try:
        return load_public_key(authorisation.device_algorithm, authorisation.device_key)
    except KeyFormError as error:
        raise CodeSignatureError(f"device key: {error}") from None


def _check_caps(
    code: Code,
    policy: Policy,
    now_s: int,
    amount_fen: int,
    offline_uses: OfflineUses | None,
) -> None:
    grant = code.authorisation if isinstance(code, ClassD) else code
    if amount_fen > CAP_UNIT_FEN * grant.cap_10fen:
        raise CapExceededError(f"{amount_fen} fen above {CAP_UNIT_FEN * grant.cap_10fen}")
    if policy.online or not isinstance(code, ClassD):
        return
    authorisation = code.authorisation
    use = OfflineUse(
        issuer_id=authorisation.issuer_id,
        token=authorisation.token,
        amount_fen=amount_fen,
        cumulative_cap_fen=CAP_UNIT_FEN * authorisation.cumulative_cap_10fen,
        uses_max=authorisation.uses_max,
        expires_at_s=authorisation.authorised_at_s + 60 * authorisation.validity_min,
    )
    if offline_uses is None:
        use.check(used_fen=0, used_count=0)
    else:
        offline_uses.add(use, now_s=now_s)

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

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

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
from codes.fields import (
    CAP_UNIT_FEN,
    D_HEAD,
    TAG_AUTHORISATION,
    TAG_D,
    TAG_P,
    TAG_S,
    CodeClass,
    FlagD,
    Purpose,
)
from codes.key_ring import IssuerKey, KeyRing
from codes.offline_uses import OfflineUse, OfflineUses
from codes.policy import Policy
from codes.presented import Presented, identity_of, present
from codes.replay import ReplayGuard
from codes.status import Status, StatusSource
from codes.suites import (
    SIGNATURE_SIZE,
    Algorithm,
    KeyFormError,
    PublicKey,
    SignatureError,
    load_public_key,
)
from codes.text_form import DYNAMIC_SIZE, decode_bytes

AUTHORISATIONS_MAX: Final = 2048
LIST_IS_STALE: Final = "list_stale"

# Members of an enumeration are looked up slowly; these stand on the way of every code.
_S: Final = CodeClass.S
_D: Final = CodeClass.D
_P: Final = CodeClass.P
_ALGORITHM_OF_NIBBLE: Final = tuple(Algorithm)
_PURPOSE_MASK: Final = 0x07
_PAY: Final = Purpose.PAY.value
_ONLINE_REQUIRED: Final = Purpose.ONLINE_REQUIRED.value
_USER_VERIFIED: Final = FlagD.USER_VERIFIED.value


class AuthorisationCache:
    """Authorisations already verified, by their exact bytes; least recently used go first.

    Remembering one saves one of the two signatures of a class D code. An entry counts only for the
    very issuer key it was verified with. Safe between threads.
    """

    def __init__(self, authorisations_max: int = AUTHORISATIONS_MAX) -> None:
        self._authorisations_max = authorisations_max
        self._known: OrderedDict[bytes, tuple[bytes, PublicKey]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, authorisation: bytes, issuer_key: bytes) -> PublicKey | None:
        """The parsed device key, if ``issuer_key`` is known to have signed these bytes."""
        with self._lock:
            known = self._known.get(authorisation)
            if known is None or known[0] != issuer_key:
                return None
            self._known.move_to_end(authorisation)
            return known[1]

    def add(self, authorisation: bytes, issuer_key: bytes, device_key: PublicKey) -> None:
        """Remember that ``issuer_key`` signed these bytes, and the device key in them."""
        with self._lock:
            self._known[authorisation] = (issuer_key, device_key)
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
    data = decode_bytes(text)
    shown = present(data)
    issuer_key = _issuer_key(shown, key_ring, now_s)
    _check_windows(shown, policy.skew_s, now_s)
    _check_rights(shown, policy, amount_fen)
    warnings = _check_status(shown, status_list, policy, now_s, amount_fen)
    _check_signatures(shown, data, issuer_key, memory.authorisations)
    if replay is not None and shown.code_class != _P:
        until_s = shown.expires_at_s + policy.skew_s
        warnings += replay.claim(identity_of(data), now_s=now_s, expires_at_s=until_s)
    _check_caps(shown, policy, now_s, amount_fen, memory.offline_uses)
    return Accepted(data, shown, warnings, replay is not None)


def _unix_s(now: datetime | int) -> int:
    if isinstance(now, int):
        return now
    assert now.tzinfo is not None, "time must be aware"
    return int(now.timestamp())


def _issuer_key(shown: Presented, key_ring: KeyRing, now_s: int) -> IssuerKey:
    key = key_ring.get(shown.issuer_id, shown.kid)
    if key is None:
        raise CodeIssuerError(f"issuer {shown.issuer_id} kid {shown.kid} unknown")
    if not key.signs_codes:
        raise CodeIssuerError(f"issuer {shown.issuer_id} kid {shown.kid} is not for codes")
    # A key signs with one algorithm; the suite byte cannot talk a verifier into another.
    if key.algorithm != shown.suite >> 4:
        raise CodeIssuerError("suite and key disagree")
    if not key.not_before_s <= now_s < key.not_after_s:
        raise CodeIssuerError(f"issuer {shown.issuer_id} kid {shown.kid} outside its window")
    return key


def _check_windows(shown: Presented, skew_s: int, now_s: int) -> None:
    if shown.authorised_at_s > now_s + skew_s:
        raise ClockSkewError(f"issued {shown.authorised_at_s - now_s} s in the future")
    if now_s > shown.ends_at_s or shown.made_at_s > shown.ends_at_s:
        raise CodeExpiredError(f"authorisation ended at {shown.ends_at_s}")
    if shown.made_at_s > now_s + skew_s:
        raise ClockSkewError(f"made {shown.made_at_s - now_s} s in the future")
    if now_s > shown.expires_at_s + skew_s:
        raise CodeExpiredError(f"expired {now_s - shown.expires_at_s} s ago")


def _check_rights(shown: Presented, policy: Policy, amount_fen: int) -> None:
    if not shown.scope & policy.scope_bit:
        raise SceneNotAllowedError(f"scope {shown.scope:#06x} lacks {policy.scope.name}")
    purpose = shown.tariff_and_purpose & _PURPOSE_MASK
    needs = policy.purpose_bits | (_PAY if amount_fen else 0)
    if needs & ~purpose:
        raise PurposeNotAllowedError(f"purpose {purpose} lacks {needs}")
    is_printed = shown.code_class == _P
    if not policy.online:
        if purpose & _ONLINE_REQUIRED:
            raise AskOnlineError("the code demands an online check")
        if is_printed and needs & _PAY:
            raise AskOnlineError("a printed code pays online only")
    if shown.domain not in (0, policy.domain):
        raise DomainNotAllowedError(f"domain {shown.domain}, here {policy.domain}")
    # Paper cannot know where it is shown, nor who holds it.
    if is_printed:
        return
    if not policy.context_fits(shown.context, shown.suite):
        raise ContextMismatchError(f"context {shown.context.hex()} is not of this place")
    if policy.user_verified_required and not shown.flags & _USER_VERIFIED:
        raise UserNotVerifiedError("user not verified on the phone")


def _check_status(
    shown: Presented,
    status_list: StatusSource | None,
    policy: Policy,
    now_s: int,
    amount_fen: int,
) -> tuple[str, ...]:
    """Refuse by the status bit; the warnings say whether a stale list was used."""
    index = shown.status_index
    if index is None or policy.status_by_caller:
        return ()
    of_issuer = None if status_list is None else status_list.for_issuer(shown.issuer_id)
    if of_issuer is None:
        raise ListStaleError(f"no status list of issuer {shown.issuer_id}")
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
    shown: Presented,
    data: bytes,
    issuer_key: IssuerKey,
    authorisations: AuthorisationCache | None,
) -> None:
    if shown.code_class == _S:
        _check_signature(issuer_key.key, data, TAG_S)
        return
    if shown.code_class == _P:
        _check_signature(issuer_key.key, data, TAG_P)
        return
    authorisation = data[:-DYNAMIC_SIZE]
    device_key = None
    if authorisations is not None:
        device_key = authorisations.get(authorisation, issuer_key.public_key)
    if device_key is None:
        _check_signature(issuer_key.key, authorisation, TAG_AUTHORISATION)
        device_key = _device_key(authorisation)
        if authorisations is not None:
            authorisations.add(authorisation, issuer_key.public_key, device_key)
    _check_signature(device_key, data, TAG_D)


def _check_signature(key: PublicKey, data: bytes, tag: bytes) -> None:
    """``data`` ends with a signature over ``tag`` and all before it."""
    try:
        key.verify(data[-SIGNATURE_SIZE:], tag + data[:-SIGNATURE_SIZE])
    except SignatureError as error:
        raise CodeSignatureError(f"{tag.decode()}: {error}") from None


def _device_key(authorisation: bytes) -> PublicKey:
    algorithm = _ALGORITHM_OF_NIBBLE[authorisation[1] & 0x0F]
    try:
        return load_public_key(algorithm, authorisation[D_HEAD.size : -SIGNATURE_SIZE])
    except KeyFormError as error:
        raise CodeSignatureError(f"device key: {error}") from None


def _check_caps(
    shown: Presented,
    policy: Policy,
    now_s: int,
    amount_fen: int,
    offline_uses: OfflineUses | None,
) -> None:
    if amount_fen > CAP_UNIT_FEN * shown.cap_10fen:
        raise CapExceededError(f"{amount_fen} fen above {CAP_UNIT_FEN * shown.cap_10fen}")
    if policy.online or shown.code_class != _D:
        return
    use = OfflineUse(
        issuer_id=shown.issuer_id,
        token=shown.token,
        amount_fen=amount_fen,
        cumulative_cap_fen=CAP_UNIT_FEN * shown.cumulative_cap_10fen,
        uses_max=shown.uses_max,
        expires_at_s=shown.ends_at_s,
    )
    if offline_uses is None:
        use.check(used_fen=0, used_count=0)
    else:
        offline_uses.add(use, now_s=now_s)

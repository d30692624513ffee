"""Changing an issuer's key without touching a terminal.

An epoch is the numbered life of one key, its number the kid. The windows overlap:

```
published          signs                  last code it signed has ended
    |--- lead ---|=========================|--- code life ---|
                                  |--- lead ---|=============...   next epoch
```

A key is published (enters the ring that terminals pull) at least ``lead_s`` before it signs, so
that every terminal that pulled within its allowed age knows it. It stays believed until the last
code it signed has ended. Printed codes live for months: give them a kid of their own.
"""

from dataclasses import dataclass
from typing import Final

from codes.key_ring import IssuerKey, KeyRing, KeyUse
from codes.policy import SKEW_S_MAX
from codes.suites import Algorithm

_KIDS: Final = 256


class KeyEpochError(ValueError):
    """The plan would leave codes that terminals cannot verify, or no key to sign with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPlan:
    """A new key and when it signs; instants in Unix seconds, spans in seconds.

    ``lead_s``: the oldest package a terminal may work with. ``code_life_s``: the longest life of
    what the key signs.
    """

    issuer_id: int
    algorithm: Algorithm
    public_key: bytes
    uses: frozenset[KeyUse]
    signs_from_s: int
    signs_until_s: int
    lead_s: int
    code_life_s: int


def publish_epoch(ring: KeyRing, plan: EpochPlan, *, now_s: int) -> tuple[KeyRing, int]:
    """The ring with the planned key in it, and the kid it got.

    Raises:
        KeyEpochError: the first signature would come before every terminal can know the key, there
            would be a gap after the current key, or all kids are taken.
    """
    earlier = [key for key in ring if key.issuer_id == plan.issuer_id and key.uses & plan.uses]
    if earlier and plan.signs_from_s < now_s + plan.lead_s:
        raise KeyEpochError("published too late for terminals to know it in time")
    signed_until_s = max(
        (key.not_after_s - plan.code_life_s - SKEW_S_MAX for key in earlier),
        default=plan.signs_from_s,
    )
    if signed_until_s < plan.signs_from_s:
        raise KeyEpochError("no key would sign between the epochs")
    kid = next_kid(ring, plan.issuer_id)
    key = IssuerKey(
        issuer_id=plan.issuer_id,
        kid=kid,
        algorithm=plan.algorithm,
        public_key=plan.public_key,
        # A verifier's clock may be behind the issuer's.
        not_before_s=plan.signs_from_s - SKEW_S_MAX,
        not_after_s=plan.signs_until_s + plan.code_life_s + SKEW_S_MAX,
        uses=plan.uses,
    )
    return ring.with_key(key), kid


def next_kid(ring: KeyRing, issuer_id: int) -> int:
    """The number after the youngest epoch's; one still in the ring is never given again.

    Raises:
        KeyEpochError: all 256 are in the ring.
    """
    taken = {key.kid for key in ring if key.issuer_id == issuer_id}
    if len(taken) == _KIDS:
        raise KeyEpochError("all 256 kids are in the ring; remove ended ones first")
    youngest = max(
        (key for key in ring if key.issuer_id == issuer_id),
        key=lambda key: key.not_before_s,
        default=None,
    )
    kid = 1 if youngest is None else (youngest.kid + 1) % _KIDS
    while kid in taken:
        kid = (kid + 1) % _KIDS
    return kid


def signing_key(
    ring: KeyRing, issuer_id: int, use: KeyUse, *, now_s: int, code_life_s: int
) -> IssuerKey:
    """The key to sign with now: the youngest begun whose window outlives what it would sign.

    Raises:
        KeyEpochError: there is none.
    """
    candidates = [
        key
        for key in ring
        if key.issuer_id == issuer_id
        and use in key.uses
        and key.not_before_s + SKEW_S_MAX <= now_s
        and now_s + code_life_s + SKEW_S_MAX <= key.not_after_s
    ]
    if not candidates:
        raise KeyEpochError(f"issuer {issuer_id} has no key that may sign {use.value} now")
    return max(candidates, key=lambda key: key.not_before_s)


def without_ended(ring: KeyRing, *, now_s: int) -> KeyRing:
    """The ring without keys whose last code has ended."""
    return KeyRing(key for key in ring if key.not_after_s > now_s)

"""What a place demands of a code shown there, and where it is.

A value without clock or state: the terminal package or the server's configuration makes it.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from codes.fields import CONTEXT_NONE, Purpose, Scope
from codes.national import sm3
from codes.suites import Algorithm

SKEW_S_MAX: Final = 30
LIST_AGE_MAX_S: Final = 7200


def context_of(place_id: str, issuer_algorithm: Algorithm) -> bytes:
    """The four context bytes of a terminal's, line's or merchant's id.

    First 4 bytes of SHA-256 of the UTF-8 id, SM3 where the issuer's algorithm is SM2.
    """
    data = place_id.encode()
    if issuer_algorithm is not Algorithm.SM2_SM3:
        return hashlib.sha256(data).digest()[:4]
    return sm3(data)[:4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Rules of one place.

    ``scope``: the scene here. ``needs``: the purpose asked for; asking for an amount implies PAY.
    ``domain``: this merchant, 0 = none. ``place_ids``: ids of this terminal, line and so on, any of
    which a code's context may name. ``context_required``: refuse codes bound to no place.
    ``user_verified_required``: the phone must have checked PIN or biometrics. ``online``: the
    server is asked about this very code, so printed codes may pay and offline limits do not count.
    ``skew_s``: clock tolerance, at most 30 s. ``list_age_max_s``: older lists are stale.
    ``stale_cap_fen``: the most that may be paid on a stale list, None = nothing, not even a door.
    ``status_by_caller``: the caller looks the status up itself (the server has the register).
    """

    scope: Scope
    needs: Purpose = Purpose.PAY
    domain: int = 0
    place_ids: tuple[str, ...] = ()
    context_required: bool = False
    user_verified_required: bool = False
    online: bool = False
    skew_s: int = SKEW_S_MAX
    list_age_max_s: int = LIST_AGE_MAX_S
    stale_cap_fen: int | None = None
    status_by_caller: bool = False
    scope_bit: int = field(init=False, repr=False, compare=False)
    purpose_bits: int = field(init=False, repr=False, compare=False)
    contexts: frozenset[bytes] = field(init=False, repr=False, compare=False)
    contexts_sm3: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.skew_s <= SKEW_S_MAX:
            raise ValueError(f"skew_s must be 0 to {SKEW_S_MAX}")
        if self.scope.bit_count() != 1:
            raise ValueError("scope must name one scene")
        object.__setattr__(self, "scope_bit", self.scope.value)
        object.__setattr__(self, "purpose_bits", self.needs.value)
        for name, algorithm in (
            ("contexts", Algorithm.ES256),
            ("contexts_sm3", Algorithm.SM2_SM3),
        ):
            contexts = {context_of(place_id, algorithm) for place_id in self.place_ids}
            object.__setattr__(self, name, frozenset(contexts))

    def context_fits(self, context: bytes, suite: int) -> bool:
        """Does a code with this context and suite byte belong here?"""
        if context == CONTEXT_NONE:
            return not self.context_required
        is_sm2 = suite >> 4 == Algorithm.SM2_SM3
        return context in (self.contexts_sm3 if is_sm2 else self.contexts)

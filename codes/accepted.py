"""What a verifier knows about a code it accepted."""

import hashlib
from datetime import UTC, datetime
from typing import NamedTuple

from codes.fields import CAP_UNIT_FEN, COMPANIONS_MAX, CodeClass, Purpose, Scope
from codes.layout import ClassD, ClassS, Code
from codes.presented import Presented, identity_of
from codes.replay import ReplayIdentity
from codes.text_form import from_bytes


class Accepted(NamedTuple):
    """An accepted code.

    ``data`` is the code's bytes; ``warnings`` such as ``list_stale`` and ``counter_regression``;
    ``replay_claimed`` tells whether a guard has claimed it, if not the caller must.
    """

    data: bytes
    facts: Presented
    warnings: tuple[str, ...]
    replay_claimed: bool

    @property
    def code(self) -> Code:
        """The code as a value, read again from its bytes."""
        return from_bytes(self.data)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the code's bytes, the evidence kept with an order."""
        return hashlib.sha256(self.data).digest()

    @property
    def code_class(self) -> CodeClass:
        """S, D or P."""
        return self.facts.code_class

    @property
    def issuer_id(self) -> int:
        """Who issued the code or authorised the phone."""
        return self.facts.issuer_id

    @property
    def kid(self) -> int:
        """Which key of the issuer."""
        return self.facts.kid

    @property
    def token(self) -> bytes:
        """The 8-byte random alias; only the issuer can say whose it is."""
        return self.facts.token

    @property
    def identity(self) -> ReplayIdentity:
        """What a replay guard claims."""
        return identity_of(self.data)

    @property
    def replay_key(self) -> bytes:
        """Semantic identity, 11 to 14 bytes: the same for both twins of an ECDSA signature."""
        return self.identity.key

    @property
    def single_use(self) -> bool:
        """False for printed codes, which may be shown again."""
        return self.code_class is not CodeClass.P

    @property
    def scope(self) -> Scope:
        """Scenes the code is good for."""
        return Scope(self.facts.scope)

    @property
    def tariff_class(self) -> int:
        """Fare class hint, 0 to 31; the server's register decides."""
        return self.facts.tariff_and_purpose >> 3

    @property
    def purpose(self) -> Purpose:
        """Identity, pay, online-required."""
        return Purpose(self.facts.tariff_and_purpose & 0x07)

    @property
    def cap_fen(self) -> int:
        """The most one use may pay, in fen."""
        return CAP_UNIT_FEN * self.facts.cap_10fen

    @property
    def cumulative_cap_fen(self) -> int | None:
        """The most all offline uses together may pay, in fen; class D only."""
        is_offline = self.code_class is CodeClass.D
        return CAP_UNIT_FEN * self.facts.cumulative_cap_10fen if is_offline else None

    @property
    def uses_max(self) -> int | None:
        """The most offline uses; class D only."""
        return self.facts.uses_max if self.code_class is CodeClass.D else None

    @property
    def domain(self) -> int:
        """The only merchant or domain, 0 = any; class S only."""
        return self.facts.domain

    @property
    def context(self) -> bytes:
        """Four bytes naming the place the phone was told; zero = none."""
        return self.facts.context

    @property
    def flags(self) -> int:
        """Flags without companions, see ``FlagS``, ``FlagD`` and ``FlagP``."""
        return self.facts.flags & ~COMPANIONS_MAX

    @property
    def companions(self) -> int:
        """People entering along with the holder, 0 to 15."""
        return self.facts.flags & COMPANIONS_MAX

    @property
    def jti(self) -> bytes | None:
        """Random identity of a class S code."""
        code = self.code
        return code.jti if isinstance(code, ClassS) else None

    @property
    def counter(self) -> int | None:
        """Counter of the device key of a class D code."""
        code = self.code
        return code.counter if isinstance(code, ClassD) else None

    @property
    def status_index(self) -> int | None:
        """Index in the issuer's status list; classes D and P."""
        return self.facts.status_index

    @property
    def made_at_s(self) -> int:
        """When it was made, by the issuer's or the phone's clock, Unix seconds."""
        return self.facts.made_at_s

    @property
    def expires_at_s(self) -> int:
        """When it ends, without tolerance, Unix seconds."""
        return self.facts.expires_at_s

    @property
    def made_at(self) -> datetime:
        """As ``made_at_s``."""
        return datetime.fromtimestamp(self.made_at_s, UTC)

    @property
    def expires_at(self) -> datetime:
        """As ``expires_at_s``."""
        return datetime.fromtimestamp(self.expires_at_s, UTC)

"""What a verifier knows about a code it accepted."""

from dataclasses import dataclass
from datetime import UTC, datetime

from codes.layout import (
    CAP_UNIT_FEN,
    COMPANIONS_MAX,
    CONTEXT_NONE,
    Authorisation,
    ClassD,
    ClassP,
    ClassS,
    Code,
    CodeClass,
    Purpose,
    Scope,
)
from codes.replay import ReplayIdentity, identity_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted code.

    ``digest`` is SHA-256 of the code's bytes, the evidence kept with an order; instants in Unix
    seconds UTC, ``expires_at_s`` without tolerance; ``replay_claimed`` tells whether a guard has
    claimed it, if not the caller must; ``warnings`` such as ``list_stale`` and
    ``counter_regression``.
    """

    code: Code
    digest: bytes
    made_at_s: int
    expires_at_s: int
    replay_claimed: bool
    warnings: tuple[str, ...] = ()

    @property
    def _grant(self) -> ClassS | Authorisation | ClassP:
        return self.code.authorisation if isinstance(self.code, ClassD) else self.code

    @property
    def code_class(self) -> CodeClass:
        """S, D or P."""
        return self.code.code_class

    @property
    def issuer_id(self) -> int:
        """Who issued the code or authorised the phone."""
        return self.code.issuer_id

    @property
    def kid(self) -> int:
        """Which key of the issuer."""
        return self.code.kid

    @property
    def token(self) -> bytes:
        """The 8-byte random alias; only the issuer can say whose it is."""
        return self.code.token

    @property
    def identity(self) -> ReplayIdentity:
        """What a replay guard claims."""
        return identity_of(self.code)

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
        return Scope(self._grant.scope)

    @property
    def tariff_class(self) -> int:
        """Fare class hint, 0 to 31; the server's register decides."""
        return self._grant.tariff_class

    @property
    def purpose(self) -> Purpose:
        """Identity, pay, online-required."""
        return Purpose(self._grant.purpose)

    @property
    def cap_fen(self) -> int:
        """The most one use may pay, in fen."""
        return CAP_UNIT_FEN * self._grant.cap_10fen

    @property
    def cumulative_cap_fen(self) -> int | None:
        """The most all offline uses together may pay, in fen; class D only."""
        if isinstance(self.code, ClassD):
            return CAP_UNIT_FEN * self.code.authorisation.cumulative_cap_10fen
        return None

    @property
    def uses_max(self) -> int | None:
        """The most offline uses; class D only."""
        return self.code.authorisation.uses_max if isinstance(self.code, ClassD) else None

    @property
    def domain(self) -> int:
        """The only merchant or domain, 0 = any; class S only."""
        return self.code.domain if isinstance(self.code, ClassS) else 0

    @property
    def context(self) -> bytes:
        """Four bytes naming the place the phone was told; zero = none."""
        return CONTEXT_NONE if isinstance(self.code, ClassP) else self.code.context

    @property
    def flags(self) -> int:
        """Flags without companions, see ``FlagS``, ``FlagD`` and ``FlagP``."""
        return self.code.flags & ~COMPANIONS_MAX

    @property
    def companions(self) -> int:
        """People entering along with the holder, 0 to 15."""
        return self.code.flags & COMPANIONS_MAX

    @property
    def jti(self) -> bytes | None:
        """Random identity of a class S code."""
        return self.code.jti if isinstance(self.code, ClassS) else None

    @property
    def counter(self) -> int | None:
        """Counter of the device key of a class D code."""
        return self.code.counter if isinstance(self.code, ClassD) else None

    @property
    def status_index(self) -> int | None:
        """Index in the issuer's status list; classes D and P."""
        grant = self._grant
        return None if isinstance(grant, ClassS) else grant.status_index

    @property
    def made_at(self) -> datetime:
        """When it was made, by the issuer's or the phone's clock."""
        return datetime.fromtimestamp(self.made_at_s, UTC)

    @property
    def expires_at(self) -> datetime:
        """When it ends, without tolerance."""
        return datetime.fromtimestamp(self.expires_at_s, UTC)

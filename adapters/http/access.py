"""Who may enter: access tokens made and checked, and the client behind each looked up again.

Tokens are JWTs of ten minutes signed with an epoch's Ed25519 key (RFC 9068). A checked token is
remembered by its digest, because this stands before every order; its client is looked up again
every few seconds, so a revoked client is out long before its token ends. What the client may do is
the token's scopes as far as its record still grants them.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import jwt

from adapters.http import headers as header
from adapters.http.access_keys import AccessKeys
from adapters.http.refusals import TokenInvalidError, TokenMissingError
from adapters.http.settings import HTTPSettings
from cardcore.caller import Caller
from cardcore.ports import Clock

if TYPE_CHECKING:
    from cardcore.service import CardCore

TOKEN_SIZE_MAX: Final = 2048
_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token says: this client, with these scopes, until then; ``kid`` is its epoch."""

    client_id: str
    scopes: frozenset[str]
    expires_at: datetime
    kid: str


class AccessTokens:
    """Makes and checks access tokens. All workers of one service share the key."""

    def __init__(self, keys: AccessKeys, settings: HTTPSettings, clock: Clock) -> None:
        self.keys = keys
        self._issuer = settings.public_url
        self._ttl_s = settings.token_ttl_s
        self._clock = clock

    def issue(self, client_id: str, scopes: frozenset[str]) -> str:
        """A token for ``client_id``, valid for ``token_ttl_s`` from now."""
        now_s = int(self._clock().timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": client_id,
            "client_id": client_id,
            "scope": " ".join(sorted(scopes)),
            "iat": now_s,
            "exp": now_s + self._ttl_s,
            "jti": uuid4().hex,
        }
        kid, key = self.keys.signing()
        headers = {"typ": _TYPE, "kid": kid}
        return jwt.encode(claims, key, algorithm=_ALGORITHM, headers=headers)

    def check(self, token: str) -> Grant:
        """What ``token`` grants.

        Raises:
            TokenInvalidError: malformed, not signed by us, for another audience, or expired.
        """
        if len(token) > TOKEN_SIZE_MAX:
            raise TokenInvalidError("the token is too long")
        kid = kid_of(token)
        key = self.keys.public(kid)
        if key is None:
            raise TokenInvalidError("the token is not one of ours")
        try:
            whole = jwt.decode_complete(token, key, algorithms=[_ALGORITHM], options=SIGNATURE_ONLY)
        except (jwt.InvalidTokenError, RecursionError):
            raise TokenInvalidError("the token is not one of ours") from None
        claims: dict[str, Any] = whole["payload"]
        ours = (
            whole["header"].get("typ") == _TYPE
            and claims.get("iss") == self._issuer
            and claims.get("aud") == self._issuer
        )
        if not ours:
            raise TokenInvalidError("the token is not an access token for this service")
        expires_at = datetime.fromtimestamp(claims["exp"], tz=self._clock().tzinfo)
        if expires_at <= self._clock():
            raise TokenInvalidError("the token has expired")
        return Grant(
            client_id=claims["sub"],
            scopes=frozenset(claims["scope"].split()),
            expires_at=expires_at,
            kid=kid,
        )


def kid_of(token: str) -> str:
    """The epoch a token names, empty where it names none; nothing about it is proven yet."""
    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except (jwt.InvalidTokenError, RecursionError):
        return ""


# Times and names are checked here by the injected clock; the library does the signature.
SIGNATURE_ONLY: Final[Any] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Admission:
    caller: Caller
    grant: Grant
    recheck_at: datetime


class Gate:
    """Turns the Authorization header of a request into its caller."""

    def __init__(
        self, core: "CardCore", tokens: AccessTokens, settings: HTTPSettings, clock: Clock
    ) -> None:
        self._core = core
        self._tokens = tokens
        self._clock = clock
        self._recheck = timedelta(seconds=settings.client_recheck_s)
        self._cache_max = settings.token_cache_max
        self._admissions: dict[bytes, _Admission] = {}
        self._looks: dict[bytes, asyncio.Task[Caller]] = {}

    async def caller(self, headers: header.RawHeaders) -> Caller:
        """The proven client of the request.

        Raises:
            TokenMissingError: no bearer token.
            TokenInvalidError: one that does not admit.
        """
        value = header.single(headers, b"authorization")
        if value is None or value[:7].lower() != b"bearer ":
            raise TokenMissingError
        token = value[7:].strip()
        digest = hashlib.sha256(token).digest()
        admission = self._admissions.get(digest)
        now = self._clock()
        if admission is not None and now < admission.recheck_at:
            return admission.caller
        look = self._looks.get(digest)
        if look is None:
            # Everybody with this token who comes meanwhile waits for the same look.
            look = asyncio.create_task(self._look(digest, token, admission, now))
            self._looks[digest] = look
            look.add_done_callback(lambda _: self._looks.pop(digest))
        return await asyncio.shield(look)

    async def _look(
        self, digest: bytes, token: bytes, admission: _Admission | None, now: datetime
    ) -> Caller:
        """Check a token, and look up the client behind it."""
        grant = admission.grant if admission is not None else await self._check(_text(token), now)
        if grant.expires_at <= now:
            self._admissions.pop(digest, None)
            raise TokenInvalidError("the token has expired")
        return await self._admit(digest, grant, now)

    async def _check(self, token: str, now: datetime) -> Grant:
        """What a token grants that was not seen before, perhaps of an epoch not known yet."""
        keys = self._tokens.keys
        await keys.refresh(now, urgent=keys.public(kid_of(token)) is None)
        return self._tokens.check(token)

    async def _admit(self, digest: bytes, grant: Grant, now: datetime) -> Caller:
        await self._tokens.keys.refresh(now)
        record = await self._core.client(grant.client_id)
        epoch_is_good = self._tokens.keys.public(grant.kid) is not None
        if record is None or record.status != "active" or not epoch_is_good:
            self._admissions.pop(digest, None)
            raise TokenInvalidError("the client is not admitted")
        caller = Caller(
            client_id=grant.client_id,
            merchant_id=record.merchant_id,
            terminal_id=record.terminal_id,
            scopes=grant.scopes & frozenset(record.scopes),
        )
        if len(self._admissions) >= self._cache_max and digest not in self._admissions:
            del self._admissions[next(iter(self._admissions))]
        self._admissions[digest] = _Admission(
            caller=caller, grant=grant, recheck_at=min(now + self._recheck, grant.expires_at)
        )
        return caller


def _text(token: bytes) -> str:
    try:
        return token.decode("ascii")
    except UnicodeDecodeError:
        raise TokenInvalidError("the token is not one of ours") from None

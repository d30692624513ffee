"""``POST /v1/oauth/token``: a system or terminal proves its own key and gets a short access token.

OAuth 2.0 client credentials with ``private_key_jwt``. The assertion is a JWT the client signs with
its registered key (EdDSA or ES256): ``iss`` = ``sub`` = client id, ``aud`` = this service or its
token endpoint, ``exp`` within five minutes, ``jti`` used once; ``nbf`` and ``iat``, if given, are
not ahead of our clock beyond the skew. Every failure of the proof has one answer,
``invalid_client``: which part failed is nobody's business.
Sources: RFC 6749 sections 4.4 and 5, RFC 7521, RFC 7523, RFC 6819.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import jwt
from pydantic import BaseModel, Field, StringConstraints, ValidationError
from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.http import headers as header
from adapters.http.access import SIGNATURE_ONLY, AccessTokens
from adapters.http.body import read_body, read_pairs
from adapters.http.rate_limits import RateLimits
from adapters.http.record import record_of
from adapters.http.refusals import (
    OAuthClientError,
    OAuthGrantTypeError,
    OAuthRequestError,
    OAuthScopeError,
)
from adapters.http.settings import HTTPSettings
from adapters.http.used_assertions import UsedAssertions
from cardcore.ports import Clock

if TYPE_CHECKING:
    from cardcore.service import CardCore

PATH: Final = "/v1/oauth/token"
GRANT_TYPE: Final = "client_credentials"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_NEEDED: Final = {"grant_type", "client_assertion_type", "client_assertion"}
ASSERTION_SIZE_MAX: Final = 4096
# Which signature a registered key makes; nothing the client says can change it.
_ALGORITHMS: Final = {("OKP", "Ed25519"): "EdDSA", ("EC", "P-256"): "ES256"}


class TokenRequest(BaseModel):
    """The form of a token request, for the documentation."""

    grant_type: str = Field(examples=[GRANT_TYPE])
    client_assertion_type: str = Field(examples=[ASSERTION_TYPE])
    client_assertion: str = Field(description="The signed JWT.")
    client_id: str | None = Field(default=None, description="If given, the assertion's `sub`.")
    scope: str | None = Field(default=None, description="Space-separated; default: all granted.")


class TokenReply(BaseModel):
    """A granted token (RFC 6749 section 5.1)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  (the type's name, not a secret)
    expires_in: int = Field(description="Seconds.")
    scope: str


class OAuthProblem(BaseModel):
    """A refused token request (RFC 6749 section 5.2)."""

    error: str
    error_description: str
    error_uri: str
    request_id: str


_Instant = Annotated[float, Field(strict=True, ge=0, lt=2**33, allow_inf_nan=False)]


class _Assertion(BaseModel):
    """What an assertion claims, in the right form, its signature not yet checked."""

    iss: str
    sub: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.:\-]{1,64}$")]
    aud: str | list[str]
    exp: Annotated[int, Field(strict=True, gt=0, lt=2**33)]
    jti: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
    nbf: _Instant = 0
    iat: _Instant | None = None


class TokenEndpoint:
    """The ASGI application of the token endpoint."""

    def __init__(
        self,
        core: "CardCore",
        tokens: AccessTokens,
        used: UsedAssertions,
        settings: HTTPSettings,
        clock: Clock,
        limits: RateLimits | None = None,
    ) -> None:
        self._limits = limits
        self._core = core
        self._tokens = tokens
        self._used = used
        self._settings = settings
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Grant a token or refuse."""
        headers: header.RawHeaders = scope["headers"]
        header.require_form(headers)
        form = _form(await read_body(headers, receive, self._settings))
        if form.get("grant_type", GRANT_TYPE) != GRANT_TYPE:
            raise OAuthGrantTypeError(f"grant_type must be {GRANT_TYPE}")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.keys() >= _NEEDED:
            raise OAuthRequestError("grant_type and a client_assertion as a jwt-bearer are needed")
        client_id, granted = await self._authenticate(form["client_assertion"])
        record_of(scope).client_id = client_id
        if self._limits is not None:
            await self._limits.take(client_id)
        if form.get("client_id", client_id) != client_id:
            raise OAuthClientError
        scopes = _asked(form.get("scope"), granted)
        await self._tokens.keys.refresh(self._clock())
        reply = TokenReply(
            access_token=self._tokens.issue(client_id, scopes),
            expires_in=self._settings.token_ttl_s,
            scope=" ".join(sorted(scopes)),
        )
        response = Response(
            to_json(reply), headers={"Pragma": "no-cache"}, media_type="application/json"
        )
        await response(scope, receive, send)

    async def _authenticate(self, assertion: str) -> tuple[str, frozenset[str]]:
        """Client id and granted scopes of the client that made ``assertion``."""
        claims = _read(assertion)
        now = self._clock()
        skew = timedelta(seconds=self._settings.clock_skew_s)
        latest = now + timedelta(seconds=self._settings.assertion_ttl_max_s) + skew
        expires_at = datetime.fromtimestamp(claims.exp, tz=UTC)
        audience = {claims.aud} if isinstance(claims.aud, str) else set(claims.aud)
        ours = {self._settings.public_url, self._settings.token_url}
        # Expiry without skew: a longer life would outlive the memory of used assertions.
        if claims.iss != claims.sub or not audience & ours or not now < expires_at <= latest:
            raise OAuthClientError
        made_at = now.timestamp() if claims.iat is None else claims.iat
        if max(claims.nbf, made_at) > (now + skew).timestamp():
            raise OAuthClientError
        # One that was made long ago and lent a late expiry has lain somewhere meanwhile.
        if made_at < (now - (latest - now)).timestamp():
            raise OAuthClientError
        record = await self._core.client(claims.sub)
        if record is None or record.status != "active":
            raise OAuthClientError
        _verify(assertion, record.keys_at(now))
        first = await self._used.claim(claims.sub, claims.jti, expires_at=expires_at, now=now)
        if not first:
            raise OAuthClientError
        return claims.sub, frozenset(record.scopes)


def _form(raw: bytes) -> dict[str, str]:
    try:
        return read_pairs(raw)
    except ValueError as error:
        raise OAuthRequestError(str(error)) from None


def _read(assertion: str) -> _Assertion:
    """The claims, unverified: they say whose key to verify with."""
    if len(assertion) > ASSERTION_SIZE_MAX:
        raise OAuthClientError
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
        return _Assertion.model_validate(claims)
    except (jwt.InvalidTokenError, ValidationError, RecursionError):
        raise OAuthClientError from None


def _verify(assertion: str, keys: list[dict[str, Any]]) -> None:
    """Raise ``OAuthClientError`` unless ``assertion`` is signed with one of the client's keys."""
    for key in keys:
        if _is_signed_with(assertion, key):
            return
    raise OAuthClientError


def _is_signed_with(assertion: str, key: dict[str, Any]) -> bool:
    algorithm = _ALGORITHMS.get((str(key.get("kty")), str(key.get("crv"))))
    assert algorithm is not None, "a client was registered with a key of another kind"
    try:
        jwt.decode(
            assertion,
            jwt.PyJWK(key, algorithm=algorithm),
            algorithms=[algorithm],
            options=SIGNATURE_ONLY,
        )
    except jwt.InvalidTokenError:
        return False
    return True


def _asked(scope: str | None, granted: frozenset[str]) -> frozenset[str]:
    if scope is None:
        return granted
    asked = frozenset(scope.split())
    if not asked or not asked <= granted:
        raise OAuthScopeError
    return asked

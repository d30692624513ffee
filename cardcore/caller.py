"""Who is calling the core: a client that has proved itself at the door."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from cardcore.errors import AuthenticationStaleError, ForbiddenError

# So long after the app has seen PIN or fingerprint a citizen may bind money.
FRESH_FOR: Final = timedelta(minutes=5)


class Scope(StrEnum):
    """What a client may do. Given when it is registered, carried in its token."""

    ORDERS_WRITE = "orders:write"
    ORDERS_READ = "orders:read"
    REFUNDS_WRITE = "refunds:write"
    DISPUTES_WRITE = "disputes:write"
    DISPUTES_READ = "disputes:read"
    DISPUTES_ANSWER = "disputes:answer"
    DISPUTES_DECIDE = "disputes:decide"
    VERIFY = "verify"
    CODES_ISSUE = "codes:issue"
    USERS_WRITE = "users:write"
    USERS_READ = "users:read"
    USERS_ADMIN = "users:admin"
    PERSONAL_READ = "personal:read"
    FUNDS_WRITE = "funds:write"
    FUNDS_ADMIN = "funds:admin"
    CARDS_WRITE = "cards:write"
    CARDS_READ = "cards:read"
    REPORTS_READ = "reports:read"
    BILLS_READ = "bills:read"
    WEBHOOKS_WRITE = "webhooks:write"
    SESSIONS_WRITE = "sessions:write"
    CLIENTS_READ = "clients:read"
    CLIENTS_WRITE = "clients:write"
    OPERATORS_WRITE = "operators:write"
    AUDIT_READ = "audit:read"
    PROPOSALS_WRITE = "proposals:write"
    PROPOSALS_DECIDE = "proposals:decide"
    CLOCK_WRITE = "clock:write"
    SCENES_WRITE = "scenes:write"
    SCENES_READ = "scenes:read"
    MERCHANTS_WRITE = "merchants:write"
    MERCHANTS_READ = "merchants:read"
    TERMINALS_WRITE = "terminals:write"
    TERMINALS_READ = "terminals:read"
    RECORDS_WRITE = "records:write"
    HOSPITAL_WRITE = "hospital:write"
    HOSPITAL_READ = "hospital:read"
    HOSPITAL_REVIEW = "hospital:review"
    HOSPITAL_REPORTS = "hospital:reports"
    SIGNALS_WRITE = "signals:write"
    PARKING_EVENTS = "parking:events"
    PARKING_READ = "parking:read"
    PARKING_WRITE = "parking:write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated client.

    ``merchant_id`` is None for clients of the card centre itself (the embedding app's server,
    the back office); a merchant's client reaches only what belongs to that merchant.
    ``terminal_id`` is set where the client is one terminal, ``user_id`` where a citizen calls for
    himself. Operators are named ``operator:<id>``, citizens ``user:<id>``. ``authenticated_at`` is
    when the citizen last proved who they are, where their app has said so.
    """

    client_id: str
    merchant_id: str | None
    terminal_id: str | None = None
    scopes: frozenset[str]
    user_id: UUID | None = None
    authenticated_at: datetime | None = None

    def require(self, scope: Scope) -> None:
        """Raise ``ForbiddenError`` unless the caller has ``scope``."""
        if scope not in self.scopes:
            raise ForbiddenError(f"this needs the scope {scope}", scope=scope.value)

    def require_fresh(self, now: datetime) -> None:
        """Raise ``AuthenticationStaleError`` unless the citizen has just proved who they are."""
        if self.authenticated_at is None or now - self.authenticated_at > FRESH_FOR:
            raise AuthenticationStaleError(fresh_for_s=int(FRESH_FOR.total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecord:
    """A registered client: what the token endpoint must know to let it in.

    ``public_key_jwk`` is the public JSON Web Key its assertions are checked with; ``status`` is
    ``active`` or ``revoked``. While a client changes its key, ``former_key_jwk`` is good until
    ``former_until``.
    """

    client_id: str
    merchant_id: str | None
    terminal_id: str | None
    scopes: frozenset[str]
    public_key_jwk: dict[str, Any]
    status: str
    former_key_jwk: dict[str, Any] | None = None
    former_until: datetime | None = None

    def keys_at(self, now: datetime) -> list[dict[str, Any]]:
        """The public keys that are good at an instant, the present one first."""
        keys = [self.public_key_jwk]
        if self.former_key_jwk is not None:
            assert self.former_until is not None
            if now < self.former_until:
                keys.append(self.former_key_jwk)
        return keys

"""What the platform answers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cardcore.model import Model


class OperatorView(Model):
    """One operator."""

    operator_id: str
    name: str
    roles: list[str]
    status: str
    locked_until: datetime | None


class OperatorSessionView(Model):
    """An open session; ``csrf_token`` goes into ``X-CSRF-Token`` with every change."""

    operator_id: str
    roles: list[str]
    scopes: list[str]
    csrf_token: str
    expires_at: datetime


class WhoView(Model):
    """Who is signed in."""

    operator_id: str
    scopes: list[str]


class ClientView(Model):
    """One client, with the thumbprints (RFC 7638) of the keys that are good now."""

    client_id: str
    merchant_id: str | None
    terminal_id: str | None
    scopes: list[str]
    status: str
    key_thumbprint: str
    former_key_thumbprint: str | None
    former_key_until: datetime | None


class ClientsView(Model):
    """Clients by name; ``next_cursor`` is null at the end."""

    clients: list[ClientView]
    next_cursor: str | None


class ProposalView(Model):
    """One proposal. ``digest`` is what a decision names."""

    proposal_id: UUID
    kind: str
    content: dict[str, Any]
    digest: str
    purpose: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    status: str
    decided_by: str | None
    decided_at: datetime | None


class ProposalsView(Model):
    """The proposals that wait for a decision, oldest first."""

    proposals: list[ProposalView]


class HostCodeView(Model):
    """A one-time code, to be exchanged by the page within ``expires_at``."""

    host_code: str
    expires_at: datetime


class CitizenSessionView(Model):
    """An open session of a citizen; the token itself is in the cookie alone."""

    csrf_token: str
    expires_at: datetime


class AuditEventView(Model):
    """One row of the audit log."""

    seq: int
    recorded_at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    purpose: str


class AuditEventsView(Model):
    """Rows of the audit log, newest first."""

    events: list[AuditEventView]
    next_cursor: str | None


class ScopeView(Model):
    """One scope in both languages."""

    scope: str
    zh: str
    en: str


class ScopesView(Model):
    """The catalogue of scopes."""

    scopes: list[ScopeView]

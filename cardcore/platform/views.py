"""What the platform answers."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict

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


class WebhookEndpointView(Model):
    """One endpoint."""

    endpoint_id: UUID
    merchant_id: str
    url: str
    topics: list[str]
    status: str
    disabled_reason: str | None
    recorded_at: datetime


class WebhookEndpointsView(Model):
    """A merchant's endpoints, oldest first."""

    endpoints: list[WebhookEndpointView]


class WebhookAttemptView(Model):
    """One attempt; ``status_code`` is null where there was no answer."""

    attempt_no: int
    begun_at: datetime
    outcome: str
    status_code: int | None


class WebhookDeliveryView(Model):
    """One message to one endpoint, with all its attempts."""

    delivery_id: UUID
    endpoint_id: UUID
    message_id: str
    topic: str
    subject_id: UUID
    status: str
    next_at: datetime | None
    attempts: list[WebhookAttemptView]


class WebhookDeliveriesView(Model):
    """Deliveries of one endpoint, newest first."""

    deliveries: list[WebhookDeliveryView]
    next_cursor: str | None


class WebhookKeysView(Model):
    """The public keys messages are signed with."""

    keys: list[str]


class BillView(Model):
    """A bill's sums; ``sha256`` is that of the file.

    ``other_fen``, signed, are arrears and disputes; ``net_fen`` is paid less refunded, and they.
    """

    merchant_id: str
    business_on: date
    version: int
    rows: int
    paid_fen: int
    refunded_fen: int
    other_fen: int
    net_fen: int
    sha256: str
    made_at: datetime


class Row(Model):
    """A row of a list: what a table has besides is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class OrderRow(Row):
    """One order of a list; ``GET /v1/orders/{order_id}`` has its lines."""

    order_id: UUID
    out_trade_no: str
    scene: str
    type: str
    mode: str
    status: str
    terminal_id: str
    nominal_fen: int
    citizen_fen: int
    captured_fen: int
    refunded_fen: int
    recorded_at: datetime


class OrderRowsView(Model):
    """Orders, oldest first."""

    orders: list[OrderRow]
    next_cursor: str | None


class RefundRow(Row):
    """One refund of a list."""

    refund_id: UUID
    order_id: UUID
    out_refund_no: str
    amount_fen: int
    recorded_at: datetime


class RefundRowsView(Model):
    """Refunds, oldest first."""

    refunds: list[RefundRow]
    next_cursor: str | None


class TopUpRow(Row):
    """One top-up of a list."""

    topup_id: UUID
    amount_fen: int
    channel: str
    channel_no: str
    recorded_at: datetime


class TopUpRowsView(Model):
    """Top-ups, oldest first."""

    topups: list[TopUpRow]
    next_cursor: str | None


class ClockView(Model):
    """Where the sandbox's clock stands."""

    now: datetime

"""What the user room answers about people: masked everywhere but in a disclosure."""

from datetime import date, datetime
from uuid import UUID

from cardcore.model import Model


class LifeEventView(Model):
    """One thing that was done to a person's records; ``object`` is what of theirs it was."""

    event_id: UUID
    user_id: UUID
    kind: str
    object: str | None
    reason: str
    client_id: str
    operator: str | None
    recorded_at: datetime


class HistoryView(Model):
    """A person's life in the register, oldest first, that of merged duplicates included."""

    user_id: UUID
    events: list[LifeEventView]


class CredentialView(Model):
    """What a person may present, beside cards.

    From ``liability_from`` on, loss by misuse is no longer the citizen's. ``proof``: of a plate,
    ``unproven``, ``proven`` or ``withdrawn``.
    """

    credential_id: UUID
    user_id: UUID
    kind: str
    status: str
    label_masked: str | None
    valid_from: datetime
    valid_to: datetime | None
    liability_from: datetime | None
    replaced_by: UUID | None
    proof: str | None = None


class CredentialsView(Model):
    """All credentials of a person, those given up included."""

    credentials: list[CredentialView]


class EntitlementView(Model):
    """A right to a concession. ``revoked_at`` is set once it was taken back."""

    entitlement_id: UUID
    user_id: UUID
    concession: str
    has_evidence: bool
    granted_by: str | None
    valid_from: date
    valid_to: date
    revoked_at: datetime | None
    revoke_reason: str | None


class EntitlementsView(Model):
    """All entitlements a person has or had."""

    entitlements: list[EntitlementView]


class DelegationView(Model):
    """Who pays for whom, where, how much, until when."""

    delegation_id: UUID
    user_id: UUID
    payer_id: UUID
    kind: str
    scenes: list[str]
    use: str
    fund: str
    order_fen_max: int
    day_fen_max: int
    month_fen_max: int | None
    valid_from: datetime
    valid_to: datetime
    revoked_at: datetime | None


class DelegationsView(Model):
    """Delegations to and from a person."""

    delegations: list[DelegationView]


class ConsentView(Model):
    """What a person has agreed to, and whether they have withdrawn it."""

    consent_id: UUID
    user_id: UUID
    purpose: str
    recipient: str
    scope: list[str]
    valid_from: datetime
    valid_to: datetime
    evidence: str
    recorded_at: datetime
    withdrawn_at: datetime | None


class ConsentsView(Model):
    """All consents a person has ever given."""

    consents: list[ConsentView]


class DataAccessView(Model):
    """One look at a person's data."""

    seq: int
    recorded_at: datetime
    client_id: str
    operator: str | None
    purpose: str
    purpose_zh: str
    purpose_en: str
    fields: list[str]
    in_clear: bool


class DataAccessesView(Model):
    """Looks at a person's data, newest first; ``next_before`` leads to the next page."""

    accesses: list[DataAccessView]
    next_before: int | None


class FoundUserView(Model):
    """Whom a number leads to."""

    user_id: UUID
    level: str
    status: str


class DisclosureView(Model):
    """Personal data in clear; None where it is not known."""

    user_id: UUID
    name: str | None = None
    id_no: str | None = None
    phone: str | None = None
    address: str | None = None

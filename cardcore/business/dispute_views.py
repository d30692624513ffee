"""What is answered about disputes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cardcore.model import Model


class DisputeEventView(Model):
    """One step of a dispute: what, by whom, on what grounds."""

    step: str
    by: str
    grounds: str | None
    reference: str | None
    recorded_at: datetime


class DisputeView(Model):
    """A dispute as it stands (as it stood after the step, in the reply to a step).

    ``credited_fen`` was given to the citizen; ``recovered_fen`` of it was paid back by
    ``borne_by``, who owes the difference.
    """

    dispute_id: UUID
    order_id: UUID
    merchant_id: str
    reason: str
    amount_fen: int
    currency: str
    status: str
    credited_fen: int
    recovered_fen: int
    borne_by: str | None
    opened_at: datetime
    respond_by: datetime
    credit_by: datetime
    decide_by: datetime
    evidence_sha256: str
    events: list[DisputeEventView]


class DisputesView(Model):
    """Disputes of one citizen, newest first."""

    disputes: list[DisputeView]


class EvidenceView(Model):
    """The evidence as it was when the dispute was opened.

    ``sha256`` is over the pack as JSON with sorted keys, no spaces, UTF-8.
    """

    dispute_id: UUID
    sha256: str
    pack: dict[str, Any]

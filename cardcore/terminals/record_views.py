"""What is answered to an upload."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from cardcore.model import Model


class RecordResult(Model):
    """What became of one record; ``index`` is its place in the batch."""

    record_id: UUID | None
    index: int
    state: Literal["booked", "duplicate", "rejected", "review"]
    reason: str | None
    order_id: UUID | None


class GapView(Model):
    """Sequence numbers that have not arrived, both ends included."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    first: int = Field(serialization_alias="from")
    last: int = Field(serialization_alias="to")


class UploadView(Model):
    """One result per record, in order; what is missing; how far the terminal's clock is off."""

    results: list[RecordResult]
    gaps: list[GapView]
    server_time: datetime
    clock_skew_ms: int

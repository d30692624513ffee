"""One event of the stream: its type, its place, its JSON. Pure.

CloudEvents 1.0 in structured JSON, with the extension ``sequence``. Nothing of a person is in it: a
field that is not known to be harmless is left out, and a user is named by a pairwise pseudonym.
Sources: CloudEvents 1.0 and its JSON format; CloudEvents extension "sequence".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json

CONTENT_TYPE: Final = "application/cloudevents+json"
SOURCE: Final = "/cardcore"
TYPE_PREFIX: Final = "cardcore."
# What may leave. A field somebody adds to a payload stays inside until it is put here.
PUBLIC_FIELDS: Final = frozenset(
    {
        "alighted",
        "amount_fen",
        "boarded",
        "card_id",
        "clock_skew_ms",
        "count_id",
        "dispute_id",
        "event_id",
        "first_no",
        "last_no",
        "line",
        "load_estimate",
        "minute",
        "missing",
        "open_fen",
        "order_id",
        "refund_id",
        "scene",
        "status",
        "stop",
        "terminal_id",
        "trip",
        "vehicle",
    }
)
_ABOUT_PEOPLE: Final = "user."


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """Something that happened, as the relay took it out of the outbox.

    ``seq`` rises with each event: of two about one subject the higher is the later.
    """

    event_id: UUID
    seq: int
    topic: str
    subject_id: UUID
    merchant_id: str | None
    recorded_at: datetime
    payload: Mapping[str, Any]


def cloud_event(event: FeedEvent, name_of: Callable[[UUID], str]) -> bytes:
    """The event as CloudEvents JSON, the same bytes at every attempt.

    Args:
        event: what happened.
        name_of: a user's pairwise pseudonym for the stream.
    """
    about_a_person = event.topic.startswith(_ABOUT_PEOPLE)
    subject = name_of(event.subject_id) if about_a_person else str(event.subject_id)
    data = {name: value for name, value in event.payload.items() if name in PUBLIC_FIELDS}
    if "user_id" in event.payload:
        data["user"] = name_of(UUID(str(event.payload["user_id"])))
    if event.merchant_id is not None:
        data["merchant_id"] = event.merchant_id
    return to_json(
        {
            "specversion": "1.0",
            "id": str(event.event_id),
            "source": SOURCE,
            "type": f"{TYPE_PREFIX}{event.topic}",
            "subject": subject,
            "time": event.recorded_at,
            "datacontenttype": "application/json",
            "sequence": f"{event.seq:020d}",
            "data": data,
        }
    )
